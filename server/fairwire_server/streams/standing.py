"""Where streams stand, for whoever may have missed something (W4): a read, in one statement however many there are."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from fairwire_server.database.work import Works
from fairwire_server.streams.store import StreamStore

__all__ = ["Standing", "Standings"]


class Standing(NamedTuple):
    """A stream's epoch and newest position."""

    stream: UUID
    fair: bool
    epoch: int
    pos: int


class Standings:
    """Reads where streams stand."""

    def __init__(self, works: Works, store: StreamStore) -> None:
        self._works = works
        self._store = store

    async def read(self, accounts: Collection[UUID], fairs: Collection[UUID]) -> list[Standing]:
        """Those of the accounts' and the fairs' streams that there are."""
        async with self._works.read() as work:
            rows = await self._store.standing(work.connection, list(accounts), list(fairs))
        return [Standing(row["id"], row["fair"], row["epoch"], row["pos"]) for row in rows]

    async def settle(self, keys: Collection[UUID]) -> None:
        """Return when nobody has these accounts' sessions and streams, or these fairs' streams, locked any more: whatever had not been
        answered is then committed, or never will be. Raises `Unavailable` while that takes too long."""
        async with self._works.read() as work:
            await self._store.settle(work.connection, list(keys))
