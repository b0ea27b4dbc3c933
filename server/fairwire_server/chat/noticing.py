"""Who is told of chats when no screen shows them: notices wanted in the transaction that causes them (N10).

A chat may be transferred, and wait, again and again: which time it is, is told by the number of the message that it was noticed at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from fairwire_protocol.events import NoticeKind
from fairwire_protocol.models import Side
from fairwire_server.chat.rules import Conversation
from fairwire_server.database.work import Work
from fairwire_server.notices.planning import Planning
from fairwire_server.notices.records import Wanted

__all__ = ["ChatNoticing"]

USE: Final = timedelta(hours=24)
REPORT_USE: Final = timedelta(days=3)


class ChatNoticing:
    """Joins the caller's transaction, before streams are locked."""

    def __init__(self, planning: Planning) -> None:
        self._planning = planning

    async def transferred(self, work: Work, conversation: Conversation, seq: int) -> None:
        """C7: to its new holder, who is offline; `seq` is the transfer's message."""
        await self._planning.plan(work, [_wanted("transfer_offline", conversation, seq, work.now + USE)])

    async def asked(self, work: Work, fair: UUID, offer: UUID, to: UUID, until: datetime) -> None:
        """C7, C8: whether it takes a chat, to an account that is offline."""
        await self._planning.news(work, "transfer_offline", ("offer", offer), fair, [(to, "team")], until)

    async def waits(self, work: Work, conversations: Sequence[Conversation]) -> None:
        """C11: chats that have gone unanswered for N minutes, to their holders."""
        wanted = [_wanted("waiting", one, one.last_seq, work.now + USE) for one in conversations]
        await self._planning.plan(work, wanted)

    async def reported(self, work: Work, fair: UUID, report: UUID, organisers: Sequence[UUID]) -> None:
        """C18: there is a report to be looked at."""
        people: list[tuple[UUID, Side]] = [(organiser, "team") for organiser in organisers]
        await self._planning.news(work, "report", ("report", report), fair, people, work.now + REPORT_USE)


def _wanted(kind: NoticeKind, conversation: Conversation, seq: int, useless_at: datetime) -> Wanted:
    return Wanted(
        subject="conversation",
        subject_id=conversation.id,
        fair=conversation.fair,
        kind=kind,
        recipient=conversation.holder,
        side="team",
        useless_at=useless_at,
        time_revision=seq,
    )
