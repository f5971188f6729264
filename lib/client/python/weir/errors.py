# SPDX-License-Identifier: BSD-3-Clause
"""What can go wrong, as exceptions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .producer import HeldBy


class WeirError(Exception):
    """All exceptions of this module."""


class LibraryMissing(WeirError):
    """libweir.so.0 is not there, or is not one that this module can use."""


class CallFailed(WeirError, OSError):
    """A function of the library failed; `errno` as in weir.h."""

    def __init__(self, code: int, what: str) -> None:
        super().__init__(code, f"{what}: {os.strerror(code)}")


class Held(WeirError):
    """A message was not taken within its time; `reason` says what held it back."""

    def __init__(self, reason: HeldBy) -> None:
        super().__init__(f"held back: {reason.name.lower()}")
        self.reason = reason


class NotAcknowledged(WeirError):
    """Messages that were taken may not be in the gateway; `count` of them."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} messages not acknowledged")
        self.count = count
