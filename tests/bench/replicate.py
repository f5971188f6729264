# SPDX-License-Identifier: BSD-3-Clause
"""
One datagram to three receivers, on the wire: the gateway with a port of driver xdp on either side,
by the program in the kernel or through the rings of a worker, beside nfacctd with its tee plugin. The peer's figure is the highest rate that it delivers, whatever
it is offered and loses; the gateway's the highest that it is offered and delivers without loss.
"""

import functools
import json
import statistics
import subprocess
import sys
import time

import receive
from contender import Contender, Failed, group
from result import of_pairs

OUT = "bench-out"
SINK = "bench-sink"
COPIES = 3
PEER = "nfacctd, tee plugin: delivered at best"
SINK_MAC = "02:00:00:00:00:09"
QUIET_S = 0.3
TEE_RATES = (50_000, 100_000, 150_000, 200_000, 300_000)
STEP = 1.15  # from one rate that is offered to the next
FIRST = 100_000
TRIES = 3  # at a rate, until one loses nothing: other programs take the CPU away at times


def address():
    """For the peer's sockets: the gateway has none."""
    for command in (["address", "add", "10.0.0.1/24", "dev", receive.NEAR],
                    ["route", "add", "10.1.0.0/24", "dev", receive.NEAR],
                    ["address", "add", "10.9.0.8/24", "dev", OUT]):
        subprocess.run(["ip", *command], check=True)
    for number in range(COPIES):
        subprocess.run(["ip", "neigh", "replace", f"10.9.0.{number + 10}", "lladdr", SINK_MAC,
                        "nud", "permanent", "dev", OUT], check=True)


class Sink:
    """Counts the datagrams that come out, in the kernel."""

    def __enter__(self):
        self.process = subprocess.Popen(["xdp_ends", "count", SINK], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.count()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)

    def count(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def settled(self):
        """When no more comes."""
        before = -1
        while (now := self.count()) != before:
            before = now
            time.sleep(QUIET_S)
        return now


class Gateway(Contender):
    """A group for each receiver, on one worker or on the kernel's path."""

    def __init__(self, arguments, path):
        self.socket = f"{arguments.directory}/weir.sock"
        config = f"{arguments.directory}/replicate.json"
        groups = [group(f"group{number}", "flows", number, 1) for number in range(COPIES)]
        with open(config, "w", encoding="utf-8") as file:
            json.dump({
                "workers": {"cpus": [arguments.cpu], "idle": "spin"},
                "memory": {"buffers": 65536, "hugepages": arguments.hugepages},
                "control": {"socket": self.socket},
                "native": {"udp_port": 0},
                "failover": {"enabled": False},
                "ports": [{"name": "in", "driver": "xdp", "interface": receive.NEAR},
                          {"name": "out", "driver": "xdp", "interface": OUT}],
                "streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix",
                             "path": path}],
                "groups": groups,
            }, file)
        super().__init__(["weir", "--config", config], f"{arguments.directory}/replicate.log")

    def is_forwarding(self):
        done = subprocess.run(["weirctl", "--socket", self.socket, "-j", "consumer", "list"],
                              capture_output=True, timeout=10, check=False)
        if done.returncode != 0:
            return False
        consumers = json.loads(done.stdout)["consumers"]
        return len(consumers) == COPIES and all(one["state"] == "reachable" for one in consumers)


class Tee(Contender):
    """nfacctd with queues that are large enough, on all CPUs."""

    def __init__(self, arguments):
        base = f"{arguments.directory}/tee"
        with open(f"{base}.receivers", "w", encoding="utf-8") as file:
            file.write("id=1 ip=" + ",".join(f"10.9.0.{number + 10}:9995"
                                             for number in range(COPIES)) + "\n")
        with open(f"{base}.conf", "w", encoding="utf-8") as file:
            file.write("daemonize: false\nnfacctd_ip: 10.0.0.1\nnfacctd_port: 4739\n"
                       "nfacctd_pipe_size: 16777216\nplugins: tee[copy]\n"
                       f"tee_receivers[copy]: {base}.receivers\ntee_transparent: false\n"
                       "plugin_pipe_size: 67108864\nplugin_buffer_size: 131072\n")
        super().__init__(["nfacctd", "-f", f"{base}.conf"], f"{base}.log")

    def is_forwarding(self):
        done = subprocess.run(["ss", "-Hlun", "sport = :4739"], capture_output=True, text=True,
                              timeout=10, check=False)
        return "4739" in done.stdout


def offer(arguments, sink, rate):
    """(sent, delivered copies, seconds of sending)"""
    before = sink.settled()
    sender = receive.source(arguments, arguments.seconds, rate)
    sent, seconds = sender.stdout.read().split()
    sender.wait(10)
    return int(sent), sink.settled() - before, float(seconds)


def tee_best(arguments, sink):
    """Datagrams a second that each receiver got."""
    best = 0
    with Tee(arguments):
        for rate in TEE_RATES:
            _, delivered, seconds = offer(arguments, sink, rate)
            best = max(best, delivered / COPIES / seconds)
    if best == 0:
        raise Failed("nfacctd delivers nothing")
    return best


def lossless(arguments, sink, rate):
    """The rate that was offered and delivered without loss, which is a little less; or 0."""
    for _ in range(TRIES):
        sent, delivered, seconds = offer(arguments, sink, rate)
        if delivered > sent * COPIES:
            raise Failed(f"{delivered} copies of {sent} datagrams")
        if delivered == sent * COPIES:
            return sent / seconds
    return 0


def gateway_best(arguments, sink, path):
    """The highest rate without loss, and the part that is lost at twice that."""
    best, rate = 0, FIRST
    with Gateway(arguments, path):
        while (offered := lossless(arguments, sink, rate)) > best:
            best, rate = offered, rate * STEP
        sent, delivered, _ = offer(arguments, sink, 2 * best)
    if best == 0:
        raise Failed(f"the gateway loses datagrams at {FIRST} a second")
    return best, 1 - delivered / COPIES / sent


def replicate(name, path, arguments):
    """A result of alternating runs."""
    pairs, losses = [], []
    with (receive.source_wire(), receive.wire(OUT, "02:00:00:00:00:08", SINK, SINK_MAC),
          Sink() as sink):
        address()
        for number in range(arguments.pairs):
            peer = tee_best(arguments, sink) if number % 2 else None
            ours, loss = gateway_best(arguments, sink, path)
            peer = peer or tee_best(arguments, sink)
            pairs.append((ours, peer))
            losses.append(loss)
            print(f"{name}: pair {number + 1} of {arguments.pairs}: {ours:.0f}/s without "
                  f"loss, {loss * 100:.0f} % lost at twice that, {peer:.0f}/s by the peer",
                  file=sys.stderr)
    return of_pairs(name, pairs, PEER, "datagrams/s",
                    lost_at_twice=round(statistics.median(losses), 4))


CASES = {"replicate_3": functools.partial(replicate, "replicate_3", "kernel"),
         "replicate_3_ring": functools.partial(replicate, "replicate_3_ring", "gateway")}
