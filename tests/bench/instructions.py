# SPDX-License-Identifier: BSD-3-Clause
"""
Instructions that the data plane executes for a received message, counted by callgrind on bursts
that go from classification to the port's queue (instructions.c), and those of libweir's consumer
from there to the application (instructions_client.c). No clock and no other program has a part in
them, so they show what a ratio of rates cannot on a machine that others share; but they are those
of a compiler: with another than the committed figures are of, they are only told.
"""

import glob
import json
import os
import subprocess
import sys

from contender import Failed
from result import of_pairs

RISE = 1.05  # of the committed figure: above it the path got longer
LIMIT_S = 120
PROGRAMS = ("instructions", "instructions_client")
COMMITTED = os.path.join(os.path.dirname(__file__), "committed.json")


def count_of(program, directory):
    """The lines that it prints, and {case: instructions for each message received}."""
    base = f"{directory}/callgrind"
    for stale in glob.glob(f"{base}.*"):
        os.unlink(stale)
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no",
         f"--callgrind-out-file={base}", program],
        capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode != 0:
        raise Failed(f"{program}: {done.stdout[-500:]} {done.stderr[-500:]}")
    lines = [line.split(" ", 1) for line in done.stdout.splitlines() if " " in line]
    messages = {name: int(rest) for name, rest in lines if rest.isdigit()}
    counts = {}
    for path in glob.glob(f"{base}.*"):
        with open(path, encoding="utf-8") as file:
            fields = dict(line.strip().split(": ", 1) for line in file if ": " in line)
        name = fields.get("desc", "").rpartition(": ")[2]
        if name in messages:
            counts[name] = int(fields["totals"]) / messages[name]
    if counts.keys() != messages.keys() or not counts:
        raise Failed(f"{program}: counted {sorted(counts)} of {sorted(messages)}")
    return lines, counts


def count(directory):
    """The compiler, and {case: instructions for each message received}."""
    lines, counts = [], {}
    for program in PROGRAMS:
        printed, counted = count_of(program, directory)
        lines += printed
        counts |= counted
    return next(rest for name, rest in lines if name == "compiler"), counts


def judge(compiler, counts, committed):
    """The names of those that need too many, as lines that say so."""
    if compiler != committed["compiler"]:
        print(f"bench: instructions are of {compiler}, the committed ones of "
              f"{committed['compiler']}: not compared", file=sys.stderr)
        return []
    return [f"instructions_{name}: {counted:.0f} for a message, more than {RISE:.2f} times the "
            f"committed {committed[name]}"
            for name, counted in counts.items() if counted > RISE * committed[name]]


def instructions(arguments):
    """Results beside the committed figures, and what got longer."""
    with open(COMMITTED, encoding="utf-8") as file:
        committed = json.load(file)["instructions"]
    compiler, counts = count(arguments.directory)
    for name, counted in sorted(counts.items()):
        print(f"instructions_{name}: {counted:.1f}, committed {committed[name]}", file=sys.stderr)
    results = [of_pairs(f"instructions_{name}", [(counted, committed[name])],
                        f"committed, {committed['compiler']}", "instructions/message",
                        less_is_better=True, compiler=compiler)
               for name, counted in sorted(counts.items())]
    return results, judge(compiler, counts, committed)
