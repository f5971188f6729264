# SPDX-License-Identifier: BSD-3-Clause
"""weir.h in ctypes: the same structures field by field, the same functions. A test compares the
layouts with those of the C compiler."""

from __future__ import annotations

import ctypes
import functools
import os
from ctypes import (
    POINTER, Structure, c_bool, c_char, c_char_p, c_int, c_uint8, c_uint16, c_uint32, c_uint64,
    c_void_p,
)
from typing import Any

from .errors import CallFailed, LibraryMissing

SONAME = "libweir.so.0"
SENT = 1
HELD_BY_MAX = 16


def _fields(kind: Any, names: str) -> list[tuple[str, Any]]:
    return [(name, kind) for name in names.split()]


class ConsumerOptions(Structure):
    """struct weir_consumer_options"""

    _fields_ = [
        *_fields(c_char_p, "gateway group name"),
        ("streams", POINTER(c_char_p)),
        *_fields(c_uint32, "stream_count window_messages window_bytes"),
        *_fields(c_uint16, "port max_datagram"),
        ("receive_buffer", c_int),
        ("key_file", c_char_p),
        ("key_id", c_uint32),
        *_fields(c_bool, "want_source pull manual unreliable"),
        ("start", c_int),
        ("start_value", c_uint64),
        ("reserved", c_uint64 * 8),
    ]


class TraceContextData(Structure):
    """struct weir_trace_context"""

    _fields_ = [
        ("trace_id", c_uint8 * 16),
        ("span_id", c_uint8 * 8),
        ("flags", c_uint8),
        ("reserved", c_uint8 * 7),
    ]


class MessageData(Structure):
    """struct weir_message"""

    _fields_ = [
        ("stream", c_char_p),
        ("data", c_void_p),
        *_fields(c_uint16, "length stream_id partition source_port"),
        ("epoch", c_uint32),
        ("source_family", c_uint8),
        ("source", c_uint8 * 16),
        *_fields(c_uint8, "flags tos"),
        ("time_left_us", c_uint32),
        *_fields(c_uint64, "sequence missed ingest_ns"),
        ("trace", POINTER(TraceContextData)),
        ("reserved", c_uint64 * 1),
    ]


class EventData(Structure):
    """struct weir_event"""

    _fields_ = [
        ("kind", c_int),
        *_fields(c_uint16, "code reason partition"),
        ("epoch", c_uint32),
        ("stream", c_char_p),
        *_fields(c_uint64, "first count"),
        ("text", c_char * 97),
        ("reserved", c_uint64 * 4),
    ]


class ConsumerStats(Structure):
    """struct weir_consumer_stats"""

    _fields_ = [
        ("state", c_int),
        *_fields(c_uint64, """
            session sessions datagrams malformed foreign unauthentic messages bytes taken expired
            lost_messages lost_bytes gaps gap_sequences duplicates stale overruns repaired
            reordered unkept acks_sent nacks_sent events_lost credits_sent send_errors
            session_position session_limit missing_messages"""),
        *_fields(c_uint32, "held_messages held_bytes rtt_us reorder_us"),
        ("is_reliable", c_bool),
        ("reserved", c_uint64 * 16),
    ]


class ProducerOptions(Structure):
    """struct weir_producer_options"""

    _fields_ = [
        *_fields(c_char_p, "gateway stream name key_file"),
        *_fields(c_uint32, "key_id window_messages window_bytes"),
        *_fields(c_uint16, "port max_datagram"),
        ("tier", c_int),
        ("reserved", c_uint64 * 8),
    ]


class ProducerStats(Structure):
    """struct weir_producer_stats"""

    _fields_ = [
        ("state", c_int),
        *_fields(c_uint64, """
            session sessions taken taken_bytes acknowledged refused expired too_big datagrams
            resent probes"""),
        ("held", c_uint64 * HELD_BY_MAX),
        *_fields(c_uint64, "malformed foreign unauthentic send_errors outstanding allowed"),
        ("rtt_us", c_uint32),
        ("code", c_uint16),
        ("reserved", c_uint64 * 16),
    ]


_HANDLE = c_void_p
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "weir_version": (c_char_p, []),
    "weir_gone_name": (c_char_p, [c_uint16]),
    "weir_held_by_name": (c_char_p, [c_int]),
    "weir_consumer_open": (c_int, [POINTER(ConsumerOptions), POINTER(_HANDLE)]),
    "weir_consumer_fd": (c_int, [_HANDLE]),
    "weir_consumer_timeout_ms": (c_int, [_HANDLE]),
    "weir_consumer_process": (c_int, [_HANDLE]),
    "weir_consumer_next": (c_int, [_HANDLE, POINTER(MessageData)]),
    "weir_consumer_next_event": (c_int, [_HANDLE, POINTER(EventData)]),
    "weir_consumer_consume": (c_int, [_HANDLE, c_uint32, c_uint32]),
    "weir_consumer_grant": (c_int, [_HANDLE, c_uint32]),
    "weir_consumer_pause": (c_int, [_HANDLE, c_bool]),
    "weir_consumer_seek": (c_int, [_HANDLE, c_char_p, c_int, c_int, c_uint64]),
    "weir_consumer_stats": (None, [_HANDLE, POINTER(ConsumerStats)]),
    "weir_consumer_close": (None, [_HANDLE]),
    "weir_producer_open": (c_int, [POINTER(ProducerOptions), POINTER(_HANDLE)]),
    "weir_producer_fd": (c_int, [_HANDLE]),
    "weir_producer_timeout_ms": (c_int, [_HANDLE]),
    "weir_producer_process": (c_int, [_HANDLE]),
    "weir_producer_send": (c_int, [_HANDLE, c_char_p, c_uint8, c_int, c_uint32, c_char_p,
                                   c_uint16, POINTER(c_int)]),
    "weir_producer_set_trace": (c_int, [_HANDLE, POINTER(TraceContextData)]),
    "weir_producer_flush": (c_int, [_HANDLE]),
    "weir_producer_stats": (None, [_HANDLE, POINTER(ProducerStats)]),
    "weir_producer_close": (None, [_HANDLE]),
}


@functools.lru_cache(maxsize=None)
def library() -> ctypes.CDLL:
    """The library, loaded when it is first asked for."""
    name = os.environ.get("WEIR_LIBRARY", SONAME)
    try:
        loaded = ctypes.CDLL(name)
        for function, (result, arguments) in _FUNCTIONS.items():
            getattr(loaded, function).restype = result
            getattr(loaded, function).argtypes = arguments
    except (OSError, AttributeError) as error:
        raise LibraryMissing(f"{name}: {error}") from error
    return loaded


def library_version() -> str:
    """Version of the library in use."""
    return library().weir_version().decode()


def check(result: int, what: str) -> int:
    """The result of a function of the library, or its error raised."""
    if result < 0:
        raise CallFailed(-result, what)
    return result


def encoded(text: str | os.PathLike[str] | None) -> bytes | None:
    """A string for the library; what has a zero byte in it would be cut."""
    if text is None:
        return None
    result = os.fsencode(text)
    if b"\0" in result:
        raise ValueError("a string with a zero byte")
    return result


def as_dict(stats: Structure) -> dict[str, Any]:
    """The fields of counters that are numbers."""
    return {name: getattr(stats, name) for name, kind, *_ in stats._fields_
            if not issubclass(kind, ctypes.Array)}


def number(value: int, bits: int, name: str) -> int:
    """ctypes cuts what does not fit; this says so."""
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{name}: {value} is not of {bits} bits")
    return value
