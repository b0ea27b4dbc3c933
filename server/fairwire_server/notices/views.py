"""Notices and their attempts as they are shown: no address and no text, which are nowhere kept."""

from __future__ import annotations

from datetime import datetime

from fairwire_protocol.operations import notices as operations
from fairwire_server.clock import milliseconds
from fairwire_server.database.pool import Row

__all__ = ["attempt_of", "notice_item", "optional_ms"]


def optional_ms(at: datetime | None) -> int | None:
    """An instant as it travels, if there is one."""
    return None if at is None else milliseconds(at)


def notice_item(row: Row, *, organiser: bool = False) -> operations.NoticeItem:
    """One notice; the organiser is told whose it is."""
    return operations.NoticeItem(
        id=row["id"],
        kind=row["kind"],
        channel=row["channel"],
        state=row["state"],
        reason=row["reason"],
        subject=row["subject"],
        about=row["subject_id"],
        due_at=milliseconds(row["wanted_at"]),
        ended_at=optional_ms(row["ended_at"]),
        attempts=row["attempts"],
        maybe_duplicate=row["maybe_duplicate"],
        instead_of=row["instead_of"],
        recipient=row["recipient_id"] if organiser else None,
    )


def attempt_of(row: Row) -> operations.Attempt:
    """One try to send it."""
    return operations.Attempt(
        number=row["number"],
        provider=row["provider"],
        at=milliseconds(row["at"]),
        ended_at=optional_ms(row["ended_at"]),
        outcome=row["outcome"],
        reason=row["reason"],
        segments=row["segments"],
        delivery=row["delivery"],
        delivered_at=optional_ms(row["delivered_at"]),
    )
