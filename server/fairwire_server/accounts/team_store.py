"""Rows of an exhibitor's team."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from fairwire_protocol.models import AccountKind, AccountState
from fairwire_server.accounts.store import AccountRow
from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries

__all__ = ["TeamFrame", "TeamStore"]


@dataclass(frozen=True, slots=True)
class TeamFrame:
    """What an exhibitor's team is bound by."""

    sub_account_limit: int | None
    domicile: Literal["domestic", "overseas"]
    settings: bytes


class TeamStore:
    """Named queries over one exhibitor's accounts."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__, "team.sql")

    async def lock(self, connection: Connection, exhibitor: UUID) -> TeamFrame:
        """The team's bounds; other changes to the team wait."""
        return TeamFrame(**dict(await connection.fetchrow(self._sql["lock_exhibitor"], exhibitor) or {}))

    async def frame(self, connection: Connection, exhibitor: UUID) -> TeamFrame:
        """The team's bounds."""
        return TeamFrame(**dict(await connection.fetchrow(self._sql["limit_of"], exhibitor) or {}))

    async def team(self, connection: Connection, exhibitor: UUID) -> list[AccountRow]:
        """Its accounts, main first."""
        return [AccountRow(**dict(row)) for row in await connection.fetch(self._sql["team"], exhibitor)]

    async def count(self, connection: Connection, exhibitor: UUID) -> int:
        """Its sub-accounts."""
        return int(await connection.fetchval(self._sql["count_sub_accounts"], exhibitor))

    async def lock_accounts(self, connection: Connection, accounts: Iterable[UUID], exhibitor: UUID) -> set[UUID]:
        """Which of these are accounts of the exhibitor; locked, as assignments of meetings lock them: by ascending id."""
        rows = await connection.fetch(self._sql["lock_accounts"], sorted(set(accounts)), exhibitor)
        return {row["id"] for row in rows}

    async def set_member(
        self, connection: Connection, account: UUID, kind: AccountKind, name: str, tokens: str, state: AccountState
    ) -> None:
        """Type, name and state of a sub-account."""
        await connection.execute(self._sql["set_member"], account, kind, name, tokens, state)

    async def remove(self, connection: Connection, account: UUID, login: str) -> None:
        """The sub-account is no more; `login` takes the place of the one it had."""
        await connection.execute(self._sql["remove_member"], account, login)
