"""Errands: small jobs off the request path that may be lost at a stop — sending a code, looking up who asked for one.

What must survive a stop has a row of its own and is claimed with a lease instead. How many wait is bounded; each failure is
logged and harms no other. Whoever runs this awaits all of it: nothing is fire-and-forget.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from fairwire_protocol.errors import Unavailable

__all__ = ["Errands"]


class Errands:
    """`defer` takes a job; `run` does them, each in a task of its own, until it is cancelled."""

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._waiting: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._unfinished = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._log = structlog.get_logger("fairwire.errands")

    def defer(self, job: Callable[[], Awaitable[None]]) -> None:
        """Do it soon. Raises `Unavailable` when too many wait or are being done."""
        if self._unfinished >= self._most:
            raise Unavailable("busy")
        self._unfinished += 1
        self._idle.clear()
        self._waiting.put_nowait(job)

    @property
    def unfinished(self) -> int:
        """How many wait or are being done."""
        return self._unfinished

    async def run(self) -> None:
        """Do what is deferred; cancelling it cancels what is under way, and awaits it."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._do(await self._waiting.get()))

    async def idle(self) -> None:
        """Returns once nothing waits and nothing is under way; a draining server gives it a time-out."""
        await self._idle.wait()

    async def _do(self, job: Callable[[], Awaitable[None]]) -> None:
        try:
            await job()
        except Exception as error:  # whatever it is, the other errands go on; its text may name an address
            self._log.error("errand_failed", error=type(error).__name__)
        finally:
            self._unfinished -= 1
            if not self._unfinished:
                self._idle.set()
