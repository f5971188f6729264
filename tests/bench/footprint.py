# SPDX-License-Identifier: BSD-3-Clause
"""
What the gateway takes without doing much: memory for each consumer and partition, the time until
it forwards, and CPU while nothing comes. Less is better.
"""

import dataclasses
import functools
import json
import os
import statistics
import sys
import time

import capture
from cases import PLAIN
from contender import Contender, Gateway, Testpmd
from result import of_pairs

CONSUMERS = 10_000
PARTITIONS = 4096
IDLE_S = 2
SETTLE_S = 0.5
DEFAULT_BUFFER = 128 + 2176  # RTE_MBUF_DEFAULT_BUF_SIZE and the mbuf before it
MEMORY = ("Rss:", "Shared_Hugetlb:", "Private_Hugetlb:")


def memory(contender):
    """Bytes that are there for the process, in huge pages too."""
    with open(f"/proc/{contender.process.pid}/smaps_rollup", encoding="utf-8") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith(MEMORY))


def frames(arguments):
    path = f"{arguments.directory}/{PLAIN.size}-{PLAIN.keys}.pcap"
    if not os.path.exists(path):
        capture.write(path, PLAIN.size, PLAIN.keys)
    return path


def taken(arguments, **shape):
    with Gateway(frames(arguments), dataclasses.replace(PLAIN, **shape), arguments) as gateway:
        return memory(gateway)


def of_each(arguments, count, **shape):
    return (taken(arguments, **shape) - taken(arguments)) / count


def of_memory(name, arguments):
    """Memory does not depend on what else runs: one pair."""
    one = {"consumer": functools.partial(of_each, arguments, CONSUMERS, idle_consumers=CONSUMERS),
           "partition": functools.partial(of_each, arguments, PARTITIONS - PLAIN.partitions,
                                          partitions=PARTITIONS)}[name]()
    print(f"memory_{name}: {one:.0f} bytes", file=sys.stderr)
    return of_pairs(f"memory_{name}", [(one, DEFAULT_BUFFER)], "a buffer of DPDK's usual size",
                    "bytes", less_is_better=True)


def started(kind, arguments):
    """Milliseconds until the first packets are sent."""
    path, begin = frames(arguments), time.monotonic()
    with kind(path, PLAIN, arguments):
        return (time.monotonic() - begin) * 1000


def start_up(arguments):
    pairs = [(started(Gateway, arguments), started(Testpmd, arguments))
             for _ in range(arguments.pairs)]
    print(f"start_up: {statistics.median(ours for ours, _ in pairs):.0f} ms", file=sys.stderr)
    return of_pairs("start_up", pairs, "dpdk-testpmd", "ms", less_is_better=True)


class Idle(Contender):
    """A port that nothing comes from, and a worker that may sleep."""

    def __init__(self, arguments):
        config = f"{arguments.directory}/idle.json"
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"workers": {"cpus": [arguments.cpu]},
                       "memory": {"hugepages": arguments.hugepages},
                       "control": {"socket": f"{arguments.directory}/weir.sock"},
                       "ports": [{"name": "lan", "driver": "tap", "interface": "bench-tap"}],
                       "streams": [{"name": "flows", "match": {"udp_port": 4739}}]}, file)
        super().__init__(["weir", "--config", config], f"{arguments.directory}/idle.log")

    def sent(self):
        """Nothing; but its worker is there."""
        return 1


def idle(arguments):
    """Thousandths of a CPU, of a worker that spins all."""
    with Idle(arguments) as gateway:
        time.sleep(SETTLE_S)
        begin = gateway.sample()
        time.sleep(IDLE_S)
        end = gateway.sample()
    share = (end[2] - begin[2]) / (end[0] - begin[0])
    print(f"idle_cpu: {share * 100:.2f} %", file=sys.stderr)
    return of_pairs("idle_cpu", [(share * 1000, 1000)], "a worker that spins",
                    "thousandths of a CPU", less_is_better=True)


CASES = {"memory_consumer": functools.partial(of_memory, "consumer"),
         "memory_partition": functools.partial(of_memory, "partition"),
         "start_up": start_up, "idle_cpu": idle}
