#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Curves of results, as SVG: what a series of cases has, by what it has more and more of. By
themselves, out of the JSON of a run: plot.py RUN.json FOLDER.
"""

import json
import math
import os
import sys
from dataclasses import dataclass
from typing import Callable

WIDTH, HEIGHT = 520, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 34, 48
LEGEND = 18  # a line of it
TICKS = 5
COLOURS = ("#1f6feb", "#cf222e", "#1a7f37", "#8250df", "#bc4c00", "#57606a")


def of_ratio(result):
    """(value, least, most of the pairs)"""
    return result["ratio"], min(result["ratios"]), max(result["ratios"])


def of_rate(result):
    return result["ours"], min(result["ours_all"]), max(result["ours_all"])


def of_delay(side, quantile):
    return lambda result: (result[side][quantile],) * 3


@dataclass(frozen=True)
class Line:
    cases: dict  # {case: place}
    label: str = ""
    read: Callable = of_ratio


@dataclass(frozen=True)
class Series:
    title: str
    axis: str  # to the right; on a logarithmic scale
    lines: tuple
    is_steep: bool = False  # upwards, too


LOADS = {"latency_10": 10, "latency_50": 50, "latency_80": 80}
SERIES = {  # by file
    "forward": Series("Forwarding, ratio to testpmd", "bytes of a frame", (
        Line({"forward_64": 64, "forward_128": 128, "forward_512": 512, "forward_1400": 1400}),)),
    "keys": Series("Keys, ratio to testpmd", "keys", (
        Line({"keys_1": 1, "forward_64": 1_000, "keys_100k": 100_000, "keys_1m": 1_000_000}),)),
    "groups": Series("Copies delivered, ratio to one group", "groups", (
        Line({"groups_2": 2, "groups_4": 4, "groups_16": 16}),)),
    "scale": Series("Forwarding with much configured, ratio to little", "configured", (
        Line({"consumers_1k": 1_000, "consumers_10k": 10_000}, "consumers"),
        Line({"partitions_256": 256, "partitions_4096": 4096}, "partitions"))),
    "native": Series("Into an application, messages a second", "bytes of a message", (
        Line({"native_32": 32, "native_288": 288, "native_1344": 1344}, read=of_rate),)),
    "latency": Series("One way, microseconds", "% of the most that is carried", tuple(
        Line(LOADS, f"{whose}, {shown}", of_delay(side, quantile))
        for side, whose in (("ours_us", "gateway"), ("peer_us", "testpmd"))
        for quantile, shown in (("p50", "p50"), ("p99", "p99"), ("p99_9", "p99.9"))),
        is_steep=True),
}
CASES = {name for series in SERIES.values() for line in series.lines for name in line.cases}


def shown(number):
    for limit, letter in ((1_000_000, "M"), (1_000, "k")):
        if number % limit == 0:
            return f"{number // limit}{letter}"
    return str(number)


def at_tick(number):
    """Of the axis upwards: three digits."""
    for limit, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= limit:
            return f"{number / limit:.3g}{letter}"
    return f"{number:.2f}" if number < 10 else f"{number:.3g}"


def text(x, y, anchor, what):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{what}</text>'


class Axes:
    """Where a value is."""

    def __init__(self, series, drawn, top):
        values = [point for _, points in drawn for point in points]
        self.places = sorted({place for place, *_ in values})
        self.begin, self.end = math.log(self.places[0]), math.log(self.places[-1])
        self.is_steep = series.is_steep
        self.least = min(least for *_, least, _ in values) / 1.2 if series.is_steep else 0
        self.most = max(most for *_, most in values) * (1.2 if series.is_steep else 1.1)
        self.top = top

    def across(self, place):
        part = (math.log(place) - self.begin) / (self.end - self.begin)
        return LEFT + 20 + part * (WIDTH - LEFT - RIGHT - 40)

    def up(self, value):
        part = (math.log(value / self.least) / math.log(self.most / self.least) if self.is_steep
                else value / self.most)
        return HEIGHT - BOTTOM - part * (HEIGHT - self.top - BOTTOM)

    def ticks(self):
        for tick in range(TICKS + 1):
            part = tick / TICKS
            yield (self.least * (self.most / self.least) ** part if self.is_steep
                   else self.most * part)


def draw(series, drawn):
    """`drawn`: (line, [(place, value, least, most)])"""
    labelled = [line for line, _ in drawn if line.label]
    axes = Axes(series, drawn, TOP + LEGEND * math.ceil(len(labelled) / 3))
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
             f'font-family="sans-serif" font-size="12" role="img">',
             "<!-- SPDX-License-Identifier: BSD-3-Clause -->",
             f"<title>{series.title}</title>",
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
             text(LEFT, 20, "start", series.title),
             text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "middle", series.axis)]
    for value in axes.ticks():
        parts.append(f'<path d="M{LEFT} {axes.up(value):.1f}H{WIDTH - RIGHT}" stroke="#d0d7de"/>')
        parts.append(text(LEFT - 6, axes.up(value) + 4, "end", at_tick(value)))
    for place in axes.places:
        parts.append(text(axes.across(place), HEIGHT - BOTTOM + 16, "middle", shown(place)))
    for number, (line, points) in enumerate(drawn):
        parts += draw_line(axes, COLOURS[number], points)
        if line.label:
            x, y = LEFT + number % 3 * 150, 20 + LEGEND * (1 + number // 3)
            parts.append(f'<path d="M{x} {y - 4}h16" stroke="{COLOURS[number]}" stroke-width="2"/>')
            parts.append(text(x + 22, y, "start", line.label))
    return "\n".join(parts + ["</svg>", ""])


def draw_line(axes, colour, points):
    path = " ".join(f"{axes.across(place):.1f},{axes.up(value):.1f}" for place, value, *_ in points)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
    for place, value, least, most in points:
        x = axes.across(place)
        parts.append(f'<path d="M{x:.1f} {axes.up(least):.1f}V{axes.up(most):.1f}" '
                     f'stroke="{colour}"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{axes.up(value):.1f}" r="4" fill="{colour}"/>')
    return parts


def write(results, folder):
    """Of each line that has two results at least. Returns the files."""
    by_name = {one["name"]: one for one in results}
    os.makedirs(folder, exist_ok=True)
    written = []
    for file, series in SERIES.items():
        drawn = [(line, [(place, *line.read(by_name[name]))
                         for name, place in line.cases.items() if name in by_name])
                 for line in series.lines]
        drawn = [(line, points) for line, points in drawn if len(points) >= 2]
        if not drawn:
            continue
        written.append(os.path.join(folder, f"{file}.svg"))
        with open(written[-1], "w", encoding="utf-8") as out:
            out.write(draw(series, drawn))
    return written


def main():
    if len(sys.argv) != 3:
        print("Usage: plot.py RUN.json FOLDER", file=sys.stderr)
        return 2
    with open(sys.argv[1], encoding="utf-8") as file:
        written = write(json.load(file)["results"], sys.argv[2])
    print("\n".join(written))
    return 0 if written else 1


if __name__ == "__main__":
    sys.exit(main())
