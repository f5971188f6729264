#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Packets per second of the gateway's whole blind path on one worker, beside a peer: testpmd on the
same devices, or the gateway in a plainer shape; and on a wire, what a port of driver xdp receives
(receive.py), three copies of each datagram without loss (replicate.py), messages into an application
(native.py) and the time that datagrams take (latency.py); what it takes (footprint.py); the XDP program
(program.py); the instructions of the data plane (instructions.py), which no machine changes, and its
cycles by stage (cycles.py).
Runs alternate in pairs; the result is the median of the pairs' ratios. Packets are counted per
second of the worker's CPU time, which other programs on the machine change least; the rates per
second of the clock are printed beside.
"""

import argparse
import json
import os
import platform
import statistics
import sys

import cycles
import footprint
import instructions
import latency
import native
import plot
import program
import receive
import replicate
from cases import CASES
from committed import compare
from contender import Failed, Gateway, Testpmd, measure
from result import NOISY, of_pairs

WIRE = receive.CASES | replicate.CASES | latency.CASES | footprint.CASES | native.CASES | {
    "xdp_program_ns": program.program}
INSTRUCTIONS = "instructions"
CURVES = "curves"  # all that plot.py draws
CYCLES = "cycles"  # needs a build of its own: only when asked for
UNIT = "packets/s of CPU time"
PEER = "dpdk-testpmd --forward-mode=5tswap"


def run(case, arguments):
    """A result of alternating runs."""
    sides = [(Gateway, case.shape), (Gateway, case.peer) if case.peer else (Testpmd, case.shape)]
    if case.is_shared:
        sides += [(Testpmd, case.shape), (Testpmd, case.peer)]
    pairs, shared = [], []
    for number in range(arguments.pairs):
        rates = [None] * len(sides)
        for side in range(len(sides)) if number % 2 == 0 else reversed(range(len(sides))):
            rates[side] = measure(*sides[side], arguments)
        pairs.append(rates[:2])
        shared += [rates[2][0] / rates[3][0]] if case.is_shared else []
        print(f"{case.name}: pair {number + 1} of {arguments.pairs}: "
              f"{rates[0][0] / rates[1][0]:.3f}", file=sys.stderr)
    more = {"testpmd_ratio": round(statistics.median(shared), 4)} if shared else {}
    return of_pairs(case.name, pairs, f"weir, {case.peer}" if case.peer else PEER, UNIT, **more)


def machine():
    """What the numbers were measured on."""
    model = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(),
            "load": os.getloadavg()[0]}


def table(results):
    """The results in Markdown. M: million packets."""
    rates = [one for one in results if "less_is_better" not in one]
    rows = [] if not rates else ["| name | ratio | spread | ours, M/CPU-s | peer, M/CPU-s | ours, M/s | peer, M/s |",
            "|---|---|---|---|---|---|---|"]
    for one in rates:
        millions = " | ".join(f"{one[key] / 1e6:.2f}"
                              for key in ("ours", "peer_value", "ours_clock", "peer_clock"))
        rows.append(f"| {one['name']} | {one['ratio']:.3f} | {one['spread'] * 100:.0f} % "
                    f"| {millions} |")
    return "\n".join(rows + delays([one for one in results if "ours_us" in one]) +
                     costs([one for one in results
                            if "less_is_better" in one and "ours_us" not in one]))


def costs(results):
    """What is taken, beside what the peer takes."""
    if not results:
        return []
    rows = ["", "| name | ratio | spread | ours | peer | |", "|---|---|---|---|---|---|"]
    return rows + [f"| {one['name']} | {one['ratio']:.3f} | {one['spread'] * 100:.0f} % "
                   f"| {one['ours']} | {one['peer_value']}, {one['peer']} | {one['unit']} |"
                   for one in results]


def delays(results):
    """How long a datagram is on its way."""
    if not results:
        return []
    rows = ["", "| name | ratio of p99 | spread | packets/s | ours, p50, p99, p99.9 in us "
            "| peer |", "|---|---|---|---|---|---|"]
    for one in results:
        times = " | ".join(", ".join(f"{one[side][key]:.0f}" for key in ("p50", "p99", "p99_9"))
                           for side in ("ours_us", "peer_us"))
        rows.append(f"| {one['name']} | {one['ratio']:.2f} | {one['spread'] * 100:.0f} % "
                    f"| {one['rate']} | {times} |")
    return rows


def write(path, results, by_stage, arguments, before):
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"results": results, "cycles": by_stage, "pairs": arguments.pairs, "seconds": arguments.seconds,
                   "hugepages": arguments.hugepages, "machine": before}, file, indent=2)
        file.write("\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true",
                        help="fewer cases and shorter runs; fails when one got slower")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--case", action="append",
                        choices=[case.name for case in CASES] + list(WIRE) +
                        [INSTRUCTIONS, CYCLES, CURVES])
    parser.add_argument("--directory", required=True, help="for files while it runs")
    parser.add_argument("--json", help="file for the results")
    parser.add_argument("--plots", help="folder for curves, as SVG")
    parser.add_argument("--hugepages", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    arguments.cpu = max(os.sched_getaffinity(0))
    pairs, seconds = (5, 0.6) if arguments.quick else (7, 3)
    arguments.pairs = arguments.pairs or pairs
    arguments.seconds = arguments.seconds or seconds
    if CURVES in (arguments.case or []):
        arguments.case += plot.CASES
    arguments.cases = [case for case in CASES
                       if case.name in (arguments.case or [case.name])
                       and (case.quick or not arguments.quick or arguments.case)]
    arguments.wire = [name for name in WIRE
                      if name in (arguments.case or ([] if arguments.quick else WIRE))]
    arguments.cycles = CYCLES in (arguments.case or [])
    arguments.instructions = INSTRUCTIONS in (arguments.case or [INSTRUCTIONS])
    return arguments


def main():
    arguments = parse()
    before = machine()
    if len(os.sched_getaffinity(0)) < 2:
        print("bench: two CPUs are needed", file=sys.stderr)
        return 1
    slower, longer = [], []
    try:
        results = [run(case, arguments) for case in arguments.cases]
        results += [WIRE[name](arguments) for name in arguments.wire]
        if arguments.quick:
            results, slower = compare(results, before, lambda name: run(
                next(case for case in CASES if case.name == name), arguments))
        if arguments.instructions:
            counted, longer = instructions.instructions(arguments)
            results += counted
        by_stage = cycles.cycles(arguments) if arguments.cycles else []
    except Failed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    print("\n".join([table(results)] + cycles.table(by_stage)).lstrip("\n"))
    for one in results:
        if "testpmd_ratio" in one:
            print(f"\n{one['name']}: testpmd, which has no keys, makes {one['testpmd_ratio']:.3f} of "
                  f"its rate of the same frames.")
    noisy = [one["name"] for one in results if one["noisy"]]
    if noisy:
        print(f"\nThe machine was not quiet: ratios of {', '.join(noisy)} differ by more than "
              f"{NOISY * 100:.0f} % between pairs.")
    if not arguments.hugepages:
        print("\nWithout hugepages: both are slower than they can be.")
    if arguments.plots:
        plot.write(results, arguments.plots)
    if arguments.json:
        write(arguments.json, results, by_stage, arguments, before)
    for line in longer:
        print(f"bench: {line}", file=sys.stderr)
    return 1 if slower or longer else 0


if __name__ == "__main__":
    sys.exit(main())
