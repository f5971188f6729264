# SPDX-License-Identifier: BSD-3-Clause
"""Curves of results, as SVG: the ratio by what a series of cases has more and more of."""

import math
import os

WIDTH, HEIGHT = 520, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 34, 48
TICKS = 5
COLOUR = "#1f6feb"

# File: (title, what is to the right, {case: place})
SERIES = {
    "forward": ("Forwarding, ratio to testpmd", "bytes of a frame",
                {"forward_64": 64, "forward_128": 128, "forward_512": 512, "forward_1400": 1400}),
    "keys": ("Keys, ratio to testpmd", "keys",
             {"keys_1": 1, "forward_64": 1_000, "keys_100k": 100_000, "keys_1m": 1_000_000}),
    "groups": ("Copies delivered, ratio to one group", "groups",
               {"groups_2": 2, "groups_4": 4, "groups_16": 16}),
    "latency": ("99th percentile, ratio to testpmd", "% of the most that is carried",
                {"latency_10": 10, "latency_50": 50, "latency_80": 80}),
}


def shown(number):
    for limit, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= limit:
            return f"{number / limit:g}{letter}"
    return f"{number:g}"


def draw(title, axis, points):
    """`points`: (place, ratio, least, most of the pairs' ratios). Places are on a logarithmic scale."""
    places = [math.log(place) for place, *_ in points]
    top = max(most for *_, most in points) * 1.1

    def across(place):
        span = places[-1] - places[0]
        return LEFT + 20 + (math.log(place) - places[0]) / span * (WIDTH - LEFT - RIGHT - 40)

    def up(ratio):
        return HEIGHT - BOTTOM - ratio / top * (HEIGHT - TOP - BOTTOM)

    def text(x, y, anchor, what):
        return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{what}</text>'

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
             f'font-family="sans-serif" font-size="12" role="img">',
             "<!-- SPDX-License-Identifier: BSD-3-Clause -->",
             f"<title>{title}</title>",
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
             text(LEFT, 20, "start", title),
             text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "middle", axis)]
    for tick in range(TICKS + 1):
        ratio = top * tick / TICKS
        parts.append(f'<path d="M{LEFT} {up(ratio):.1f}H{WIDTH - RIGHT}" stroke="#d0d7de"/>')
        parts.append(text(LEFT - 6, up(ratio) + 4, "end", f"{ratio:.2f}"))
    line = " ".join(f"{across(place):.1f},{up(ratio):.1f}" for place, ratio, *_ in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOUR}" stroke-width="2"/>')
    for place, ratio, least, most in points:
        x = across(place)
        parts.append(f'<path d="M{x:.1f} {up(least):.1f}V{up(most):.1f}" stroke="{COLOUR}"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{up(ratio):.1f}" r="4" fill="{COLOUR}"/>')
        parts.append(text(x, HEIGHT - BOTTOM + 16, "middle", shown(place)))
    return "\n".join(parts + ["</svg>", ""])


def write(results, folder):
    """Of each series that has two results at least."""
    by_name = {one["name"]: one for one in results}
    os.makedirs(folder, exist_ok=True)
    for file, (title, axis, cases) in SERIES.items():
        points = [(place, by_name[name]["ratio"], min(by_name[name]["ratios"]),
                   max(by_name[name]["ratios"]))
                  for name, place in cases.items() if name in by_name]
        if len(points) < 2:
            continue
        with open(os.path.join(folder, f"{file}.svg"), "w", encoding="utf-8") as out:
            out.write(draw(title, axis, points))
