"""Rows of the search index, and what is found by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from fairwire_server.chat.records import Accepted
from fairwire_server.chat.search_rules import Place, Reach, Step
from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries
from fairwire_server.streams.messages import MessageRow

__all__ = ["SearchStore"]

Own = Mapping[UUID, int]
"""Conversations in reach, each with the last seq that may be found in it."""
_NAMES: Final = {"buyer": "exhibitors_by_name", "own": "own_buyers_by_name", "all": "buyers_by_name"}


class SearchStore:
    """Named queries over `message_search`, `search_progress` and the names of both sides."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__, "search.sql")

    async def own(self, connection: Connection, account: UUID) -> dict[UUID, int]:
        """The account's conversations, each with the last seq it may read."""
        rows = await connection.fetch(self._sql["own_conversations"], account)
        return {row["conversation_id"]: row["last"] for row in rows}

    async def names(self, connection: Connection, reach: Reach, query: str, limit: int) -> list[UUID]:
        """Conversations in reach whose other side's name matches."""
        kind = "buyer" if reach.view == "buyer" else "all" if reach.account is None else "own"
        rows = await connection.fetch(self._sql[_NAMES[kind]], reach.account or reach.exhibitor, query, limit)
        return [row["id"] for row in rows]

    async def places(
        self,
        connection: Connection,
        step: Step,
        reach: Reach,
        own: Own | None,
        query: str,
        before: Place,
        limit: int,
        looked_through: int,
    ) -> list[Place]:
        """At most `limit` places before `before` that one step of the plan finds, newest first."""
        if step == "read":
            assert own is not None, "a whole exhibitor is never read from end to end"
            rows = await connection.fetch(self._sql[step], query, *before, limit, list(own), list(own.values()))
        else:
            args: list[object] = [reach.exhibitor, query, *before, limit]
            args += [looked_through] if step == "newest" else []
            args += [] if reach.account is None else [reach.account]
            rows = await connection.fetch(self._sql[step if reach.account is None else f"{step}_own"], *args)
        return [Place(*row) for row in rows]

    async def is_beyond(
        self, connection: Connection, exhibitor: UUID | None, before: Place, looked_through: int
    ) -> bool:
        """Whether the step `newest` has left messages unseen."""
        return bool(await connection.fetchval(self._sql["is_beyond"], exhibitor, before.at, looked_through))

    async def messages(self, connection: Connection, places: Sequence[Place]) -> dict[tuple[UUID, int], MessageRow]:
        """The messages at these places."""
        rows = await connection.fetch(
            self._sql["found_messages"], [place.conversation for place in places], [place.seq for place in places]
        )
        return {(row["conversation_id"], row["seq"]): MessageRow.of(row) for row in rows}

    async def index(self, connection: Connection, texts: Sequence[Accepted], tokens: Sequence[str]) -> None:
        """Index texts by their tokens; those recalled meanwhile stay without."""
        await connection.execute(
            self._sql["index_messages"],
            [text.conversation for text in texts],
            [text.seq for text in texts],
            [text.exhibitor for text in texts],
            [text.at for text in texts],
            tokens,
        )

    async def unindexed(self, connection: Connection, start: datetime, end: datetime, limit: int) -> list[Accepted]:
        """At most `limit` texts of a stretch of time that the index lacks."""
        rows = await connection.fetch(self._sql["unindexed"], start, end, limit)
        return [Accepted(*row) for row in rows]

    async def done_to(self, connection: Connection) -> datetime | None:
        """Where recovery begins; None when there is no message at all."""
        found: datetime | None = await connection.fetchval(self._sql["done_to"])
        return found

    async def set_done_to(self, connection: Connection, at: datetime) -> None:
        """Everything accepted before `at` is indexed."""
        await connection.execute(self._sql["set_done_to"], at)
