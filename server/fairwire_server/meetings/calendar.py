"""Meetings as calendar objects (M14): iTIP for mails, a file for one meeting, a feed of an account's.

One VEVENT looks the same wherever it goes: the UID is the booking's, SEQUENCE is `booking.sequence`, times stand in the fair's
zone. An iTIP object names nobody but its recipient: the two sides do not learn each other's addresses from it (K2). Whoever is
no longer part of a meeting that goes on gets a CANCEL that carries no STATUS (RFC 5546 §3.2.5).

Pure but for the zone data. A VTIMEZONE is made once per zone and year; the rest is a few joined lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fairwire_protocol.models import BookingState
from fairwire_server.meetings.calendar_text import joined, quoted, text, utc
from fairwire_server.meetings.calendar_zones import timezone_lines

__all__ = ["Calendars", "Language", "Meeting", "Party", "uid_of"]

Language = Literal["zh", "en"]
ZONES_KEPT: Final = 512
_LOCAL: Final = "%Y%m%dT%H%M%S"
_STATUS: Final[dict[BookingState, str]] = {
    "pending": "TENTATIVE",
    "assigned": "CONFIRMED",
    "rejected": "CANCELLED",
    "cancelled": "CANCELLED",
}
_WORDS: Final[dict[Language, dict[str, str]]] = {
    "en": {"meeting": "Meeting", "topic": "Topic", "room": "Room number", "enter": "Enter"},
    "zh": {"meeting": "洽谈", "topic": "主题", "room": "会议号", "enter": "进入洽谈"},
}


@dataclass(frozen=True, slots=True)
class Party:
    """A name and a mail address."""

    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """What a calendar is told of a booking. `link` is where its reader enters, `changed_at` when any of this last changed."""

    booking: UUID
    exhibitor_en: str
    exhibitor_zh: str
    buyer: str
    starts_at: datetime
    ends_at: datetime
    zone: str
    state: BookingState
    sequence: int
    changed_at: datetime
    topic: str = ""
    link: str = ""
    room_number: str | None = None


def uid_of(booking: UUID) -> str:
    """The same for ever, whoever asks."""
    return f"{booking}@fairwire"


class Calendars:
    """Makes the objects. `organizer` is whom calendars show as having called the meeting: the fair's own sender."""

    def __init__(self, organizer: Party) -> None:
        self._organizer = organizer
        self._zone_lines = lru_cache(maxsize=ZONES_KEPT)(timezone_lines)
        self._zone = lru_cache(maxsize=ZONES_KEPT)(ZoneInfo)

    def request(self, meeting: Meeting, attendee: Party, *, language: Language, now: datetime) -> bytes:
        """METHOD:REQUEST: the meeting is on, or is now as this says (RFC 5546 §3.2.2)."""
        return self._itip("REQUEST", meeting, attendee, language, now, _STATUS[meeting.state])

    def cancel(self, meeting: Meeting, attendee: Party, *, language: Language, now: datetime) -> bytes:
        """METHOD:CANCEL of the whole meeting (RFC 5546 §3.2.5)."""
        return self._itip("CANCEL", meeting, attendee, language, now, "CANCELLED")

    def uninvite(self, meeting: Meeting, attendee: Party, *, language: Language, now: datetime) -> bytes:
        """METHOD:CANCEL for one who is no longer part of a meeting that goes on: without STATUS (RFC 5546 §3.2.5)."""
        return self._itip("CANCEL", meeting, attendee, language, now, None)

    def file(self, meeting: Meeting, *, language: Language) -> bytes:
        """The meeting as a file to open (RFC 5546 §3.2.1)."""
        event = self._event(meeting, language, meeting.changed_at, _STATUS[meeting.state], self._called_by())
        return self._object("METHOD:PUBLISH", [meeting], event)

    def feed(self, title: str, meetings: Sequence[Meeting], *, language: Language) -> bytes:
        """Meetings to subscribe to. The bytes change only with what they say, so that an ETag holds."""
        events = [
            line
            for meeting in meetings
            for line in self._event(meeting, language, meeting.changed_at, _STATUS[meeting.state], ())
        ]
        name = text(title)
        head = f"NAME:{name}", f"X-WR-CALNAME:{name}", "REFRESH-INTERVAL;VALUE=DURATION:PT15M", "X-PUBLISHED-TTL:PT15M"
        return self._object("\r\n".join(head), meetings, events)

    def _itip(
        self, method: str, meeting: Meeting, attendee: Party, language: Language, now: datetime, status: str | None
    ) -> bytes:
        people = (
            *self._called_by(),
            f"ATTENDEE;CN={quoted(attendee.name)};ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=FALSE:mailto:{attendee.address}",
        )
        return self._object(f"METHOD:{method}", [meeting], self._event(meeting, language, now, status, people))

    def _called_by(self) -> tuple[str, ...]:
        return (f"ORGANIZER;CN={quoted(self._organizer.name)}:mailto:{self._organizer.address}",)

    def _event(
        self, meeting: Meeting, language: Language, stamp: datetime, status: str | None, people: Sequence[str]
    ) -> list[str]:
        words = _WORDS[language]
        exhibitor = (meeting.exhibitor_zh if language == "zh" else meeting.exhibitor_en) or meeting.exhibitor_en
        summary = f"{words['meeting']}: {exhibitor} – {meeting.buyer}"
        told = [("topic", meeting.topic), ("enter", meeting.link), ("room", meeting.room_number)]
        described = "\n".join(f"{words[name]}: {value}" for name, value in told if value)
        lines = [
            "BEGIN:VEVENT",
            f"UID:{uid_of(meeting.booking)}",
            f"DTSTAMP:{utc(stamp)}",
            f"LAST-MODIFIED:{utc(meeting.changed_at)}",
            f"SEQUENCE:{meeting.sequence}",
            *self._times(meeting),
            f"SUMMARY:{text(summary)}",
            *people,
        ]
        if described:
            lines.append(f"DESCRIPTION:{text(described)}")
        if meeting.link:
            lines += [f"LOCATION:{text(meeting.link)}", f"URL:{meeting.link}"]
        if status is not None:
            lines.append(f"STATUS:{status}")
        return [*lines, "TRANSP:OPAQUE", "END:VEVENT"]

    def _times(self, meeting: Meeting) -> tuple[str, str]:
        zone = self._zone(meeting.zone)
        starts, ends = meeting.starts_at.astimezone(zone), meeting.ends_at.astimezone(zone)
        if _comes_twice(starts) or _comes_twice(ends):  # readers differ on which one is meant (RFC 5545 §3.3.5)
            return f"DTSTART:{utc(starts)}", f"DTEND:{utc(ends)}"
        return (
            f"DTSTART;TZID={meeting.zone}:{starts.strftime(_LOCAL)}",
            f"DTEND;TZID={meeting.zone}:{ends.strftime(_LOCAL)}",
        )

    def _object(self, head: str, meetings: Sequence[Meeting], events: Sequence[str]) -> bytes:
        years: dict[str, int] = {}
        for meeting in meetings:
            years[meeting.zone] = min(years.get(meeting.zone, 9999), meeting.starts_at.year)
        zones = [line for zone, year in years.items() for line in self._zone_lines(zone, year)]
        return joined(
            [
                "BEGIN:VCALENDAR",
                "VERSION:2.0",
                "PRODID:-//Fairwire//Meetings//EN",
                "CALSCALE:GREGORIAN",
                *head.split("\r\n"),
                *zones,
                *events,
                "END:VCALENDAR",
            ]
        )


def _comes_twice(local: datetime) -> bool:
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
