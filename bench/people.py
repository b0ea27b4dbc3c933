"""Accounts to load a server with: written straight into its database, with access tokens minted by the bench's own secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from bench.common import SECRET
from fairwire_server.accounts.tokens import Tokens
from fairwire_server.database.queries import parse_queries

__all__ = ["Person", "people"]


@dataclass(frozen=True, slots=True)
class Person:
    """An account with a token."""

    id: UUID
    exhibitor: UUID | None
    token: str


async def people(
    dsn: str, code: str, *, buyers: int = 0, exhibitors: int = 0, colleagues: int = 0
) -> dict[str, list[Person]]:
    """A new fair with an organiser, `buyers`, and `exhibitors` with a main account and `colleagues` each; by kind."""
    sql = parse_queries(files("bench").joinpath("people.sql").read_text("utf-8"), "people.sql")
    fair, now = uuid7(), datetime.now(UTC)
    homes: list[UUID | None] = [uuid7() for _ in range(exhibitors)]
    tokens = Tokens(SECRET.encode(), timedelta(days=1))
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql["fair"], fair, code, now)
        await connection.execute(sql["exhibitors"], fair, homes)

        async def add(kind: str, of: Sequence[UUID | None]) -> list[Person]:
            ids = [uuid7() for _ in of]
            await connection.execute(sql["accounts"], fair, kind, ids, of, now)
            until = now + timedelta(days=1)
            return [
                Person(id_, home, tokens.mint(id_, id_, fair, now, until).token)
                for id_, home in zip(ids, of, strict=True)
            ]

        found = {
            "organiser": await add("organiser", [None]),
            "buyer": await add("buyer", [None] * buyers),
            "main": await add("main", homes),
            "business": await add("business", homes * colleagues),
        }
        # Not the empty ones: a table that was seen empty is planned as if it stayed so.
        await connection.execute("ANALYZE account, session, account_stream, buyer, exhibitor, fair")
        return found
    finally:
        await connection.close()
