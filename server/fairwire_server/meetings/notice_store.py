"""Rows that notices of meetings are decided and worded from."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from fairwire_server.database.named import NamedStore
from fairwire_server.database.pool import Connection

__all__ = ["MeetingNoticeStore"]


class MeetingNoticeStore(NamedStore):
    """Named queries of `notices.sql`."""

    def __init__(self) -> None:
        super().__init__(__package__, "notices.sql")

    async def keep(self, connection: Connection, subjects: Collection[UUID]) -> None:
        """Those of them that are bookings stay as they are until the transaction ends (N4); others take nothing back."""
        await self.run(connection, "keep_bookings", list(subjects))
