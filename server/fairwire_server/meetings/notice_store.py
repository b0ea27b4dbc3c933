"""Rows that notices of meetings are decided and worded from."""

from __future__ import annotations

from fairwire_server.database.named import NamedStore

__all__ = ["MeetingNoticeStore"]


class MeetingNoticeStore(NamedStore):
    """Named queries of `notices.sql`."""

    def __init__(self) -> None:
        super().__init__(__package__, "notices.sql")
