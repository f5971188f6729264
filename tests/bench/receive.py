# SPDX-License-Identifier: BSD-3-Clause
"""
Packets per second that a port of driver xdp receives, beside a program that drops them on the same
wire: the most that the kernel can hand over there. Beside both is a bare AF_XDP socket into which
a program puts all that comes, and whose frames nobody reads: what is lost to a socket is not the
port's. A program sends from the other end on another CPU, as fast as it can: from a socket, as
packets of any program come by a veth, or from within the kernel, more than either takes.
"""

import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import time

import capture
from contender import Contender, Failed
from result import of_pairs

NEAR = "bench-near"
FAR = "bench-far"
PEER = "XDP_DROP"
FRAME = 128  # bytes on the wire
SETTLE_S = 0.3
LEAD_S = 5  # the source runs for longer than what is measured


@contextlib.contextmanager
def wire(near, near_mac, far, far_mac):
    """Both ends are in this namespace."""
    subprocess.run(["ip", "link", "add", near, "type", "veth", "peer", "name", far], check=True)
    for device, mac in ((near, near_mac), (far, far_mac)):
        subprocess.run(["ip", "link", "set", device, "address", mac, "up"], check=True)
        subprocess.run(["ethtool", "-K", device, "gro", "on", "rxvlan", "off"], check=False,
                       capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "delete", near], check=False, capture_output=True)


def source_wire():
    """The one that the source sends into: its frames are for the near end."""
    return wire(NEAR, "02:00:00:00:00:01", FAR, "02:00:00:00:00:02")


class Receiver(Contender):
    """Weir with one stream that nobody takes: it receives, classifies, appends."""

    def __init__(self, arguments):
        self.socket = f"{arguments.directory}/weir.sock"
        config = f"{arguments.directory}/receive.json"
        with open(config, "w", encoding="utf-8") as file:
            json.dump({
                "workers": {"cpus": [arguments.cpu], "idle": "spin"},
                "memory": {"buffers": 32768, "hugepages": arguments.hugepages},
                "control": {"socket": self.socket},
                "native": {"udp_port": 0},
                "failover": {"enabled": False},
                "ports": [{"name": "in", "driver": "xdp", "interface": NEAR}],
                "streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix"}],
            }, file)
        super().__init__(["weir", "--config", config], f"{arguments.directory}/receive.log")

    def sent(self):
        """Packets that the port has received."""
        done = subprocess.run(["weirctl", "--socket", self.socket, "-j", "port", "list"],
                              capture_output=True, timeout=10, check=False)
        if done.returncode != 0:
            raise Failed(f"weirctl: {done.stderr.decode().strip()}")
        return json.loads(done.stdout)["ports"][0]["device"]["rx_packets"]


def source(arguments, seconds, rate=0, by="send"):
    """
    The sender, on a CPU that the worker does not have, from within the kernel or by the "stack".
    Without a rate as fast as it can; says how many it sent.
    """
    cpu = next(one for one in sorted(os.sched_getaffinity(0)) if one != arguments.cpu)
    process = subprocess.Popen(["taskset", "-c", str(cpu), "xdp_ends", by, FAR, str(seconds)] +
                               ([str(rate)] if by == "send" else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(capture.frame(FRAME, 1))
    process.stdin.close()
    return process


def received(arguments, by):
    sender = source(arguments, arguments.seconds + LEAD_S, by=by)
    try:
        with Receiver(arguments) as receiver:
            time.sleep(SETTLE_S)
            begin = receiver.sample()
            time.sleep(arguments.seconds)
            end = receiver.sample()
    finally:
        sender.terminate()
        sender.wait()
    return (end[1] - begin[1]) / (end[0] - begin[0])


def counted(command, arguments, by):
    """What a program says that it took at the near end."""
    sender = source(arguments, arguments.seconds + LEAD_S, by=by)
    try:
        done = subprocess.run(command + [NEAR, str(arguments.seconds)], check=True,
                              capture_output=True, timeout=arguments.seconds + 30)
    finally:
        sender.terminate()
        sender.wait()
    return float(done.stdout)


def dropped(arguments, by):
    return counted(["xdp_ends", "drop"], arguments, by)


def bare(arguments, by):
    """A socket on the worker's CPU."""
    return counted(["taskset", "-c", str(arguments.cpu), "xdp_take"], arguments, by)


def receive(name, by, arguments):
    """A result of alternating runs."""
    pairs, sockets = [], []
    order = (received, dropped, bare)
    with source_wire():
        for number in range(arguments.pairs):
            rates = {how: how(arguments, by) for how in (order if number % 2 == 0 else order[::-1])}
            pairs.append((rates[received], rates[dropped]))
            sockets.append(rates[bare])
            print(f"{name}: pair {number + 1} of {arguments.pairs}: "
                  f"{rates[received] / rates[dropped]:.3f}, "
                  f"of a bare socket {rates[received] / rates[bare]:.3f}", file=sys.stderr)
    return of_pairs(name, pairs, PEER, "packets/s", socket=round(statistics.median(sockets)),
                    of_socket=round(statistics.median(
                        ours / socket for (ours, _), socket in zip(pairs, sockets)), 4))


CASES = {"afxdp_rx": functools.partial(receive, "afxdp_rx", "stack"),
         "afxdp_rx_flood": functools.partial(receive, "afxdp_rx_flood", "send")}
