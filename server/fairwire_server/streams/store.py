"""Rows of the account and fair logs."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries
from fairwire_server.streams.told import Draft

__all__ = ["EventColumns", "StreamStore", "new_epoch"]

EPOCHS = 2**53 - 1


def new_epoch() -> int:
    """A random epoch that every client can hold as a number."""
    return secrets.randbelow(EPOCHS) + 1


class EventColumns(NamedTuple):
    """Events at their reserved positions, as `append_events` takes them."""

    accounts: list[UUID]
    positions: list[int]
    types: list[str]
    conversations: list[UUID | None]
    seqs: list[int | None]
    bodies: list[bytes | None]

    @classmethod
    def of(cls, events: Sequence[tuple[int, Draft]]) -> EventColumns:
        """Of drafts and their positions."""
        return cls(
            [draft.account for _, draft in events],
            [pos for pos, _ in events],
            [draft.told.type for _, draft in events],
            [draft.conversation for _, draft in events],
            [draft.seq for _, draft in events],
            [draft.stored() for _, draft in events],
        )


class StreamStore:
    """Named queries over the logs."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__)

    async def create(self, connection: Connection, accounts: Sequence[UUID]) -> None:
        """Streams for new accounts."""
        await connection.execute(self._sql["create"], accounts, [new_epoch() for _ in accounts])

    async def reset(self, connection: Connection, accounts: Sequence[UUID]) -> None:
        """A new epoch for each account's stream."""
        await connection.execute(self._sql["reset"], accounts, [new_epoch() for _ in accounts])

    async def reset_everything(self, connection: Connection) -> None:
        """A new epoch for every stream there is."""
        await connection.execute(self._sql["reset_everything"])
        await connection.execute(self._sql["reset_every_fair"])

    async def reserve(self, connection: Connection, counts: Mapping[UUID, int]) -> dict[UUID, int]:
        """Lock the streams and take `counts` positions of each; answers the position before the first taken."""
        rows = await connection.fetch(self._sql["reserve"], list(counts), list(counts.values()))
        return {row["account_id"]: row["before"] for row in rows}

    async def append(self, connection: Connection, columns: EventColumns, at: datetime) -> None:
        """Write events at reserved positions."""
        await connection.execute(self._sql["append"], *columns, at)

    async def append_fair(self, connection: Connection, fair: UUID, body: bytes, at: datetime) -> int:
        """Write one event to a fair's stream; answers its position."""
        return int(await connection.fetchval(self._sql["append_fair"], fair, body, at))

    async def positions(self, connection: Connection, account: UUID, fair: UUID) -> asyncpg.Record | None:
        """epoch, pos, fair_epoch, fair_pos."""
        return await connection.fetchrow(self._sql["positions"], account, fair)

    async def settle(self, connection: Connection, keys: Sequence[UUID]) -> None:
        """Wait for whoever has something of these accounts and fairs locked, one statement and transaction each."""
        for name in ("settle_sessions", "settle_streams", "settle_fair_streams"):
            await connection.execute(self._sql[name], keys)

    async def standing(
        self, connection: Connection, accounts: Sequence[UUID], fairs: Sequence[UUID]
    ) -> list[asyncpg.Record]:
        """id, fair, epoch, pos of each of these streams."""
        return await connection.fetch(self._sql["standing"], accounts, fairs)

    async def resume(
        self, connection: Connection, account: UUID, fair: UUID, after: int, fair_after: int, limit: int
    ) -> asyncpg.Record | None:
        """The heads, at most `limit` account events after `after`, and the fair's after `fair_after`."""
        return await connection.fetchrow(self._sql["resume"], account, fair, after, fair_after, limit)

    async def arrive(self, connection: Connection, sessions: Sequence[UUID]) -> list[asyncpg.Record]:
        """The accounts behind these sessions by their place in them, from 1 on, and the heads."""
        return await connection.fetch(self._sql["arrive"], sessions)

    async def arrive_resuming(
        self,
        connection: Connection,
        sessions: Sequence[UUID],
        after: Sequence[int],
        fair_after: Sequence[int],
        limit: int,
    ) -> list[asyncpg.Record]:
        """As `arrive`, with each account's events after its `after`, at most `limit`, and the fair's."""
        return await connection.fetch(self._sql["arrive_resuming"], sessions, after, fair_after, limit)

    async def prune(self, connection: Connection, before: datetime) -> None:
        """Drop what is older than the replay window."""
        await connection.execute(self._sql["prune"], before)
        await connection.execute(self._sql["prune_fair"], before)

    async def follow_lineage(self, connection: Connection) -> bool:
        """Whether the database is another one than the streams were written on; then every epoch is new (W6)."""
        row = await connection.fetchrow(self._sql["lineage"])
        assert row is not None
        now = (row["system_identifier"], row["timeline"])
        known = (row["known_identifier"], row["known_timeline"])
        if now == known:
            return False
        await connection.execute(self._sql["keep_lineage"], *now)
        if known == (None, None):
            return False
        await self.reset_everything(connection)
        return True
