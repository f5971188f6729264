# SPDX-License-Identifier: BSD-3-Clause
"""Producers: messages into a stream, each kept until the gateway has it."""

from __future__ import annotations

import ctypes
import enum
import os
from typing import Any

from . import _abi
from ._handle import Handle, until_of
from .consumer import TraceContext
from .errors import Held, NotAcknowledged


class Tier(enum.IntEnum):
    """How important a message is: what is shed first when the gateway is overloaded."""

    DEFAULT = 0
    CRITICAL = 1
    STANDARD = 2
    BULK = 3


class HeldBy(enum.IntEnum):
    """Why a message was not taken."""

    NOTHING = 0
    RATE = 1
    WINDOW = 2
    RING_FULL = 3
    NO_OWNER = 4
    SHED = 5
    CLOSED = 6
    OTHER = 255  # a reason of a later library


def _reason(value: int) -> HeldBy:
    return HeldBy(value) if value in HeldBy._value2member_map_ else HeldBy.OTHER


class Producer(Handle):
    """Produces into one stream.

    At the end of a `with` block that is left without an exception it waits `close_timeout`
    seconds for what is not acknowledged yet. The other arguments are those of struct
    weir_producer_options; zero is the default.
    """

    _kind = "producer"
    _stats_type = _abi.ProducerStats

    def __init__(
        self, gateway: str, stream: str, *, name: str | None = None, port: int = 0,
        key_file: str | os.PathLike[str] | None = None, key_id: int = 0,
        window_messages: int = 0, window_bytes: int = 0, max_datagram: int = 0,
        tier: Tier = Tier.DEFAULT, close_timeout: float | None = 10,
    ) -> None:
        super().__init__(_abi.ProducerOptions(
            gateway=_abi.encoded(gateway), stream=_abi.encoded(stream), name=_abi.encoded(name),
            key_file=_abi.encoded(key_file), key_id=_abi.number(key_id, 32, "key_id"),
            window_messages=_abi.number(window_messages, 32, "window_messages"),
            window_bytes=_abi.number(window_bytes, 32, "window_bytes"),
            port=_abi.number(port, 16, "port"),
            max_datagram=_abi.number(max_datagram, 16, "max_datagram"), tier=tier))
        self._send_function = self._function("send")
        self._close_timeout = close_timeout
        self._has_trace = False  # of the next message, set and perhaps not taken

    def try_send(self, data: bytes, key: bytes = b"", *, tier: Tier = Tier.DEFAULT,
                 deadline_ms: int = 0, trace: TraceContext | None = None) -> HeldBy:
        """Take a message, or say what holds it back; does not wait. What was taken leaves with
        flush() or process(), or when a datagram is full."""
        _abi.number(len(data), 16, "length of data")
        _abi.number(len(key), 8, "length of key")
        _abi.number(deadline_ms, 32, "deadline_ms")
        self._set_trace(trace)
        held_by = ctypes.c_int()
        result = _abi.check(
            self._send_function(self._live(), key, len(key), tier, deadline_ms, data, len(data),
                                ctypes.byref(held_by)), "send")
        return HeldBy.NOTHING if result == _abi.SENT else _reason(held_by.value)

    def send(self, data: bytes, key: bytes = b"", *, tier: Tier = Tier.DEFAULT,
             deadline_ms: int = 0, timeout: float | None = None, more: bool = False,
             trace: TraceContext | None = None) -> None:
        """Send a message, waiting until it is taken; Held is raised after so many seconds.
        Messages of one key stay in order; without a key it is the stream's own. With `more`
        another one follows at once, and may share the datagram."""
        until = until_of(timeout)
        while True:
            self._process_if_due()
            reason = self.try_send(data, key, tier=tier, deadline_ms=deadline_ms, trace=trace)
            if reason == HeldBy.NOTHING:
                break
            self._push()
            if not self._wait(until):
                raise Held(reason)
        if not more:
            self._push()

    def flush(self, timeout: float | None = None) -> None:
        """Send what was taken and wait until all of it is acknowledged, or past its deadline;
        NotAcknowledged is raised after so many seconds."""
        until = until_of(timeout)
        self._push()
        while (count := self.outstanding) > 0:
            if not self._wait(until):
                raise NotAcknowledged(count)
            self.process()

    @property
    def outstanding(self) -> int:
        """Messages taken, and neither acknowledged nor given up."""
        return int(self.stats()["outstanding"])

    def stats(self) -> dict[str, Any]:
        """The counters, by their names in weir.h; `held` by reason."""
        stats = _abi.ProducerStats()
        self._function("stats")(self._live(), ctypes.byref(stats))
        held = {reason: stats.held[reason] for reason in HeldBy if reason < len(stats.held)}
        return {**super().stats(), "held": held}

    def close(self) -> None:
        """End at once; what is not acknowledged may be lost. flush() first."""
        self._finalizer()

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None and not self.is_closed:
                self.flush(self._close_timeout)
        finally:
            self.close()

    def _set_trace(self, trace: TraceContext | None) -> None:
        context = None
        if trace is not None:
            if len(trace.trace_id) != 16 or len(trace.span_id) != 8:
                raise ValueError("a trace context of other lengths than 16 and 8")
            context = ctypes.byref(_abi.TraceContextData(
                (ctypes.c_uint8 * 16)(*trace.trace_id), (ctypes.c_uint8 * 8)(*trace.span_id),
                _abi.number(trace.flags, 8, "flags of a trace context")))
        elif not self._has_trace:
            return
        _abi.check(self._function("set_trace")(self._live(), context), "set_trace")
        self._has_trace = trace is not None

    def _push(self) -> None:
        _abi.check(self._function("flush")(self._live()), "flush")
