"""Rows that notices of meetings are decided and worded from."""

from __future__ import annotations

from typing import Any

from fairwire_server.database.pool import Connection, Row
from fairwire_server.database.queries import load_queries

__all__ = ["MeetingNoticeStore"]


class MeetingNoticeStore:
    """Named queries of `notices.sql`."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__, "notices.sql")

    async def fetch(self, connection: Connection, name: str, *args: Any) -> list[Row]:
        """Rows of the query `name`."""
        return await connection.fetch(self._sql[name], *args)
