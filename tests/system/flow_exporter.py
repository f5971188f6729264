# SPDX-License-Identifier: BSD-3-Clause
"""Exporters of NetFlow v9 and IPFIX that send their templates, and how they sample, once.

flow_exporter.py --to HOST:PORT [--to ...] --first MESSAGE --count MESSAGES

sends messages FIRST to FIRST + COUNT - 1 of each of four domains to all given places; message 0
is the one with the templates and the sampling rate, which is ten times the domain. So several runs make one exporter's stream. Prints how many flow
records there were.
"""

import argparse
import socket
import struct

EXPORT_TIME = 1700000000
SMALL, FULL = 3, 1472  # records of a small message; payload of a full one

# (IE, length) of what all templates have, and how long a flow lasted.
FIELDS = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (5, 1), (2, 4), (1, 4), (10, 2)]
TIMES = {9: [(22, 4), (21, 4)], 10: [(152, 8), (153, 8)]}


class Domain:
    """One observation domain: a source port, a domain, templates from 256 on."""

    def __init__(self, version, number, templates, is_full):
        self.version = version
        self.number = number
        self.templates = templates
        self.port = 40000 + number
        size = sum(length for _, length in self.fields(0))
        header = 20 if version == 9 else 16
        self.records = (FULL - header - 4) // size if is_full else SMALL

    def fields(self, index):
        """The same fields for each template, in another order."""
        fields = FIELDS + TIMES[self.version]
        return fields[index:] + fields[:index]

    def header(self, message, body, count):
        """`count` records; what a sequence number counts depends on the version."""
        if self.version == 9:
            return struct.pack("!HHIIII", 9, count, 1000000, EXPORT_TIME, message, self.number)
        # The record of options counts, too.
        sequence = 1 + (message - 1) * self.records if message > 0 else 0
        return struct.pack("!HHIII", 10, 16 + len(body), EXPORT_TIME, sequence, self.number)

    def template_message(self):
        """All templates in a set, an options template and the one record of it."""
        body = b""
        for index in range(self.templates):
            fields = self.fields(index)
            body += struct.pack("!HH", 256 + index, len(fields))
            body += b"".join(struct.pack("!HH", *field) for field in fields)
        rate = struct.pack("!IIBxxx", self.number, 10 * self.number, 1)
        rate = struct.pack("!HH", 500, 4 + len(rate)) + rate
        if self.version == 9:
            body = struct.pack("!HH", 0, 4 + len(body)) + body
            body += struct.pack("!HHHHHHHHHHHxx", 1, 24, 500, 4, 8, 1, 4, 34, 4, 35, 1)
        else:
            body = struct.pack("!HH", 2, 4 + len(body)) + body
            body += struct.pack("!HHHHHHHHHHHxx", 3, 24, 500, 3, 1, 149, 4, 34, 4, 35, 1)
        return self.header(0, body + rate, self.templates + 2) + body + rate

    def record(self, index, message, number):
        values = {8: 0x0A000000 | self.number, 12: 0xC0000000 | message << 8 | number,
                  7: 1000 + self.number, 11: 2000 + index, 4: 17, 5: 0, 2: 1 + number,
                  1: 100 + number, 10: 3, 22: 900000, 21: 900500,
                  152: EXPORT_TIME * 1000 - 500, 153: EXPORT_TIME * 1000}
        return b"".join(
            values[field].to_bytes(length, "big") for field, length in self.fields(index))

    def data_message(self, message):
        index = message % self.templates
        body = b"".join(self.record(index, message, i) for i in range(self.records))
        body += b"\0" * (-len(body) % 4)
        body = struct.pack("!HH", 256 + index, 4 + len(body)) + body
        return self.header(message, body, self.records) + body

    def message(self, number):
        return self.template_message() if number == 0 else self.data_message(number)


DOMAINS = [Domain(9, 1, 2, False), Domain(9, 2, 9, True),
           Domain(10, 3, 2, False), Domain(10, 4, 9, True)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", action="append", required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    arguments = parser.parse_args()
    places = [(to.rpartition(":")[0], int(to.rpartition(":")[2])) for to in arguments.to]
    records = 0
    for domain in DOMAINS:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as exporter:
            exporter.bind(("", domain.port))
            for number in range(arguments.first, arguments.first + arguments.count):
                for place in places:
                    exporter.sendto(domain.message(number), place)
                records += domain.records if number > 0 else 0
    print(records)


if __name__ == "__main__":
    main()
