# SPDX-License-Identifier: BSD-3-Clause
"""
Messages per second from the gateway's rings into an application with libweir, acknowledged, over a
veth: the gateway has taken them all before the consumer joins at the earliest one, so that nothing
competes with the two. Beside testpmd on frames of 64 bytes.
"""

import contextlib
import json
import os
import subprocess
import sys

import capture
import receive
from cases import PLAIN
from contender import Contender, Failed, Testpmd, measure
from result import of_pairs

APP = "bench-app"
GATEWAY = "10.0.0.1"
HEADERS = 14 + 20 + 8 + 4  # with the FCS
PARTITIONS = 16
WAIT_S = 20
COUNTS = {32: 800_000, 288: 320_000, 1344: 160_000}  # messages, by their bytes
PEER = "dpdk-testpmd --forward-mode=5tswap, packets/s of 64 bytes"


@contextlib.contextmanager
def wire():
    """The consumer's end is in a namespace of its own: else the kernel would not use the wire."""
    with receive.wire(receive.NEAR, "02:00:00:00:00:01", receive.FAR, "02:00:00:00:00:02"):
        subprocess.run(["ip", "netns", "add", APP], check=True)
        try:
            for command in (["address", "add", f"{GATEWAY}/24", "dev", receive.NEAR],
                            ["link", "set", receive.FAR, "netns", APP],
                            ["-n", APP, "address", "add", "10.0.0.2/24", "dev", receive.FAR],
                            ["-n", APP, "link", "set", receive.FAR, "up"]):
                subprocess.run(["ip", *command], check=True)
            # No device would complete the checksums of what the consumer sends.
            subprocess.run(["ip", "netns", "exec", APP, "ethtool", "-K", receive.FAR, "tx", "off"],
                           check=True, capture_output=True)
            yield
        finally:
            subprocess.run(["ip", "netns", "delete", APP], check=False)


class Gateway(Contender):
    """Reads a capture once, and holds what was in it."""

    def __init__(self, path, count, arguments):
        self.count = count
        self.socket = f"{arguments.directory}/weir.sock"
        config = f"{arguments.directory}/native.json"
        with open(config, "w", encoding="utf-8") as file:
            json.dump({
                "workers": {"cpus": [arguments.cpu], "idle": "spin"},
                "memory": {"buffers": count + 32768, "hugepages": arguments.hugepages},
                "control": {"socket": self.socket},
                "failover": {"enabled": False},
                "ports": [{"name": "in", "driver": "pcap", "rx_file": path},
                          {"name": "lan", "driver": "xdp", "interface": receive.NEAR}],
                "streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix",
                             "partitions": PARTITIONS,
                             "ring": {"messages": 65536, "age_ms": 600000}}],
                "groups": [{"name": "g", "class": "native", "streams": ["flows"]}],
            }, file)
        super().__init__(["weir", "--config", config], f"{arguments.directory}/native.log")

    def is_forwarding(self):
        """Whether all messages are held."""
        done = subprocess.run(["weirctl", "--socket", self.socket, "-j", "group", "list"],
                              capture_output=True, timeout=10, check=False)
        return done.returncode == 0 and json.loads(done.stdout)["groups"][0]["held"] == self.count


def taken(size, arguments):
    """Messages per second."""
    path, count = f"{arguments.directory}/native-{size}.pcap", COUNTS[size]
    if not os.path.exists(path):
        capture.write(path, size + HEADERS, count)
    cpu = next(one for one in sorted(os.sched_getaffinity(0)) if one != arguments.cpu)
    with Gateway(path, count, arguments):
        done = subprocess.run(["ip", "netns", "exec", APP, "taskset", "-c", str(cpu), "native_take",
                               GATEWAY, "g", str(count)], capture_output=True, text=True,
                              timeout=90, check=False)
    if done.returncode != 0:
        raise Failed(done.stderr.strip())
    messages, missed, seconds = done.stdout.split()
    if int(missed) != 0:
        raise Failed(f"{missed} of {count} messages did not come")
    return int(messages) / float(seconds)


def forwarded(arguments):
    """Packets per second of the clock, by testpmd."""
    return measure(Testpmd, PLAIN, arguments)[1]


def native(size, arguments):
    """A result of alternating runs."""
    pairs = []
    with wire():
        for number in range(arguments.pairs):
            peer = forwarded(arguments) if number % 2 else None
            ours = taken(size, arguments)
            pairs.append((ours, peer or forwarded(arguments)))
            print(f"native_{size}: pair {number + 1} of {arguments.pairs}: {ours:.0f}/s, "
                  f"{ours / pairs[-1][1]:.4f}", file=sys.stderr)
    return of_pairs(f"native_{size}", pairs, PEER, "messages/s")
