# SPDX-License-Identifier: BSD-3-Clause
"""
Cycles of the time stamp counter that a worker takes for a packet, by stage (lib/dataplane/cycles.h
says what each contains), as the gateway counts them itself when it is built for that: scripts/bench
does so, in a folder of its own. Medians of some runs.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time

import capture
from cases import PLAIN
from contender import SETTLE_S, Failed, Gateway

SHAPES = {"64": PLAIN, "512": dataclasses.replace(PLAIN, size=512),
          "1400": dataclasses.replace(PLAIN, size=1400),
          "1m_keys": dataclasses.replace(PLAIN, keys=1_000_000),
          "groups_4": dataclasses.replace(PLAIN, groups=4),
          "workers_2": dataclasses.replace(PLAIN, workers=2)}
QUICK = ("64", "1400", "groups_4")


class Counting(Gateway):
    """The gateway out of another build folder."""

    program = os.path.join(os.environ.get("WEIR_CYCLES_BUILD", ""), "app/weir/weir")

    def counted(self):
        """(packets, {stage: cycles}) of all workers together."""
        done = subprocess.run(["weirctl", "--socket", self.socket, "-j", "worker", "list"],
                              capture_output=True, timeout=10, check=True)
        workers = [one.get("cycles") for one in json.loads(done.stdout)["workers"]]
        if None in workers:
            raise Failed("the gateway is not built with meson's option cycles")
        stages = {name: sum(one["stages"][name] for one in workers)
                  for name in workers[0]["stages"]}
        self.lap = max(one["lap"] for one in workers)
        return sum(one["packets"] for one in workers), stages


def once(shape, arguments):
    """{stage: cycles a packet}, and what reading the counter takes"""
    path = f"{arguments.directory}/{shape.size}-{shape.keys}.pcap"
    if not os.path.exists(path):
        capture.write(path, shape.size, shape.keys)
    with Counting(path, shape, arguments) as gateway:
        time.sleep(SETTLE_S)
        before, began = gateway.counted()
        time.sleep(arguments.seconds)
        after, ended = gateway.counted()
    if after <= before:
        raise Failed("the workers counted no packets")
    return {name: (ended[name] - began[name]) / (after - before) for name in ended}, gateway.lap


def cycles(arguments):
    """[{name, stages: {stage: cycles a packet}, total, least: of the totals, lap}]"""
    results = []
    for name, shape in SHAPES.items():
        if arguments.quick and name not in QUICK:
            continue
        runs, laps = zip(*[once(shape, arguments) for _ in range(arguments.pairs)])
        stages = {stage: round(statistics.median(run[stage] for run in runs), 1)
                  for stage in runs[0]}
        totals = [sum(run.values()) for run in runs]
        results.append({"name": f"cycles_{name}", "stages": stages,
                        "total": round(statistics.median(totals), 1),
                        "least": round(min(totals), 1), "unit": "TSC cycles/packet",
                        "lap": statistics.median(laps)})
        print(f"cycles_{name}: {results[-1]['total']:.0f}, at least {results[-1]['least']:.0f}",
              file=sys.stderr)
    return results


def table(results):
    """A row for each stage that takes something, a column for each shape."""
    if not results:
        return []
    stages = [stage for stage in results[0]["stages"]
              if any(one["stages"][stage] >= 0.1 for one in results)]
    names = " | ".join(one["name"].removeprefix("cycles_") for one in results)
    rows = ["", f"| cycles of a packet | {names} |", "|---|" + "---|" * len(results)]
    for stage in stages:
        rows.append(f"| {stage} | " + " | ".join(f"{one['stages'][stage]:.0f}" for one in results)
                    + " |")
    for key, label in (("total", "all"), ("least", "all, the least of the runs")):
        rows.append(f"| {label} | " + " | ".join(f"{one[key]:.0f}" for one in results) + " |")
    return rows
