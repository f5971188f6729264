#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Datagrams that no client sends, to a gateway's protocol port: hostile_datagrams.py ADDRESS PORT

Each leaves from a socket of its own, so that every answer is known by the datagram that it
answers. Prints JSON: how many were sent and what each reason must count (docs/protocol.md,
section 2.4); how many were answered, and how many of those with more bytes than they had."""

import collections
import json
import random
import select
import socket
import struct
import sys

HELLO, LEAVE, SUBSCRIBE, DATA, CREDIT, PAUSE = 1, 5, 6, 8, 10, 11


def datagram(frames, session=0, version=1, magic=0x5752, flags=0, count=None):
    head = struct.pack(">HBBHHQ", magic, version, flags, len(frames) if count is None else count, 0, session)
    return head + b"".join(frames)


def frame(kind, body=b"", length=None, flags=0):
    return struct.pack(">BBH", kind, flags, len(body) + 4 if length is None else length) + body


def hello(cookie=bytes(32), low=1, high=1, nonce=1, size=1400, role=0, group=b"shared", name=b"x"):
    body = struct.pack(">BBHQIB3x", low, high, size, nonce, 3, role)
    return frame(HELLO, body + cookie + group.ljust(32, b"\0") + name.ljust(32, b"\0") + bytes(136))


def credit():
    return frame(CREDIT, struct.pack(">IQQ", 1, 2**40, 2**40).ljust(52, b"\0"))


def known_wrong():
    """(reason or None, datagram): what the gateway must call each."""
    unknown = 0x1234567890AB0003
    return [
        (None, datagram([hello()])),
        (None, datagram([hello(low=2, high=9)])),
        ("frame_cookie", datagram([hello(cookie=b"\x5a" * 32)])),
        ("frame_truncated", b""),
        ("frame_truncated", datagram([])[:15]),
        ("frame_truncated", datagram([hello()])[:-8]),
        ("frame_truncated", datagram([frame(CREDIT, bytes(4))], session=unknown)),
        ("frame_version", datagram([hello()], version=2)),
        ("frame_version", datagram([hello()], magic=0x5753)),
        ("frame_type", datagram([frame(99, bytes(12))])),
        ("frame_type", datagram([frame(DATA, bytes(60))], session=unknown)),
        ("frame_malformed", datagram([hello()], flags=0x40)),
        ("frame_malformed", datagram([], count=0)),
        ("frame_malformed", datagram([hello()]) + bytes(8)),
        ("frame_malformed", datagram([frame(LEAVE, bytes(4), length=7)], session=unknown)),
        ("frame_malformed", datagram([hello()], session=unknown)),
        ("frame_malformed", datagram([credit()])),
        ("frame_malformed", datagram([hello(nonce=0)])),
        ("frame_malformed", datagram([hello(size=511)])),
        ("frame_malformed", datagram([hello(role=3)])),
        ("frame_malformed", datagram([hello(group=b"a b")])),
        ("frame_malformed", datagram([hello(name=b"n" * 32)])),
        ("frame_session", datagram([credit()], session=unknown)),
        ("frame_session", datagram([frame(LEAVE, bytes(4))], session=unknown)),
        ("frame_session", datagram([frame(SUBSCRIBE, struct.pack(">I", 1).ljust(36, b"\0"))], session=unknown)),
        ("frame_session", datagram([frame(PAUSE, struct.pack(">IB", 1, 1).ljust(12, b"\0"))], session=unknown)),
    ]


def exchange(address, port, payloads):
    """Send each once; yields (payload, its answers)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sockets = [socket.socket(family, socket.SOCK_DGRAM) for _ in payloads]
    answers = collections.defaultdict(list)
    poll = select.poll()
    by_fd = {s.fileno(): i for i, s in enumerate(sockets)}
    for one, payload in zip(sockets, payloads):
        one.connect((address, port))
        one.send(payload)
        poll.register(one, select.POLLIN)
    while ready := poll.poll(500):
        for fd, _ in ready:
            answers[by_fd[fd]].append(sockets[by_fd[fd]].recv(65536))
    for one in sockets:
        one.close()
    return [(payload, answers[i]) for i, payload in enumerate(payloads)]


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    chance = random.Random(4150)
    expected = collections.Counter()
    payloads = []
    for reason, payload in known_wrong() * 3:
        payloads.append(payload)
        expected[reason or "none"] += 1
    mutated = []
    for _ in range(300):
        one = bytearray(datagram([hello(name=b"mutant")]))
        one[chance.randrange(len(one))] ^= 1 << chance.randrange(8)
        mutated.append(bytes(one))
    with open("/dev/urandom", "rb") as noise:
        mutated += [noise.read(chance.randrange(1, 1400)) for _ in range(300)]
    result = {"known": len(payloads), "expected": expected, "mutated": len(mutated), "answered": 0, "amplified": 0}
    for batch in payloads, mutated:
        for payload, got in exchange(address, port, batch):
            result["answered"] += bool(got)
            result["amplified"] += sum(map(len, got)) > len(payload) or len(got) > 1
    json.dump(result, sys.stdout)


main()
