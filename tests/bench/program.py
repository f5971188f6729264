# SPDX-License-Identifier: BSD-3-Clause
"""
What the XDP program costs for a packet that it delivers itself, beside a program that does nothing,
both by BPF_PROG_TEST_RUN. In packets per second, as all results; the nanoseconds are beside.
"""

import json
import statistics
import subprocess
import sys

from result import of_pairs


def program(arguments):
    """A result of alternating runs."""
    done = subprocess.run(["xdp_program", str(arguments.pairs)], check=True, capture_output=True,
                          timeout=60 + 10 * arguments.pairs)
    pairs = json.loads(done.stdout)
    nets = [ours - peer for ours, peer in pairs]
    print(f"xdp_program_ns: {min(nets):.0f} to {max(nets):.0f} ns net, "
          f"median {statistics.median(nets):.0f}", file=sys.stderr)
    return of_pairs("xdp_program_ns", [(1e9 / ours, 1e9 / peer) for ours, peer in pairs],
                    "an empty program", "packets/s", net_ns=round(statistics.median(nets), 1),
                    least_net_ns=min(nets))
