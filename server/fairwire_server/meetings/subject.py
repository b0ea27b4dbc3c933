"""What notices of meetings are about: whether each still holds, and what there is to say (N2, M9, M10, M14).

Registered with the workers by compose. A batch is looked at in two or three statements, in the transaction that claims it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal
from uuid import UUID

from fairwire_protocol.events import Notice
from fairwire_protocol.models import Person, Side
from fairwire_server.clock import milliseconds
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Work
from fairwire_server.meetings.calendar import Calendars, Meeting, Party
from fairwire_server.meetings.notice_rules import Standing, why_not
from fairwire_server.meetings.notice_store import MeetingNoticeStore
from fairwire_server.meetings.own_links import OwnLinks
from fairwire_server.notices.records import Claimed, Facts, Recipient

__all__ = ["BookingSubject", "WaitingSubject"]

_LINKLESS: Final = frozenset(
    {"rejected", "cancelled", "requested", "pending_day", "unreached", "did_it_happen", "time_up"}
)


class BookingSubject:
    """Notices of bookings."""

    def __init__(self, store: MeetingNoticeStore, links: OwnLinks, calendars: Calendars) -> None:
        self._store = store
        self._links = links
        self._calendars = calendars

    async def recheck(self, work: Work, notices: Sequence[Claimed]) -> Mapping[UUID, Facts | str]:
        """Still assigned, same counters, same recipient, and the words for it."""
        found = await self._store.fetch(work.connection, "notice_bookings", list({one.subject_id for one in notices}))
        rows = {row["id"]: row for row in found}
        answers: dict[UUID, Facts | str] = {}
        open_: list[Claimed] = []
        for one in notices:
            row = rows.get(one.subject_id)
            why = "gone" if row is None else _why_not(one, row)
            if why is None:
                open_.append(one)
            else:
                answers[one.id] = why
        links = await self._addresses(work, open_, rows)
        following = await self._following(work, [one for one in open_ if one.kind == "time_up"], rows)
        for one in open_:
            row = rows[one.subject_id]
            link = links[one.subject_id, one.side] if _forwards(one, row) else ""
            answers[one.id] = self._facts(one, row, link, following.get((one.recipient, row["ends_at"])), work.now)
        return answers

    async def _addresses(
        self, work: Work, notices: Sequence[Claimed], rows: Mapping[UUID, Row]
    ) -> Mapping[tuple[UUID, Side], str]:
        """M9: the own side's link stands in mails and in the app, in the block made for forwarding."""
        wanted = {(one.subject_id, one.side) for one in notices if _forwards(one, rows[one.subject_id])}
        return await self._links.addresses(work, wanted) if wanted else {}

    async def _following(
        self, work: Work, notices: Sequence[Claimed], rows: Mapping[UUID, Row]
    ) -> dict[tuple[UUID, datetime], datetime]:
        if not notices:
            return {}
        ends = [rows[one.subject_id]["ends_at"] for one in notices]
        found = await self._store.fetch(work.connection, "next_meetings", [one.recipient for one in notices], ends)
        return {(row["receiver_id"], row["ends_at"]): row["starts_at"] for row in found}

    def _facts(self, one: Claimed, row: Row, link: str, following: datetime | None, now: datetime) -> Facts:
        receiver = None if row["receiver_id"] is None else Person(id=row["receiver_id"], name=row["receiver_name"])
        event = Notice(
            kind=one.kind,
            conversation=row["conversation_id"],
            booking=row["id"],
            ts=milliseconds(now),
            starts_at=milliseconds(row["starts_at"]),
            next_at=None if following is None else milliseconds(following),
            about=receiver if one.kind == "unreached" else None,
            link=link or None,
            room_number=(row["room_number"] or None) if link else None,
        )
        return Facts(
            event=event,
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            exhibitor_zh=row["name_zh"],
            exhibitor_en=row["name_en"],
            buyer=row["buyer_name"],
            receiver=row["receiver_name"] or "",
            topic=row["topic"],
            reason=row["reason"] or "",
            room_number=row["room_number"] or "",
            next_at=following,
            link=link,
            # A booking that nobody was ever assigned is in no calendar, and so cannot be taken out of one.
            calendar=partial(self._calendar, one, row, link, now) if row["assignment"] else None,
        )

    def _calendar(
        self, one: Claimed, row: Row, link: str, now: datetime, who: Recipient
    ) -> tuple[bytes, Literal["REQUEST", "CANCEL"]]:
        """M14: the meeting as it is; taken out of the calendar of whoever is no longer part of it."""
        meeting = Meeting(
            booking=row["id"],
            exhibitor_en=row["name_en"],
            exhibitor_zh=row["name_zh"],
            buyer=row["buyer_name"],
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            zone=row["time_zone"],
            state=row["state"],
            sequence=row["sequence"],
            changed_at=row["changed_at"],
            topic=row["topic"],
            link=link,
            room_number=row["room_number"],
        )
        attendee = Party(who.name, who.email or "")
        language: Literal["zh", "en"] = "zh" if who.chinese else "en"
        if one.kind in ("rejected", "cancelled"):
            return self._calendars.cancel(meeting, attendee, language=language, now=now), "CANCEL"
        if one.kind == "reassigned" and one.side == "team":
            return self._calendars.uninvite(meeting, attendee, language=language, now=now), "CANCEL"
        return self._calendars.request(meeting, attendee, language=language, now=now), "REQUEST"


def _forwards(one: Claimed, row: Row) -> bool:
    """Whether it carries the block: to those who meet, and not to whom the meeting was just taken from."""
    taken_away = one.kind == "reassigned" and one.side == "team"
    return one.channel != "sms" and row["state"] == "assigned" and one.kind not in _LINKLESS and not taken_away


def _why_not(one: Claimed, row: Row) -> str | None:
    standing = Standing(
        state=row["state"],
        buyer=row["buyer_id"],
        receiver=row["receiver_id"],
        time_revision=row["time_revision"],
        assignment=row["assignment"],
        buyer_attendance=row["buyer_attendance"],
        team_attendance=row["team_attendance"],
    )
    return why_not(one.kind, one.side, one.recipient, one.time_revision, one.assignment, standing)


class WaitingSubject:
    """Notices of what waits for an answer: a proposal, an offered place, a guest in the lobby. What became of it is why they end."""

    def __init__(self, store: MeetingNoticeStore, query: str) -> None:
        self._store = store
        self._query = query

    async def recheck(self, work: Work, notices: Sequence[Claimed]) -> Mapping[UUID, Facts | str]:
        """Those that still wait, and for an answer that this recipient may give."""
        found = await self._store.fetch(work.connection, self._query, list({one.subject_id for one in notices}))
        rows = {row["id"]: row for row in found}
        return {one.id: _waiting(one, rows[one.subject_id], work.now) for one in notices if one.subject_id in rows}


def _waiting(one: Claimed, row: Row, now: datetime) -> Facts | str:
    has = dict(row)
    if has["outcome"] is not None:
        return str(has["outcome"])
    if has["expires_at"] is not None and has["expires_at"] <= now:
        return "expired"
    if one.side == "team" and has.get("members") is not None and one.recipient not in has["members"]:
        return "reassigned"
    event = Notice(
        kind=one.kind,
        conversation=has.get("conversation_id"),
        booking=has.get("booking_id"),
        ts=milliseconds(now),
        starts_at=milliseconds(row["starts_at"]),
        by=_person(has, "by"),
        about=_person(has, "guest"),
    )
    return Facts(
        event=event,
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        exhibitor_zh=row["name_zh"],
        exhibitor_en=row["name_en"],
        buyer=has.get("buyer_name", ""),
        topic=row["topic"],
        by=has.get("by_name", ""),
        note=has.get("note", ""),
        guest=has.get("guest_name", ""),
        moves_from=has.get("moves_from"),
        answer_by=row["expires_at"],
    )


def _person(has: Mapping[str, Any], who: str) -> Person | None:
    return Person(id=has[f"{who}_id"], name=has[f"{who}_name"]) if f"{who}_id" in has else None
