"""What notices of chats are about: whether each still holds, and what there is to say (N2, N10). Nothing of what was said in a chat.

Registered with the workers by compose. A batch is looked at in one statement, in the transaction that claims it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from fairwire_protocol.events import Notice
from fairwire_protocol.models import Person
from fairwire_server.chat.notice_rules import Standing, why_not
from fairwire_server.chat.notice_store import ChatNoticeStore
from fairwire_server.clock import milliseconds
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Work
from fairwire_server.notices.records import Claimed, Facts

__all__ = ["ConversationSubject", "OfferSubject", "ReportSubject"]


class ConversationSubject:
    """Notices to a chat's holder: it was transferred, it waits."""

    def __init__(self, store: ChatNoticeStore) -> None:
        self._store = store

    async def recheck(self, work: Work, notices: Sequence[Claimed]) -> Mapping[UUID, Facts | str]:
        """Those whose recipient holds the chat and has not dealt with it."""
        asked = list({(one.subject_id, one.time_revision, one.kind) for one in notices})
        found = await self._store.fetch(work.connection, "notice_chats", *map(list, zip(*asked, strict=True)))
        rows = {(row["id"], row["seq"], row["kind"]): row for row in found}
        answers: dict[UUID, Facts | str] = {}
        for one in notices:
            if (row := rows.get((one.subject_id, one.time_revision, one.kind))) is not None:
                why = why_not(one.kind, one.recipient, _standing(row))
                answers[one.id] = why or _of_chat(one, row["id"], row, work)
        return answers


class OfferSubject:
    """Notices of ask-first transfers, which end with what became of the offer."""

    def __init__(self, store: ChatNoticeStore) -> None:
        self._store = store

    async def recheck(self, work: Work, notices: Sequence[Claimed]) -> Mapping[UUID, Facts | str]:
        """Those that still wait for their answer."""
        found = await self._store.fetch(work.connection, "notice_offers", list({one.subject_id for one in notices}))
        rows = {row["id"]: row for row in found}
        answers: dict[UUID, Facts | str] = {}
        for one in notices:
            if (row := rows.get(one.subject_id)) is not None:
                over = row["outcome"] or ("expired" if row["expires_at"] <= work.now else None)
                answers[one.id] = over or _of_chat(one, row["conversation_id"], row, work)
        return answers


class ReportSubject:
    """Notices to organisers."""

    def __init__(self, store: ChatNoticeStore) -> None:
        self._store = store

    async def recheck(self, work: Work, notices: Sequence[Claimed]) -> Mapping[UUID, Facts | str]:
        """Those of reports that nobody has closed."""
        found = await self._store.fetch(work.connection, "notice_reports", list({one.subject_id for one in notices}))
        rows = {row["id"]: row for row in found}
        answers: dict[UUID, Facts | str] = {}
        for one in notices:
            if (row := rows.get(one.subject_id)) is not None:
                event = _event(one, row["conversation_id"], row, work)
                answers[one.id] = "closed" if row["closed_at"] is not None else Facts(event=event, by=row["by_name"])
        return answers


def _standing(row: Row) -> Standing:
    return Standing(
        holder=row["holder_id"],
        open=row["open"],
        unanswered_since=row["unanswered_since"],
        waiting_since=row["waiting_since"],
        holder_read=row["read_seq"] or 0,
        seq=row["seq"],
        told_at=row["at"],
    )


def _of_chat(one: Claimed, conversation: UUID, row: Row, work: Work) -> Facts:
    return Facts(
        event=_event(one, conversation, row, work),
        exhibitor_zh=row["name_zh"],
        exhibitor_en=row["name_en"],
        buyer=row["buyer_name"],
        by=row["by_name"] or "",
        note=row["note"] or "",
        answer_by=dict(row).get("expires_at"),
    )


def _event(one: Claimed, conversation: UUID, row: Row, work: Work) -> Notice:
    by = None if row["by_id"] is None else Person(id=row["by_id"], name=row["by_name"])
    return Notice(kind=one.kind, conversation=conversation, ts=milliseconds(work.now), by=by)
