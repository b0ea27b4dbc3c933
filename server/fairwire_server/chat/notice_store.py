"""Rows that notices about chats are decided and worded from."""

from __future__ import annotations

from fairwire_server.database.named import NamedStore

__all__ = ["ChatNoticeStore"]


class ChatNoticeStore(NamedStore):
    """Named queries of `notices.sql`."""

    def __init__(self) -> None:
        super().__init__(__package__, "notices.sql")
