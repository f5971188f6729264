# SPDX-License-Identifier: BSD-3-Clause
"""
Compares ratios with the committed ones (committed.json: machine class, name, ratio). A class is
the CPU's model and how many there are: on another machine the same software has other ratios.
"""

import json
import os
import sys

FALL = 0.8  # of the committed ratio: below it the gateway got slower


def compare(results, machine, again):
    """
    The results and the names of those that fell. What seems to have fallen is measured a second
    time by `again`, and the better of the two counts: a busy machine is not slower software.
    """
    name = f"{machine['cpu']}, {machine['cpus']} CPUs"
    with open(os.path.join(os.path.dirname(__file__), "committed.json"), encoding="utf-8") as file:
        figures = json.load(file).get(name)
    if figures is None:
        print(f"bench: no committed ratios for \"{name}\": nothing to compare with",
              file=sys.stderr)
        return results, []
    kept, slower = [], []
    for result in results:
        limit = FALL * figures.get(result["name"], 0)
        if result["ratio"] < limit:
            result = max(result, again(result["name"]), key=lambda one: one["ratio"])
        if result["ratio"] < limit:
            slower.append(result["name"])
            print(f"bench: {result['name']}: {result['ratio']:.3f}, below {limit:.3f}: 80 % of "
                  f"the committed {figures[result['name']]:.3f}", file=sys.stderr)
        kept.append(result)
    return kept, slower
