# SPDX-License-Identifier: BSD-3-Clause
"""Writes the capture files that the benchmarks read: IPFIX in UDP in IPv4 in Ethernet."""

import struct

ETHERNET = 14
IPV4 = 20
UDP = 8
IPFIX = 16
SET = 4
DATA_SET = 256  # least id of one
FCS = 4

EXPORTER = bytes([10, 1, 0, 1])
GATEWAY = bytes([10, 0, 0, 1])
MACS = bytes.fromhex("020000000001" "020000000002")


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(line_bytes, domain):
    """A frame of `line_bytes` on the wire (its FCS included) with an IPFIX message of a domain: one data set."""
    length = line_bytes - FCS - ETHERNET - IPV4 - UDP
    message = struct.pack("!HHIII", 10, length, 0, 0, domain)
    if length >= IPFIX + SET:
        message += struct.pack("!HH", DATA_SET, length - IPFIX)
    message = message.ljust(length, b"\0")
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, IPV4 + UDP + length, domain & 0xFFFF, 0, 64,
                         17, 0, EXPORTER, GATEWAY)
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    udp = struct.pack("!HHHH", 40000, 4739, UDP + length, 0)
    pseudo = EXPORTER + GATEWAY + struct.pack("!HH", 17, UDP + length)
    udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp + message) or 0xFFFF)
    return MACS + b"\x08\x00" + header + udp + message


def write(path, line_bytes, keys):
    """A capture of one frame for each of `keys` observation domains."""
    if line_bytes < FCS + ETHERNET + IPV4 + UDP + IPFIX:
        raise ValueError("frame too short for an IPFIX message")
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for domain in range(keys):
            data = frame(line_bytes, domain)
            file.write(struct.pack("<IIII", 0, 0, len(data), len(data)) + data)
