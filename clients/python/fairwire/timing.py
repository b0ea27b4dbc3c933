"""Time and chance, passed in: what waits in the SDK asks this object, so that tests jump instead of sleeping (W14)."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

__all__ = ["BACKOFF_MAX", "BACKOFF_MIN", "BACKOFF_RESET", "Backoff", "Timing", "new_cid"]

BACKOFF_MIN: Final = 0.5
BACKOFF_MAX: Final = 30.0
BACKOFF_RESET: Final = 60.0


@dataclass(frozen=True, slots=True)
class Timing:
    """The clocks, the wait and the dice of one client."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random


class Backoff:
    """Full jitter: each delay is a random part of a bound that doubles from 0.5 s to 30 s, and starts again after a
    connection that lived for 60 s (W14). Full, because clients cut together must not come back together."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._failures = 0
        self._since: float | None = None

    def connected(self, now: float) -> None:
        """A connection went live."""
        self._since = now

    def delay(self, now: float) -> float:
        """How long to wait after a connection that failed or ended just now."""
        if self._since is not None and now - self._since >= BACKOFF_RESET:
            self._failures = 0
        self._since = None
        bound = min(BACKOFF_MAX, BACKOFF_MIN * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return bound * self._chance()


def new_cid(wall: Callable[[], float] = time.time) -> UUID:
    """A UUIDv7 (RFC 9562 §5.7): commands of one client then lie together in the server's index."""
    value = (int(wall() * 1000) & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    return UUID(int=value & ~(0x3 << 62) | 2 << 62)
