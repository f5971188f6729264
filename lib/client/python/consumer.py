#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A whole consumer: prints where each message stands. Usage: consumer.py GATEWAY GROUP"""

import sys

import weir

with weir.Consumer(sys.argv[1], sys.argv[2]) as consumer:
    for message in consumer:
        print(message.stream, message.partition, message.sequence, len(message.data), flush=True)
