# SPDX-License-Identifier: BSD-3-Clause
"""
Messages per second from the gateway's rings into an application with libweir, acknowledged, over a
veth: the gateway has taken them all before the consumer joins at the earliest one, so that nothing
competes with the two. And what is the most that could be with each datagram by itself: as large ones,
sent by the gateway as they come, to a program that takes them out of its socket and does nothing
else. Beside testpmd on frames of 64 bytes.
"""

import contextlib
import functools
import json
import os
import subprocess
import sys
import time

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
DATAGRAM = 1408  # bytes of UDP payload: what a consumer has by default
DRAIN_PORT = 9995
DRAIN_COUNT = 160_000
FRAMED_BURSTS = 4000  # of 128 messages
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


def held(socket):
    """Messages that wait for the group."""
    done = subprocess.run(["weirctl", "--socket", socket, "-j", "group", "list"],
                          capture_output=True, timeout=10, check=False)
    return json.loads(done.stdout)["groups"][0]["held"] if done.returncode == 0 else -1


def other_cpu(arguments):
    """That the worker does not have."""
    return str(next(one for one in sorted(os.sched_getaffinity(0)) if one != arguments.cpu))


def write_config(config, control, path, count, group, arguments):
    """A gateway that reads `count` messages of a capture, and holds them for its one group."""
    with open(config, "w", encoding="utf-8") as file:
        json.dump({
            "workers": {"cpus": [arguments.cpu], "idle": "spin"},
            "memory": {"buffers": count + 32768, "hugepages": arguments.hugepages},
            "control": {"socket": control},
            "failover": {"enabled": False},
            "ports": [{"name": "in", "driver": "pcap", "rx_file": path},
                      {"name": "lan", "driver": "xdp", "interface": receive.NEAR}],
            "streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix",
                         "partitions": PARTITIONS,
                         "ring": {"messages": 65536, "age_ms": 600000}}],
            "groups": [{"name": "g", "streams": ["flows"], **group}],
        }, file)


class Gateway(Contender):
    """Reads a capture once, and holds what was in it."""

    def __init__(self, path, count, arguments):
        self.count = count
        self.socket = f"{arguments.directory}/weir.sock"
        config = f"{arguments.directory}/native.json"
        write_config(config, self.socket, path, count, {"class": "native"}, arguments)
        super().__init__(["weir", "--config", config], f"{arguments.directory}/native.log")

    def is_forwarding(self):
        """Whether all messages are held."""
        return held(self.socket) == self.count


def taken(size, arguments):
    """Messages per second."""
    path, count = f"{arguments.directory}/native-{size}.pcap", COUNTS[size]
    if not os.path.exists(path):
        capture.write(path, size + HEADERS, count)
    with Gateway(path, count, arguments):
        done = subprocess.run(["ip", "netns", "exec", APP, "taskset", "-c", other_cpu(arguments),
                               "native_take", GATEWAY, "g", str(count)], capture_output=True,
                              text=True, timeout=90, check=False)
    if done.returncode != 0:
        raise Failed(done.stderr.strip())
    messages, missed, seconds = done.stdout.split()
    if int(missed) != 0:
        raise Failed(f"{missed} of {count} messages did not come")
    return int(messages) / float(seconds)


class Flood(Contender):
    """Holds datagrams for a blind consumer that may be sent ten a second, until it is let go."""

    def __init__(self, path, arguments):
        self.socket = f"{arguments.directory}/weir.sock"
        config = f"{arguments.directory}/flood.json"
        write_config(config, self.socket, path, DRAIN_COUNT, {"consumers": [
            {"name": "c", "address": "10.0.0.2", "port": DRAIN_PORT, "egress": "lan",
             "mac": "02:00:00:00:00:02", "rate": {"packets_per_s": 10, "burst_packets": 1}}]},
                     arguments)
        super().__init__(["weir", "--config", config], f"{arguments.directory}/flood.log")

    def is_forwarding(self):
        """Whether nearly all are held."""
        return held(self.socket) > DRAIN_COUNT * 0.99

    def let_go(self):
        subprocess.run(["weirctl", "--socket", self.socket, "consumer", "set-rate", "c",
                        "packets_per_s=0"], check=True, capture_output=True)


def drained(arguments):
    """Datagrams per second, of as many bytes as those with messages have."""
    path = f"{arguments.directory}/flood.pcap"
    if not os.path.exists(path):
        capture.write(path, DATAGRAM + HEADERS, DRAIN_COUNT)
    with Flood(path, arguments) as gateway:
        with subprocess.Popen(["ip", "netns", "exec", APP, "taskset", "-c", other_cpu(arguments),
                               "drain", str(DRAIN_PORT)], stdout=subprocess.PIPE,
                              text=True) as drain:
            time.sleep(receive.SETTLE_S)
            gateway.let_go()
            datagrams, seconds = drain.communicate(timeout=60)[0].split()
    return int(datagrams) / float(seconds)


def forwarded(arguments):
    """Packets per second of the clock, by testpmd."""
    return measure(Testpmd, PLAIN, arguments)[1]


def alternate(name, measured, unit, arguments):
    """A result of alternating runs."""
    pairs = []
    with wire():
        for number in range(arguments.pairs):
            peer = forwarded(arguments) if number % 2 else None
            ours = measured(arguments)
            pairs.append((ours, peer or forwarded(arguments)))
            print(f"{name}: pair {number + 1} of {arguments.pairs}: {ours:.0f}/s, "
                  f"{ours / pairs[-1][1]:.4f}", file=sys.stderr)
    return of_pairs(name, pairs, PEER, unit)


def native(size, arguments):
    return alternate(f"native_{size}", functools.partial(taken, size), "messages/s", arguments)


def apart(arguments):
    """What the wire and the kernel's sockets let through, each by itself, without frames and libweir."""
    return alternate("native_apart", drained, "datagrams/s", arguments)


def framed(arguments):
    """
    Messages of 32 bytes per second that a worker receives, classifies and puts into frames, in batches,
    with neither devices nor the consumer's part in the time: what instructions.c has counted.
    """
    done = subprocess.run(["taskset", "-c", str(arguments.cpu), "instructions", str(FRAMED_BURSTS)],
                          capture_output=True, text=True, timeout=90, check=True)
    lines = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines() if " " in line)
    return int(lines["native"]) / float(lines["time native"])


def frame(arguments):
    return alternate("framed_32", framed, "messages/s", arguments)


CASES = {f"native_{size}": functools.partial(native, size) for size in COUNTS} | {
    "native_apart": apart, "framed_32": frame}
