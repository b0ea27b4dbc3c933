"""Rows that the organiser's handlers read and write."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from fairwire_protocol.models import AccountKind, AccountState
from fairwire_server.accounts.rules import Scope
from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries

__all__ = ["AuditRow", "FoundRow", "OrganiserStore"]


@dataclass(frozen=True, slots=True)
class FoundRow:
    """An account that was searched for."""

    id: UUID
    kind: AccountKind
    login: str
    name: str
    state: AccountState
    exhibitor_id: UUID | None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One line of the audit log."""

    id: UUID
    actor_id: UUID | None
    action: str
    subject_id: UUID | None
    at: datetime


class OrganiserStore:
    """Named queries over a whole fair."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__, "organiser.sql")

    async def find(self, connection: Connection, fair: UUID, login: str, words: str | None) -> list[FoundRow]:
        """Accounts by login or by name words (a tsquery)."""
        rows = await connection.fetch(self._sql["find_accounts"], fair, login, words)
        return [FoundRow(**dict(row)) for row in rows]

    async def lock(
        self, connection: Connection, account: UUID, fair: UUID
    ) -> tuple[AccountState, AccountState | None] | None:
        """State of an account of the fair and what it was suspended from; locked."""
        row = await connection.fetchrow(self._sql["lock_target"], account, fair)
        return None if row is None else (row["state"], row["suspended_from"])

    async def set_state(
        self, connection: Connection, account: UUID, state: AccountState, suspended_from: AccountState | None
    ) -> None:
        """A new state."""
        await connection.execute(self._sql["set_state"], account, state, suspended_from)

    async def set_silence(self, connection: Connection, account: UUID, until: datetime | None) -> None:
        """Silenced until then, or not."""
        await connection.execute(self._sql["set_silence"], account, until)

    async def lock_capabilities(self, connection: Connection, fair: UUID) -> bytes:
        """The fair's differences from the default table, locked."""
        stored: bytes = await connection.fetchval(self._sql["lock_capabilities"], fair)
        return stored

    async def set_capabilities(
        self, connection: Connection, fair: UUID, differences: Mapping[str, Mapping[str, Scope]]
    ) -> None:
        """New differences."""
        await connection.execute(self._sql["set_capabilities"], fair, msgspec.json.encode(differences))

    async def accounts_with_state(self, connection: Connection, fair: UUID, kinds: Collection[str]) -> list[UUID]:
        """Accounts of these kinds whose clients may hold a state."""
        return [row["id"] for row in await connection.fetch(self._sql["accounts_with_state"], fair, list(kinds))]

    async def audit_page(self, connection: Connection, fair: UUID, after: UUID | None, limit: int) -> list[AuditRow]:
        """A page of the audit log, newest first."""
        return [AuditRow(**dict(row)) for row in await connection.fetch(self._sql["audit_page"], fair, after, limit)]
