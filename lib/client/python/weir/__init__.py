# SPDX-License-Identifier: BSD-3-Clause
"""Streams of a Weir gateway: take part in a group, or produce into a stream.

    import weir

    with weir.Consumer("192.0.2.10", "billing") as consumer:
        for message in consumer:
            print(message.stream, message.sequence, len(message.data))

    with weir.Producer("192.0.2.10", "charging") as producer:
        producer.send(b"a message", key=b"whose order is kept")

Over libweir.so.0, which is found by that name or by the path in WEIR_LIBRARY. A Consumer or
Producer belongs to one thread at a time. weir.h says what the library does; this says what differs.
"""

from ._abi import library_version
from ._handle import State
from .consumer import (
    Consumer, Event, EventKind, From, Gone, Message, TraceContext, consumer_log,
)
from .errors import CallFailed, Held, LibraryMissing, NotAcknowledged, WeirError
from .producer import HeldBy, Producer, Tier

__all__ = [
    "CallFailed", "Consumer", "Event", "EventKind", "From", "Gone", "Held", "HeldBy",
    "LibraryMissing", "Message", "NotAcknowledged", "Producer", "State", "Tier", "TraceContext",
    "WeirError", "consumer_log", "library_version",
]
