"""Notices, put together: planning inside the bookings' transactions, and what drains them."""

from __future__ import annotations

from collections.abc import Callable

from fairwire_server.database.present import Present
from fairwire_server.meetings.notice_store import MeetingNoticeStore
from fairwire_server.meetings.noticing import Noticing
from fairwire_server.meetings.telling import Telling
from fairwire_server.notices.planning import Planning
from fairwire_server.notices.store import NoticeStore

__all__ = ["build_noticing"]


def build_noticing(telling: Telling, hint: Callable[[], None], present: Present) -> Noticing:
    """What is planned because of bookings, registered with their telling."""
    noticing = Noticing(Planning(NoticeStore(), hint, present), MeetingNoticeStore())
    telling.notify = noticing.notify
    return noticing
