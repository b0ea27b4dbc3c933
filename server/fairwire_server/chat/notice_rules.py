"""Whether a notice about a chat still holds: same holder, not seen, not answered (N2, N10)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fairwire_protocol.events import NoticeKind

__all__ = ["Standing", "why_not"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A chat as it is when a notice of it is claimed; `told_at` and `seq` are of the message that the notice is about."""

    holder: UUID
    open: bool
    unanswered_since: datetime | None
    waiting_since: datetime | None
    holder_read: int
    seq: int
    told_at: datetime


def why_not(kind: NoticeKind, recipient: UUID, now: Standing) -> str | None:
    """Why the notice is not sent any more; None while it holds."""
    if now.holder != recipient:
        return "transferred"
    if kind == "transfer_offline":
        return "read" if now.holder_read >= now.seq else None
    if not now.open:
        return "handled"
    since = now.unanswered_since
    # A wait that began after the message which was the last one then is another wait, with a notice of its own.
    return "answered" if now.waiting_since is None or since is None or since > now.told_at else None
