# SPDX-License-Identifier: BSD-3-Clause
"""
How long a datagram takes from a sender over one veth, through the gateway, over another veth to a
receiver, beside testpmd on the same devices of net_af_packet: one way, by the sender's own clock,
at a part of the rate that the gateway carries. And what a consumer has to bear from its neighbours
(dead, slow, flooded) and from all that an operator may have on. Here less is better: a ratio of 1 is no difference.
"""

import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys

import receive
from contender import Contender, Failed, everything
from result import of_pairs

OUT = "bench-out"
SINK = "bench-sink"
EXPORTER = "bench-exporter"
COLLECTOR = "bench-collector"
ADDRESS = "10.9.0.10"
SINK_MAC = "02:00:00:00:00:09"
SIZE = 256
KEYS = 64
RATE_SECONDS = 1
SLOW_RATE = 1000
AWAKE_NS = 50_000_000
PEER = "dpdk-testpmd --forward-mode=mac"


def in_space(name, *command):
    return ["ip", "netns", "exec", name, *command]


@contextlib.contextmanager
def path():
    """The exporter and the collector have a namespace each, so that the kernel takes no shortcut."""
    with (receive.source_wire(),
          receive.wire(OUT, "02:00:00:00:00:08", SINK, SINK_MAC)):
        try:
            for name, device, address in ((EXPORTER, receive.FAR, "10.9.0.2/24"),
                                          (COLLECTOR, SINK, f"{ADDRESS}/24")):
                for command in (["netns", "add", name], ["link", "set", device, "netns", name],
                                ["-n", name, "address", "add", address, "dev", device],
                                ["-n", name, "link", "set", device, "up"]):
                    subprocess.run(["ip", *command], check=True)
                # Nobody would complete the checksums of what is sent.
                subprocess.run(in_space(name, "ethtool", "-K", device, "tx", "off"), check=True,
                               capture_output=True)
            subprocess.run(["ip", "-n", EXPORTER, "neigh", "replace", ADDRESS, "lladdr",
                            "02:00:00:00:00:01", "nud", "permanent", "dev", receive.FAR],
                           check=True)
            yield
        finally:
            for name in (EXPORTER, COLLECTOR):
                subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def consumer(name, address, **more):
    return {"name": name, "address": address, "port": 4739, "source": "keep", "egress": "out",
            "mac": SINK_MAC, **more}


class Gateway(Contender):
    """A blind consumer, and others of the same stream or of one that is flooded."""

    def __init__(self, arguments, neighbours=False, has_everything=False):
        self.socket = f"{arguments.directory}/weir.sock"
        config = f"{arguments.directory}/latency.json"
        groups = [{"name": "live", "streams": ["flows"], "consumers": [consumer("live", ADDRESS)]}]
        if neighbours:
            groups += [
                {"name": "dead", "streams": ["flows"], "consumers": [
                    {"name": "dead", "address": "192.0.2.9", "port": 9}]},
                {"name": "slow", "streams": ["flows"], "consumers": [
                    consumer("slow", "10.9.0.11", rate={"packets_per_s": SLOW_RATE})]},
                {"name": "flooded", "streams": ["flood"], "consumers": [
                    consumer("flooded", "10.9.0.12", rate={"packets_per_s": SLOW_RATE})]}]
        with open(config, "w", encoding="utf-8") as file:
            json.dump({
                "workers": {"cpus": [arguments.cpu], "idle": "spin"},
                "memory": {"buffers": 65536, "hugepages": arguments.hugepages},
                "control": {"socket": self.socket},
                "native": {"udp_port": 0},
                "ports": [{"name": "in", "driver": "af_packet", "interface": receive.NEAR},
                          {"name": "out", "driver": "af_packet", "interface": OUT}],
                "streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix"},
                            {"name": "flood", "match": {"udp_port": 4740}, "key": "ipfix"}],
                "groups": groups,
                **(everything(arguments.directory) if has_everything else {"telemetry": {"port": 0}}),
            }, file)
        super().__init__(["weir", "--config", config], f"{arguments.directory}/latency.log",
                         is_scraped=has_everything)

    def is_forwarding(self):
        done = subprocess.run(["weirctl", "--socket", self.socket, "-j", "consumer", "list"],
                              capture_output=True, timeout=10, check=False)
        return done.returncode == 0 and any(
            one["name"] == "live" and one["state"] == "reachable"
            for one in json.loads(done.stdout)["consumers"])


class Testpmd(Contender):
    """It moves each packet from the one device to the other and writes MAC addresses."""

    def __init__(self, arguments):
        main = next(cpu for cpu in sorted(os.sched_getaffinity(0)) if cpu != arguments.cpu)
        memory = ["--in-memory"] if arguments.hugepages else ["--no-huge", "-m", "512"]
        super().__init__(
            ["dpdk-testpmd", *memory, "--no-pci", "-l", f"{main},{arguments.cpu}",
             "--main-lcore", str(main), "--vdev", f"net_af_packet0,iface={receive.NEAR}",
             "--vdev", f"net_af_packet1,iface={OUT}", "--", "--forward-mode=mac",
             f"--eth-peer=1,{SINK_MAC}", "--total-num-mbufs=65536", "--nb-cores=1"],
            f"{arguments.directory}/testpmd.log")

    def sent(self):
        """It has sent nothing yet; but its worker sleeps until it is to forward."""
        return max(self.cpu_ns() - AWAKE_NS, 0)


def carried(arguments, rate, seconds, flood=0):
    """(packets per second that came, of what was sent; latency in us)"""
    cpu = str(next(one for one in sorted(os.sched_getaffinity(0)) if one != arguments.cpu))
    base = f"{arguments.directory}/latency"
    receiver = subprocess.Popen(
        in_space(COLLECTOR, "taskset", "-c", cpu, "weirload", "receive", "--listen", f"{ADDRESS}:4739",
                 "--idle", "1", "--json", f"{base}.received"))
    send = ["taskset", "-c", cpu, "weirload", "send", "--size", str(SIZE), "--keys", str(KEYS),
            "--seconds", str(seconds), "--rate"]
    senders = [subprocess.Popen(in_space(EXPORTER, *send, str(rate), "--to", f"{ADDRESS}:4739",
                                         "--json", f"{base}.sent"))]
    if flood:
        senders.append(subprocess.Popen(in_space(
            EXPORTER, *send, str(flood), "--to", f"{ADDRESS}:4740", "--json", f"{base}.flood")))
    for one in [*senders, receiver]:
        if one.wait(seconds + 30) != 0:
            raise Failed(f"{one.args}: status {one.returncode}")
    with open(f"{base}.received", encoding="utf-8") as file:
        report = json.load(file)
    if report["received"] == 0:
        raise Failed("nothing came through")
    return report["received"] / seconds, report["latency_us"]


def p99(contender, arguments, rate, flood=0):
    with contender:
        return carried(arguments, rate, max(arguments.seconds, 1), flood)[1]


def most(arguments):
    """Packets per second that the gateway carries when as many are sent as one CPU sends."""
    with Gateway(arguments):
        return carried(arguments, 0, RATE_SECONDS)[0]


def compared(name, peer, sides, arguments, **more):
    """A result of alternating runs of two sides, each a function that returns latencies in us."""
    pairs, seen = [], ([], [])
    for number in range(arguments.pairs):
        got = [None, None]
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            got[side] = sides[side]()
            seen[side].append(got[side])
        pairs.append((got[0]["p99"], got[1]["p99"]))
        print(f"{name}: pair {number + 1} of {arguments.pairs}: p99 {got[0]['p99']:.0f} us, "
              f"{got[1]['p99']:.0f} us by the peer", file=sys.stderr)

    def medians(side):
        return {key: round(statistics.median(one[key] for one in seen[side]), 1)
                for key in ("p50", "p99", "p99_9")}

    return of_pairs(name, pairs, peer, "us, 99th percentile, one way", less_is_better=True,
                    ours_us=medians(0), peer_us=medians(1), **more)


def latency(percent, arguments):
    """At a part of the most that the gateway carries."""
    with path():
        rate = int(most(arguments) * percent / 100)
        return compared(f"latency_{percent}", PEER,
                        (lambda: p99(Gateway(arguments), arguments, rate),
                         lambda: p99(Testpmd(arguments), arguments, rate)), arguments, rate=rate)


def isolation(arguments):
    """With a dead and a slow consumer of the same stream and a flooded one of another, or alone."""
    with path():
        rate = int(most(arguments) / 5)
        return compared("isolation", "weir, without the neighbours",
                        (lambda: p99(Gateway(arguments, True), arguments, rate, rate),
                         lambda: p99(Gateway(arguments), arguments, rate)), arguments, rate=rate)


def latency_everything(arguments):
    """With all that an operator may have on at all times, or without it; at half the rate."""
    with path():
        rate = int(most(arguments) / 2)
        return compared("latency_everything", "weir, without these",
                        (lambda: p99(Gateway(arguments, has_everything=True), arguments, rate),
                         lambda: p99(Gateway(arguments), arguments, rate)), arguments, rate=rate)


CASES = {f"latency_{percent}": functools.partial(latency, percent) for percent in (10, 50, 80)}
CASES |= {"isolation": isolation, "latency_everything": latency_everything}
