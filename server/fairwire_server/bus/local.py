"""The bus where no Redis is: a single node has nobody to talk to, and a worker beside it talks through PostgreSQL."""

from __future__ import annotations

import asyncio
from uuid import UUID

from fairwire_server.bus.bus import Ears
from fairwire_server.bus.listening import Listening
from fairwire_server.clock import Clock
from fairwire_server.database.pool import Database

__all__ = ["HelperBus", "LocalBus"]


class LocalBus:
    """A `Bus` of one node, which is always connected to all the others: there are none."""

    def __init__(self, database: Database, clock: Clock, ears: Ears, node: UUID) -> None:
        self.connected = True
        self._listening = Listening(database, clock, ears, "alone", node)

    async def run(self, claimed: asyncio.Future[None]) -> None:
        """Claim the database and hear News until cancelled."""
        await self._listening.run(claimed)

    def tell(self, key: UUID, message: bytes, *, droppable: bool = False) -> None:
        """There is nobody else."""

    async def take(self, bucket: str, interval: float, burst: int) -> float | None:
        """What the doors count in memory is all there is."""
        return None


class HelperBus:
    """A `Bus` of a worker beside a node without Redis: whatever it commits, the node looks up."""

    def __init__(self, database: Database, clock: Clock, ears: Ears, node: UUID) -> None:
        self.connected = True
        self._listening = Listening(database, clock, ears, "none", node)

    async def run(self, claimed: asyncio.Future[None]) -> None:
        """Tell until cancelled; a helper claims nothing."""
        await self._listening.run(claimed)

    def tell(self, key: UUID, message: bytes, *, droppable: bool = False) -> None:
        """The node finds it in the database."""
        if not droppable:
            self._listening.look([key])

    async def take(self, bucket: str, interval: float, burst: int) -> float | None:
        """Nobody calls operations here."""
        return None
