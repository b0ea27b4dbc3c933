"""Hints that something is due: to the lanes of this process, and to workers elsewhere by NOTIFY. At most ten a second of each, the first
at once: what is planned in a rush is claimed together.

A hint may be lost: lanes look by themselves now and then. A notification makes a commit wait for others that notify, so it is sent
beside the transactions that plan.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from fairwire_protocol.errors import FairwireError
from fairwire_server.clock import Clock
from fairwire_server.database.pool import Database
from fairwire_server.database.queries import load_queries

__all__ = ["Hints"]

CHANNEL: Final = "fairwire_due"
GATHER_S: Final = 0.1
RETRY_S: Final = 1.0
CHECK_S: Final = 5.0


class Hints:
    """Called after commit; `heard` is told. `tells`: also to other processes, where another one does what falls due."""

    def __init__(self, database: Database, clock: Clock, *, tells: bool) -> None:
        self._database = database
        self._clock = clock
        self._tells = tells
        self._due = asyncio.Event()
        self._sql = load_queries(__package__)
        self._log = structlog.get_logger("fairwire.notices")
        self._later: asyncio.TimerHandle | None = None
        self._next_at = 0.0
        self.heard: Callable[[], None] = lambda: None

    def __call__(self) -> None:
        """Something is due now."""
        loop = asyncio.get_running_loop()
        if self._later is None:
            self._later = loop.call_at(max(loop.time(), self._next_at), self._hear)
        if self._tells:
            self._due.set()

    def _hear(self) -> None:
        self._later, self._next_at = None, asyncio.get_running_loop().time() + GATHER_S
        self.heard()

    async def tell(self) -> None:
        """Pass hints on to other processes until cancelled."""
        while True:
            await self._due.wait()
            await asyncio.sleep(GATHER_S)  # real time: what is waited for is other commits
            self._due.clear()
            try:
                async with self._database.reader() as connection:
                    await connection.execute(self._sql["hint"], CHANNEL)
            except (FairwireError, OSError, TimeoutError) as error:
                self._log.info("hint lost", error=type(error).__name__)

    async def listen(self) -> None:
        """Hear other processes' hints until cancelled."""
        while True:
            try:
                async with self._database.dedicated() as connection:
                    await connection.add_listener(CHANNEL, lambda *_: self.heard())
                    self.heard()
                    while not connection.is_closed():
                        await self._clock.sleep(CHECK_S)
                        await connection.execute(self._sql["listening"])
            except (FairwireError, OSError, TimeoutError) as error:
                self._log.warning("hints not heard", error=type(error).__name__)
            await self._clock.sleep(RETRY_S)
