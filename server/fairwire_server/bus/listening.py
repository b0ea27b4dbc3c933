"""News through PostgreSQL: one connection holds the advisory lock that says who may run beside whom, and listens.

A node without Redis holds the lock alone; nodes with Redis share it. When the connection is lost it is taken again, and the hub is
told to compare everything: a notification may have been missed meanwhile.

The other direction is for what the bus could not deliver: `look` names the accounts and fairs concerned, and every node that has
some of them here reads where they stand (W4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
import structlog

from fairwire_protocol.errors import FairwireError, Unavailable
from fairwire_server.bus.bus import AnotherNodeError, Ears, News
from fairwire_server.bus.notify import CHANNEL, IDS, notify
from fairwire_server.clock import Clock
from fairwire_server.database.pool import Connection, Database
from fairwire_server.database.queries import load_queries

__all__ = ["Claim", "Listening"]

Claim = Literal["alone", "shared", "none"]
"""How this process stands on the database; a helper claims nothing."""
RETRY_S: Final = 1.0
CHECK_S: Final = 5.0
CLAIM_S: Final = 0.05
CLAIMS: Final = 20
"""Whoever had the database before may let go of it within a second: PostgreSQL notices the end of a killed server a moment later."""
GATHER_S: Final = 0.1
LOOK_MAX: Final = 20_000
"""Ids remembered while they cannot be told; beyond that everything is to be looked at."""
REFUSAL: Final[dict[Claim, str]] = {
    "alone": "Another server already runs on this database; without Redis there can be only one.",
    "shared": "A server without Redis runs on this database; several can run only when all of them use the same Redis.",
}


class Listening:
    """Claims the database for this node, hears News, and tells `look`."""

    def __init__(self, database: Database, clock: Clock, ears: Ears, claim: Claim, node: UUID) -> None:
        self._database = database
        self._clock = clock
        self._ears = ears
        self._kind: Claim = claim
        self._node = node
        self._sql = load_queries(__package__)
        self._log = structlog.get_logger("bus")
        self._heard_before = False
        self._looks: set[UUID] = set()
        self._wake = asyncio.Event()

    async def run(self, claimed: asyncio.Future[None]) -> None:
        """Listen and tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell())
            await self._listen(claimed)

    def look(self, keys: Iterable[UUID]) -> None:
        """Every other node should compare what it has of these accounts and fairs with the database; soon."""
        self._looks.update(keys)
        self._wake.set()

    async def _listen(self, claimed: asyncio.Future[None]) -> None:
        while True:
            try:
                async with self._database.dedicated() as connection:
                    await self._claim(connection)
                    await connection.add_listener(CHANNEL, self._notified)
                    if self._heard_before:
                        self._ears.missed()
                    self._heard_before = True
                    if not claimed.done():
                        claimed.set_result(None)
                    while not connection.is_closed():
                        await self._clock.sleep(CHECK_S)
                        await connection.execute(self._sql["alive"])
            except AnotherNodeError as error:
                if claimed.done():
                    raise
                claimed.set_exception(error)
                await asyncio.Event().wait()  # whoever waited for the claim ends this
            except (Unavailable, OSError, TimeoutError) as error:
                self._log.warning("bus connection lost", error=type(error).__name__)
            await self._clock.sleep(RETRY_S)

    async def _claim(self, connection: Connection) -> None:
        if self._kind == "none":
            return
        for _ in range(CLAIMS):
            if await connection.fetchval(self._sql[f"claim_{self._kind}"]):
                return
            await asyncio.sleep(CLAIM_S)  # real time: what is waited for is another process
        raise AnotherNodeError(REFUSAL[self._kind])

    def _notified(self, _: Any, __: int, ___: str, payload: object) -> None:
        try:
            news = msgspec.json.decode(str(payload), type=News)
        except msgspec.DecodeError:
            self._log.warning("unreadable notification")
            return
        if news.by != self._node:
            self._ears.news(news)

    async def _tell(self) -> None:
        """Gathered, so that a node that is cut off costs PostgreSQL a few notifications a second and not one for each event."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER_S)  # real time: what is waited for is other processes
            looks, self._looks = self._looks, set()
            self._wake.clear()
            try:
                await self._notify(looks)
            except (FairwireError, OSError, TimeoutError):
                self.look(looks)
                await asyncio.sleep(RETRY_S)

    async def _notify(self, looks: set[UUID]) -> None:
        ids = [str(key) for key in looks]
        async with self._database.reader() as connection:
            if len(ids) > LOOK_MAX:
                await notify(connection, {"look": "all", "by": str(self._node)})
                return
            for start in range(0, len(ids), IDS - 2):
                await notify(connection, {"look": ids[start : start + IDS - 2], "by": str(self._node)})
