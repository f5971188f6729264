#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""UDP in Ethernet frames with the tags that are asked for:

    tagged_frames.py INTERFACE MAC ADDRESS:PORT SPEC...

A SPEC is TAGS=COUNT, where TAGS are VLAN IDs from the outermost in, joined by "." ("" for none);
an outer tag written with "s" has EtherType 0x88a8, the others 0x8100."""

import socket
import struct
import sys


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(address, port, number):
    payload = struct.pack(">I", number) * 8
    udp = struct.pack(">HHHH", 20000 + number % 16, port, 8 + len(payload), 0) + payload
    fixed = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), number, 0, 64, socket.IPPROTO_UDP, 0)
    head = fixed + socket.inet_aton("10.0.0.1") + socket.inet_aton(address)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + udp


def tagged(tags):
    """Everything from the first EtherType to the last."""
    out = b""
    for tag in filter(None, tags.split(".")):
        out += struct.pack(">HH", 0x88A8 if tag[0] == "s" else 0x8100, int(tag.lstrip("s")))
    return out + b"\x08\x00"


def main():
    interface, mac, target = sys.argv[1:4]
    address, port = target.rsplit(":", 1)
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind((interface, 0))
    head = bytes.fromhex(mac.replace(":", "")) + link.getsockname()[4]
    number = 0
    for spec in sys.argv[4:]:
        tags, count = spec.split("=")
        for _ in range(int(count)):
            number += 1
            link.send(head + tagged(tags) + packet(address, int(port), number))


main()
