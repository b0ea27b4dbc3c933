"""Rows of sessions and refresh tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fairwire_protocol.models import AccountState
from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries

__all__ = ["LiveSession", "RefreshRow", "SessionStore"]


@dataclass(frozen=True, slots=True)
class RefreshRow:
    """A refresh token with the session and account it belongs to."""

    session_id: UUID
    generation: int
    rotated_at: datetime | None
    account_id: UUID
    expires_at: datetime
    revoked_at: datetime | None
    fair_id: UUID
    state: AccountState


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A signed-in device."""

    id: UUID
    device_id: str
    device_name: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime


class SessionStore:
    """Named queries over `session` and `refresh_token`."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__, "sessions.sql")

    async def insert(
        self,
        connection: Connection,
        session: UUID,
        account: UUID,
        device: str,
        name: str,
        now: datetime,
        until: datetime,
    ) -> None:
        """A new session."""
        await connection.execute(self._sql["insert_session"], session, account, device, name, now, until)

    async def insert_refresh(
        self, connection: Connection, digest: bytes, session: UUID, generation: int, now: datetime
    ) -> None:
        """A new refresh token of the session."""
        await connection.execute(self._sql["insert_refresh"], digest, session, generation, now)

    async def lock_refresh(self, connection: Connection, digest: bytes) -> RefreshRow | None:
        """The token of that digest, locked with its session."""
        row = await connection.fetchrow(self._sql["lock_refresh"], digest)
        return None if row is None else RefreshRow(**dict(row))

    async def rotate(self, connection: Connection, digest: bytes, now: datetime) -> None:
        """The token has a successor."""
        await connection.execute(self._sql["rotate"], digest, now)

    async def use(self, connection: Connection, session: UUID, now: datetime, until: datetime) -> None:
        """The session is used and lasts until `until`."""
        await connection.execute(self._sql["use_session"], session, now, until)

    async def live(self, connection: Connection, account: UUID, now: datetime) -> list[LiveSession]:
        """Signed-in devices, the most recently used first."""
        return [LiveSession(**dict(row)) for row in await connection.fetch(self._sql["live_sessions"], account, now)]

    async def revoke(self, connection: Connection, account: UUID, session: UUID, now: datetime, why: str) -> bool:
        """End one session; whether the account has it."""
        return bool(await connection.fetchval(self._sql["revoke_session"], account, session, now, why))

    async def revoke_all(
        self, connection: Connection, account: UUID, keep: UUID | None, now: datetime, why: str
    ) -> list[UUID]:
        """End every session but `keep`; which ones were live."""
        return [row["id"] for row in await connection.fetch(self._sql["revoke_sessions"], account, keep, now, why)]

    async def surplus(self, connection: Connection, account: UUID, now: datetime, most: int) -> list[UUID]:
        """Live sessions beyond the `most` last used."""
        return [row["id"] for row in await connection.fetch(self._sql["surplus_sessions"], account, now, most)]

    async def over(self, connection: Connection, sessions: Sequence[UUID]) -> set[UUID]:
        """Those of the sessions that have ended."""
        return {row["id"] for row in await connection.fetch(self._sql["over_sessions"], sessions)}

    async def forget(self, connection: Connection, before: datetime) -> None:
        """Drop what ended before that instant."""
        await connection.execute(self._sql["forget_sessions"], before)
