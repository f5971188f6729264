#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The durable path: each message of a group once in a file, whatever dies when.

Usage: journal.py GATEWAY GROUP FILE

A message is done with, for the gateway, when it is on the disk. What this program had written
before it died and had not told comes again, and is known by its place in the stream. A record is
a line "STREAM PARTITION SEQUENCE LENGTH CRC32", the message and a newline; one that was only half
written is cut off at the next start. Messages go to the disk together, as many as have come.
"""

import os
import sys
import zlib

import weir

BATCH = 1024  # messages to the disk at once, at most


def places_of(file):
    """The highest sequence of each stream and partition; the file ends behind the last whole record."""
    places, end = {}, 0
    while line := file.readline():
        fields = line.split()
        if len(fields) != 5 or not line.endswith(b"\n"):
            break
        data = file.read(int(fields[3]) + 1)[:-1]
        if len(data) != int(fields[3]) or b"%08x" % zlib.crc32(data) != fields[4]:
            break
        places[fields[0].decode(), int(fields[1])] = int(fields[2])
        end = file.tell()
    file.truncate(end)
    file.seek(end)
    return places


def record_of(message):
    return b"%s %d %d %d %08x\n%s\n" % (message.stream.encode(), message.partition, message.sequence,
                                        len(message.data), zlib.crc32(message.data), message.data)


def journal(consumer, file):
    places = places_of(file)
    while True:
        batch = [consumer.next()]
        while len(batch) < BATCH and (message := consumer.next(0)):
            batch.append(message)
        for message in batch:
            place = message.stream, message.partition
            if message.sequence > places.get(place, -1):
                places[place] = message.sequence
                file.write(record_of(message))
        file.flush()
        os.fdatasync(file.fileno())
        consumer.consume(len(batch))


if __name__ == "__main__":
    with open(sys.argv[3], "a+b") as journal_file, weir.Consumer(
            sys.argv[1], sys.argv[2], name="journal", manual=True) as member:
        journal_file.seek(0)
        journal(member, journal_file)
