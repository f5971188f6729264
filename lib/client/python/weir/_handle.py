# SPDX-License-Identifier: BSD-3-Clause
"""What consumers and producers have in common: a handle of the library, and when it wants to be
called."""

from __future__ import annotations

import ctypes
import enum
import math
import select
import time
import weakref
from typing import Any

from . import _abi

# Messages taken or sent between two looks at the socket.
BURST = 64

# Seconds; poll() takes no more than an int of milliseconds.
LONGEST = 86400.0


class State(enum.IntEnum):
    """Of a session."""

    CONNECTING = 0
    JOINED = 1
    CLOSED = 2


class Handle:
    """A consumer or producer of the library, and the clock that it is called by."""

    _kind: str
    _stats_type: type[ctypes.Structure]

    def __init__(self, options: ctypes.Structure) -> None:
        self._library = _abi.library()
        handle = ctypes.c_void_p()
        _abi.check(self._function("open")(ctypes.byref(options), ctypes.byref(handle)), "open")
        self._handle = handle
        # Also when it is forgotten, or the interpreter ends.
        self._finalizer = weakref.finalize(self, self._function("close"), handle)
        self._process_function = self._function("process")
        self._timeout_function = self._function("timeout_ms")
        self._poll = select.poll()
        self._poll.register(self.fileno(), select.POLLIN)
        self._left = 0
        self._due = 0.0

    def _function(self, name: str) -> Any:
        return getattr(self._library, f"weir_{self._kind}_{name}")

    def _live(self) -> ctypes.c_void_p:
        if self.is_closed:
            raise ValueError(f"the {self._kind} is closed")
        return self._handle

    @property
    def is_closed(self) -> bool:
        """close() was called."""
        return not self._finalizer.alive

    def fileno(self) -> int:
        """The descriptor to wait for input at, in an event loop of one's own."""
        return int(self._function("fd")(self._live()))

    def timeout(self) -> float | None:
        """Seconds until process() must be called even without input; None: never."""
        milliseconds = self._timeout_function(self._live())
        return None if milliseconds < 0 else milliseconds / 1000

    def process(self) -> None:
        """Read what has arrived, and send what is due. Call it also during long work between
        messages, several times within the gateway's `native.liveness_ms` (1 s by default), or
        the session is taken for dead; it is then opened again."""
        _abi.check(self._process_function(self._live()), "process")
        self._left = BURST
        timeout = self.timeout()
        self._due = math.inf if timeout is None else time.monotonic() + timeout

    def stats(self) -> dict[str, Any]:
        """The counters, by their names in weir.h."""
        stats = self._stats_type()
        self._function("stats")(self._live(), ctypes.byref(stats))
        result = _abi.as_dict(stats)
        result["state"] = State(result["state"])
        return result

    def _process_if_due(self) -> None:
        if self._left == 0 or time.monotonic() >= self._due:
            self.process()
        self._left -= 1

    def _wait(self, until: float) -> bool:
        """Until there is input or something is due; False when `until` has passed before."""
        now = time.monotonic()
        if now >= until:
            return False
        timeout = self.timeout()
        wait = min(until - now, LONGEST if timeout is None else timeout, LONGEST)
        self._poll.poll(math.ceil(wait * 1000))
        self._left = 0
        return True


def until_of(timeout: float | None) -> float:
    """The time.monotonic() at which a timeout ends."""
    return math.inf if timeout is None else time.monotonic() + timeout
