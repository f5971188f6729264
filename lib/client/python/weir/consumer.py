# SPDX-License-Identifier: BSD-3-Clause
"""Consumers: an iterator over the messages of a group."""

from __future__ import annotations

import collections
import ctypes
import enum
import ipaddress
import logging
import os
from typing import Callable, Iterator, NamedTuple, Sequence

from . import _abi
from ._handle import Handle, until_of

_FLAG_DEGRADED = 0x04
_FLAG_REDELIVERED = 0x08
_log = logging.getLogger("weir")


class From(enum.IntEnum):
    """Where to begin, or to go to."""

    RESUME = 0
    LATEST = 1
    EARLIEST = 2
    SEQUENCE = 3
    TIME = 4


class EventKind(enum.IntEnum):
    """What an event tells."""

    JOINED = 0
    LOST = 1
    GAP = 2
    ERROR = 3


class Gone(enum.IntEnum):
    """Why sequences will not come."""

    LOST = 0
    LAPPED = 1
    EXPIRED = 2
    TOO_BIG = 3
    QUARANTINED = 4
    REMOVED = 5
    RESTART = 6
    CHECKSUM = 7
    SKIPPED = 8
    FAILOVER = 9


class TraceContext(NamedTuple):
    """Which trace a message belongs to, and the span that it comes from."""

    trace_id: bytes  # 16
    span_id: bytes  # 8
    flags: int = 1  # sampled


class Message(NamedTuple):
    """One datagram as a producer sent it, and its place in the stream."""

    stream: str
    data: bytes
    partition: int
    sequence: int  # in its partition
    epoch: int  # rises when the partition changes hands
    missed: int  # sequences lost, or past their deadline, just before this one
    ingest_ns: int  # when the gateway took it, nanoseconds since the Unix epoch
    time_left_us: int  # to its deadline, when it was taken; 0: it has none
    tos: int
    flags: int
    source: tuple[str, int] | None  # address and port, with want_source
    trace: TraceContext | None = None

    @property
    def is_redelivered(self) -> bool:
        """Another consumer may have had it before."""
        return bool(self.flags & _FLAG_REDELIVERED)

    @property
    def is_degraded(self) -> bool:
        """Sent in place of a dead gateway: nothing is repaired now."""
        return bool(self.flags & _FLAG_DEGRADED)


class Event(NamedTuple):
    """What happened to the session, or which sequences will not come."""

    kind: int  # EventKind, or one of a later library
    text: str  # LOST, ERROR: why; GAP: the reason's name
    code: int  # LOST, ERROR: the protocol's error code
    stream: str  # this and those below: GAP
    partition: int
    epoch: int
    first: int  # sequence
    count: int
    reason: int  # Gone, or one of a later library


def _trace_made(pointer: ctypes._Pointer[_abi.TraceContextData]) -> TraceContext | None:
    if not pointer:
        return None
    context = pointer.contents
    return TraceContext(bytes(context.trace_id), bytes(context.span_id), context.flags)


def consumer_log(event: Event) -> None:
    """What is done with events unless told otherwise: they go to the logger "weir"."""
    if event.kind == EventKind.GAP:
        _log.warning("missing: %s/%d sequences %d..%d (%s)", event.stream, event.partition,
                     event.first, event.first + event.count - 1, event.text)
    elif event.kind == EventKind.JOINED:
        _log.info("joined")
    else:
        _log.warning("%s: %s (code %d)",
                     "session lost" if event.kind == EventKind.LOST else "refused", event.text,
                     event.code)


class Consumer(Handle):
    """A member of a group. Iterate over it, for ever; or ask next() with a timeout.

    A message is done with when the next one is asked for, and at the end of a `with` block that
    is left without an exception: what was in hand when an exception left it comes again, to
    whoever gets its partition. With `manual` it is done with by consume() only.

    `on_event` is called, from within next() and process(), before any later message is taken.
    The other arguments are those of struct weir_consumer_options; zero is the default.
    """

    _kind = "consumer"
    _stats_type = _abi.ConsumerStats

    def __init__(
        self, gateway: str, group: str, *, name: str | None = None, streams: Sequence[str] = (),
        port: int = 0, window_messages: int = 0, window_bytes: int = 0, max_datagram: int = 0,
        receive_buffer: int = 0, key_file: str | os.PathLike[str] | None = None, key_id: int = 0,
        want_source: bool = False, pull: bool = False, manual: bool = False,
        unreliable: bool = False, start: From = From.RESUME, start_value: int = 0,
        on_event: Callable[[Event], None] = consumer_log,
    ) -> None:
        if isinstance(streams, str):
            raise TypeError("streams is a sequence of names, not one name")
        names = (ctypes.c_char_p * max(len(streams), 1))(*[_abi.encoded(s) for s in streams])
        # The library's own rule counts what is taken as done by close(), also after an exception.
        super().__init__(_abi.ConsumerOptions(
            gateway=_abi.encoded(gateway), group=_abi.encoded(group), name=_abi.encoded(name),
            streams=names, stream_count=len(streams), port=_abi.number(port, 16, "port"),
            window_messages=_abi.number(window_messages, 32, "window_messages"),
            window_bytes=_abi.number(window_bytes, 32, "window_bytes"),
            max_datagram=_abi.number(max_datagram, 16, "max_datagram"),
            receive_buffer=_abi.number(receive_buffer, 31, "receive_buffer"),
            key_file=_abi.encoded(key_file), key_id=_abi.number(key_id, 32, "key_id"),
            want_source=want_source, pull=pull, manual=True, unreliable=unreliable, start=start,
            start_value=_abi.number(start_value, 64, "start_value")))
        self._next_function = self._function("next")
        self._message = _abi.MessageData()
        self._message_at = ctypes.byref(self._message)
        self._is_manual = manual
        self._taken: collections.deque[int] = collections.deque()  # lengths
        self._streams: dict[bytes, str] = {}
        self._on_event = on_event

    def next(self, timeout: float | None = None) -> Message | None:
        """The next message; None when none has come after so many seconds (None: wait for ever).
        The one before is done with, unless `manual`."""
        if not self._is_manual:
            self.consume(len(self._taken))
        until = until_of(timeout)
        while True:
            self._process_if_due()
            if self._next_function(self._live(), self._message_at) == 1:
                return self._message_made()
            if not self._wait(until):
                return None

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        if self.is_closed:
            raise StopIteration
        message = self.next()
        assert message is not None
        return message

    def process(self) -> None:
        super().process()
        event = _abi.EventData()
        while not self.is_closed and self._function("next_event")(
                self._handle, ctypes.byref(event)) == 1:
            self._on_event(self._event_made(event))

    def consume(self, messages: int = 1) -> None:
        """Done with so many of the messages taken, the oldest first."""
        if messages > len(self._taken):
            raise ValueError(f"only {len(self._taken)} messages are in hand")
        if messages == 0:
            return
        size = sum(self._taken.popleft() for _ in range(messages))
        _abi.check(self._function("consume")(self._live(), messages, size), "consume")

    def grant(self, messages: int) -> None:
        """With `pull`: ask for so many messages more."""
        count = _abi.number(messages, 32, "messages")
        _abi.check(self._function("grant")(self._live(), count), "grant")

    def pause(self, paused: bool = True) -> None:
        """Stop all streams, or let them go on. What is on its way still comes."""
        _abi.check(self._function("pause")(self._live(), paused), "pause")

    def seek(self, start: From, value: int = 0, *, stream: str | None = None,
             partition: int | None = None) -> None:
        """Go to another place with the whole group, in all streams and partitions of this
        consumer or one of them. What is on its way still comes."""
        place = -1 if partition is None else _abi.number(partition, 16, "partition")
        _abi.check(self._function("seek")(self._live(), _abi.encoded(stream), place, start,
                                          _abi.number(value, 64, "value")), "seek")

    def close(self) -> None:
        """Leave the group at once. Messages in hand come again, to whoever gets their partitions;
        consume() them first."""
        self._finalizer()

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and not self._is_manual and not self.is_closed:
            self.consume(len(self._taken))
        self.close()

    def _name_of(self, stream: bytes | None) -> str:
        if stream is None:
            return ""
        name = self._streams.get(stream)
        if name is None:
            name = self._streams[stream] = stream.decode(errors="replace")
        return name

    def _message_made(self) -> Message:
        message = self._message
        length = message.length
        self._taken.append(length)
        source = None
        if message.source_family != 0:
            address = bytes(message.source)[: 4 if message.source_family == 4 else 16]
            source = (str(ipaddress.ip_address(address)), message.source_port)
        return Message(
            self._name_of(message.stream), ctypes.string_at(message.data, length),
            message.partition, message.sequence, message.epoch, message.missed,
            message.ingest_ns, message.time_left_us, message.tos, message.flags, source,
            _trace_made(message.trace))

    def _event_made(self, event: _abi.EventData) -> Event:
        text = event.text.decode(errors="replace")
        if event.kind == EventKind.GAP:
            text = self._library.weir_gone_name(event.reason).decode()
        return Event(event.kind, text, event.code, self._name_of(event.stream), event.partition,
                     event.epoch, event.first, event.count, event.reason)
