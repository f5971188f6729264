#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Send captured datagrams of a client to its gateway again: frames_again.py INTERFACE PCAP PORT [CHANGED]

Every UDP datagram of the capture to PORT is sent again byte for byte, in the order captured, from
this interface. With CHANGED only those of a session are, one bit of their last byte turned, and
checksums left out. Prints JSON: how many, and how many of them say that they are tagged."""

import json
import socket
import struct
import sys

TAGGED = 0x01


def frames(path):
    with open(path, "rb") as file:
        head = file.read(24)
        order = "<" if head[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
        while len(header := file.read(16)) == 16:
            yield file.read(struct.unpack(order + "IIII", header)[2])


def main():
    interface, path, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    is_changed = len(sys.argv) > 4
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((interface, 0))
    result = {"sent": 0, "tagged": 0}
    for frame in frames(path):
        if frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_UDP:
            continue
        udp = 14 + 4 * (frame[14] & 15)
        if struct.unpack(">H", frame[udp + 2 : udp + 4])[0] != port:
            continue
        end = udp + struct.unpack(">H", frame[udp + 4 : udp + 6])[0]
        data = bytearray(frame[udp + 8 : end])
        if is_changed and not data[3] & TAGGED:
            continue
        if is_changed:
            data[-1] ^= 1
            frame = frame[: udp + 6] + b"\0\0" + bytes(data)
        wire.send(frame)
        result["sent"] += 1
        result["tagged"] += data[3] & TAGGED
    json.dump(result, sys.stdout)


main()
