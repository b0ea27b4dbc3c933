"""The bus of a single node: in process, with PostgreSQL NOTIFY for what helper processes have done (architecture: State).

One connection holds an advisory lock, so that a second node without Redis refuses to start, and listens. When it is lost it is
taken again, and the hub is told to look at every stream: a notification may have been missed meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from fairwire_protocol.errors import Unavailable
from fairwire_server.bus.notify import CHANNEL
from fairwire_server.clock import Clock
from fairwire_server.database.pool import Connection, Database
from fairwire_server.database.queries import load_queries

__all__ = ["AnotherNodeError", "LocalBus", "News"]

RETRY_S: Final = 1.0
CHECK_S: Final = 5.0


class AnotherNodeError(Exception):
    """Another `serve` already runs on this database, and without Redis there can be only one."""


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What a helper process has done: new epochs, new events, sockets to close."""

    reset: tuple[UUID, ...] | str = ()
    wake: tuple[UUID, ...] = ()
    wake_fairs: tuple[UUID, ...] = ()
    close: tuple[UUID, ...] = ()


class LocalBus:
    """Hears what helper processes announce. `heard` gets each News, `missed` is called when some may have been lost."""

    def __init__(
        self, database: Database, clock: Clock, heard: Callable[[News], None], missed: Callable[[], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._heard = heard
        self._missed = missed
        self._sql = load_queries(__package__)
        self._log = structlog.get_logger("bus")
        self._ready = asyncio.Event()

    async def run(self, claimed: asyncio.Future[None]) -> None:
        """Listen until cancelled. `claimed` is done once the lock is held, or failed with `AnotherNodeError`."""
        while True:
            try:
                async with self._database.dedicated() as connection:
                    await self._claim(connection, claimed)
                    await connection.add_listener(CHANNEL, self._notified)
                    if self._ready.is_set():
                        self._missed()
                    self._ready.set()
                    while not connection.is_closed():
                        await self._clock.sleep(CHECK_S)
                        await connection.execute(self._sql["alive"])
            except AnotherNodeError as error:
                if claimed.done():
                    raise
                claimed.set_exception(error)
                return
            except (Unavailable, OSError, TimeoutError) as error:
                self._log.warning("bus connection lost", error=type(error).__name__)
            await self._clock.sleep(RETRY_S)

    async def _claim(self, connection: Connection, claimed: asyncio.Future[None]) -> None:
        if not await connection.fetchval(self._sql["claim"]):
            raise AnotherNodeError("Another server already runs on this database; without Redis there can be only one.")
        if not claimed.done():
            claimed.set_result(None)

    def _notified(self, _: Any, __: int, ___: str, payload: object) -> None:
        try:
            self._heard(msgspec.json.decode(str(payload), type=News))
        except msgspec.DecodeError:
            self._log.warning("unreadable notification")
