"""Passwords: argon2id in a few threads of its own, so that sign-ins neither stall the loop nor pile up (A9).

A hash costs 19 MiB and some 30 ms. What waits for a thread is bounded: beyond that a sign-in is told to come back, because
a queue of sign-ins nobody waits for any more would keep honest ones out. An account that does not exist, or that has no
password yet, costs the same as a wrong password.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from fairwire_protocol.errors import Unavailable

__all__ = ["Cost", "Passwords"]

Result = TypeVar("Result")
RETRY_MS = 1000


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash costs: OWASP's second profile of argon2id."""

    memory_kib: int = 19 * 1024
    passes: int = 2
    lanes: int = 1


class Passwords:
    """Hashes and verifies; `Unavailable` when `waiting` are queued already. Close it after its last caller."""

    def __init__(self, *, threads: int = 2, waiting: int = 64, cost: Cost | None = None) -> None:
        cost = cost or Cost()
        self._hasher = PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes, type=Type.ID
        )
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._room = threads + waiting
        self._pending = 0
        self._nobodys = self._hasher.hash("nobody signs in with this")

    async def hash(self, password: str) -> str:
        """The encoded hash to store."""
        return await self._run(lambda: self._hasher.hash(_prepared(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether `password` is the one of `stored`. None, nobody's hash, takes as long and is never right."""
        matches = await self._run(lambda: self._matches(stored or self._nobodys, password))
        return matches and stored is not None

    def close(self) -> None:
        """Let hashes in work finish, and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, _prepared(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._pending >= self._room:
            raise Unavailable("busy", "Too many sign-ins at once.", retry_after_ms=RETRY_MS)
        self._pending += 1
        loop = asyncio.get_running_loop()
        future = self._pool.submit(work)
        # Counted until the thread is done with it, not until its caller stopped waiting.
        future.add_done_callback(lambda _: self._finish(loop))
        return await asyncio.wrap_future(future)

    def _finish(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile, and the count with it
            loop.call_soon_threadsafe(self._finished)

    def _finished(self) -> None:
        self._pending -= 1


def _prepared(password: str) -> str:
    """One spelling of what was typed, whatever keyboard it came from (RFC 8265 §4.2: NFC)."""
    return unicodedata.normalize("NFC", password)
