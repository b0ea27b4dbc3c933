"""Rows of accounts, sessions and command results."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries

__all__ = ["AccountStore"]


class AccountStore:
    """Named queries over the tables of this capability."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__)

    async def caller(self, connection: Connection, session: UUID) -> asyncpg.Record | None:
        """The account behind a session, or None."""
        return await connection.fetchrow(self._sql["caller"], session)

    async def claim_command(
        self, connection: Connection, account: UUID, cid: UUID, operation: str, fingerprint: bytes, now: datetime
    ) -> bool:
        """Whether the cid is new and now ours."""
        return bool(await connection.fetchval(self._sql["claim_command"], account, cid, operation, fingerprint, now))

    async def command_result(self, connection: Connection, account: UUID, cid: UUID) -> asyncpg.Record | None:
        """operation, fingerprint and reply of an earlier command."""
        return await connection.fetchrow(self._sql["command_result"], account, cid)

    async def keep_result(self, connection: Connection, account: UUID, cid: UUID, reply: bytes) -> None:
        """Keep what the command answered."""
        await connection.execute(self._sql["keep_result"], account, cid, reply)

    async def forget_results(self, connection: Connection, before: datetime) -> None:
        """Drop results older than `before`."""
        await connection.execute(self._sql["forget_results"], before)
