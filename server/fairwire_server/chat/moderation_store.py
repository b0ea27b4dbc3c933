"""Rows of reports, keywords and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from fairwire_protocol.operations.organiser import Keyword, ReportSummary
from fairwire_server.clock import milliseconds
from fairwire_server.database.pool import Connection, Row
from fairwire_server.database.queries import load_queries
from fairwire_server.streams.messages import MessageRow

__all__ = ["ModerationStore"]


class ModerationStore:
    """Named queries of the organiser's view of the chats."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__, "moderation.sql")

    async def insert_report(
        self,
        connection: Connection,
        report: UUID,
        fair: UUID,
        conversation: UUID,
        reporter: UUID,
        seqs: Sequence[int],
        reason: str,
        now: datetime,
    ) -> None:
        """A new report."""
        await connection.execute(
            self._sql["insert_report"], report, fair, conversation, reporter, list(seqs), reason, now
        )

    async def organisers(self, connection: Connection, fair: UUID) -> list[UUID]:
        """The fair's organisers."""
        return [row["id"] for row in await connection.fetch(self._sql["organisers"], fair)]

    async def reports(
        self, connection: Connection, fair: UUID, state: str, at: datetime | None, last: UUID | None, limit: int
    ) -> list[tuple[datetime, ReportSummary]]:
        """At most `limit` reports after (at, last), newest first, each with its exact instant."""
        rows = await connection.fetch(self._sql["reports"], fair, state, at, last, limit)
        return [(row["at"], _summary(row)) for row in rows]

    async def report(self, connection: Connection, fair: UUID, report: UUID) -> ReportSummary | None:
        """One report of the fair."""
        row = await connection.fetchrow(self._sql["report"], report, fair)
        return None if row is None else _summary(row)

    async def reported_messages(self, connection: Connection, report: UUID) -> list[MessageRow]:
        """The messages that the report names."""
        return [MessageRow.of(row) for row in await connection.fetch(self._sql["reported_messages"], report)]

    async def close_report(self, connection: Connection, fair: UUID, report: UUID, now: datetime) -> bool:
        """Whether it was open."""
        return bool(await connection.fetchval(self._sql["close_report"], report, fair, now))

    async def keywords(self, connection: Connection, fair: UUID) -> tuple[Keyword, ...]:
        """The fair's list, by word."""
        rows = await connection.fetch(self._sql["keywords"], fair)
        return tuple(Keyword(word=row["word"], action=row["action"]) for row in rows)

    async def keyword_versions(self, connection: Connection) -> dict[UUID, str]:
        """A digest of every fair's list; fairs without keywords are left out."""
        return {row["fair_id"]: row["version"] for row in await connection.fetch(self._sql["keyword_versions"])}

    async def replace_keywords(self, connection: Connection, fair: UUID, words: Mapping[str, str]) -> None:
        """The whole list anew: word → action."""
        await connection.execute(self._sql["lock_fair"], fair)
        await connection.execute(self._sql["remove_keywords"], fair, list(words))
        await connection.execute(self._sql["put_keywords"], fair, list(words), list(words.values()))

    async def figures(self, connection: Connection, fair: UUID) -> dict[str, int]:
        """The figures that the database knows."""
        row = await connection.fetchrow(self._sql["figures"], fair)
        return {} if row is None else {name: int(value) for name, value in row.items() if name != "id"}


def _summary(row: Row) -> ReportSummary:
    return ReportSummary(
        id=row["id"],
        conversation=row["conversation_id"],
        reporter=row["reporter_id"],
        count=row["count"],
        reason=row["reason"],
        ts=milliseconds(row["at"]),
        closed=row["closed_at"] is not None,
    )
