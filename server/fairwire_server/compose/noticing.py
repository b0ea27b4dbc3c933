"""Notices, put together: what they are about, and the lanes that drain what was planned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.tokens import Tokens
from fairwire_server.chat.notice_store import ChatNoticeStore
from fairwire_server.chat.subject import ConversationSubject, OfferSubject, ReportSubject
from fairwire_server.database.present import Present
from fairwire_server.database.work import Works
from fairwire_server.jobs.hints import Hints
from fairwire_server.jobs.lanes import Lanes
from fairwire_server.meetings.calendar import Calendars
from fairwire_server.meetings.notice_store import MeetingNoticeStore
from fairwire_server.meetings.own_links import OwnLinks
from fairwire_server.meetings.subject import BookingSubject, WaitingSubject
from fairwire_server.notices.claiming import Claims
from fairwire_server.notices.fall_over import FallOver
from fairwire_server.notices.outcomes import Outcomes
from fairwire_server.notices.overseeing import Overseeing
from fairwire_server.notices.parcels import Channel
from fairwire_server.notices.planning import Planning
from fairwire_server.notices.preferences import Preferences
from fairwire_server.notices.receipts import TakingIn
from fairwire_server.notices.records import Subject
from fairwire_server.notices.rendering import Rendering
from fairwire_server.notices.rules import Budget
from fairwire_server.notices.store import NoticeStore
from fairwire_server.notices.unsubscribe import Unsubscribing
from fairwire_server.settings import Settings
from fairwire_server.streams.service import Streams

__all__ = ["build_notices", "notice_subjects"]


def build_notices(
    settings: Settings,
    works: Works,
    present: Present,
    tokens: Tokens,
    commands: Commands,
    streams: Streams,
    planning: Planning,
    hints: Hints,
    own_links: OwnLinks,
    calendars: Calendars,
    channels: Sequence[Channel],
) -> dict[str, Any]:
    """The lanes of this process, and what feeds them."""
    url = settings.public_url or f"http://{settings.host}:{settings.port}"
    store, keep = NoticeStore(), MeetingNoticeStore().keep
    fall_over = FallOver(store, planning, hints)
    unsubscribing = Unsubscribing(works, store, tokens.key, url)
    claims = Claims(
        works,
        store,
        streams,
        fall_over,
        notice_subjects(own_links, calendars),
        present,
        worker=uuid4(),
        budget=Budget(total=settings.sms_daily_max),
    )
    outcomes = Outcomes(works, store, fall_over, present)
    lanes = Lanes(claims, outcomes, Rendering(unsubscribing.address, url), channels, works.clock)
    hints.heard = lanes.hint
    return {
        "hints": hints,
        "lanes": lanes,
        "taking_in": TakingIn(works, store, fall_over, keep, present),
        "unsubscribing": unsubscribing,
        "preferences": Preferences(works, commands, store),
        "overseeing": Overseeing(works, commands, store, keep, present, hints),
    }


def notice_subjects(own_links: OwnLinks, calendars: Calendars) -> dict[str, Subject]:
    """Who re-checks what a notice is about (N2)."""
    store, chats = MeetingNoticeStore(), ChatNoticeStore()
    return {
        "booking": BookingSubject(store, own_links, calendars),
        "proposal": WaitingSubject(store, "notice_proposals"),
        "place": WaitingSubject(store, "notice_places"),
        "guest": WaitingSubject(store, "notice_guests"),
        "conversation": ConversationSubject(chats),
        "offer": OfferSubject(chats),
        "report": ReportSubject(chats),
    }
