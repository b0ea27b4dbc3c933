"""From a notice's facts to what leaves: made when it is sent, after the re-check, and nowhere kept (N2, N7, N8, M9, M12)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import jinja2

from fairwire_server.notices.claiming import Held
from fairwire_server.notices.parcels import Mail, Sms
from fairwire_server.notices.records import Claimed, Facts, Recipient
from fairwire_server.notices.wording import SMS_TEMPLATES, WORDS, Language, Saying, sentence, subject

__all__ = ["Rendering", "clock_time", "short_time"]

_TIMES_KEPT: Final = 4096
_CALENDAR_KINDS: Final = frozenset(
    {"assigned", "reassigned", "changed", "rejected", "cancelled", "reminder_day", "reminder_soon"}
)


class Rendering:
    """`unsubscribe` gives the address whose POST ends an account's reminders by mail (RFC 8058); `platform` is where one signs in."""

    def __init__(self, unsubscribe: Callable[[UUID], str], platform: str) -> None:
        self._unsubscribe = unsubscribe
        self._platform = platform
        loader = jinja2.PackageLoader("fairwire_server.notices")
        options: dict[str, Any] = {
            "loader": loader, "undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True, "auto_reload": False,
            "keep_trailing_newline": True,
        }  # fmt: skip
        self._text = jinja2.Environment(autoescape=False, **options).get_template("mail.txt")  # noqa: S701 - plain text
        self._html = jinja2.Environment(autoescape=True, **options).get_template("mail.html")

    def parcel(self, held: Held) -> Mail | Sms:
        """What the notice's channel takes."""
        return self.sms(held) if held.notice.channel == "sms" else self.mail(held)

    def mail(self, held: Held) -> Mail:
        """Text and HTML in the recipient's language; the calendar's object; a way out of reminders, and of nothing else (N8)."""
        notice, who, facts = held.notice, held.recipient, held.facts
        language: Language = "zh" if who.chinese else "en"
        words, values = WORDS[language], _values(held, language)
        saying = _saying(notice, facts)
        reminds = notice.kind in ("reminder_day", "reminder_soon")
        calendar = facts.calendar(who) if facts.calendar is not None and notice.kind in _CALENDAR_KINDS else None
        unsubscribe = self._unsubscribe(who.id) if reminds else ""
        shown = {
            "lang": language,
            "subject": subject(saying, language, values),
            "sentence": sentence(saying, language, values),
            "facts": _table(who, facts, words),
            "words": words,
            "link": facts.link,
            "room": facts.room_number,
            "fair_time": _span(facts, who.fair_zone),
            "calendar": calendar is not None and calendar[1] == "REQUEST",
            "fair": who.fair_zh if who.chinese else who.fair_en,
            "unsubscribe": unsubscribe,
            "platform": self._platform,
        }
        return Mail(
            reference=notice.id,
            thread=notice.subject_id if notice.subject == "booking" else None,
            to=who.email or "",
            subject=shown["subject"],  # type: ignore[arg-type]  # a dict of many sorts
            text=self._text.render(shown),
            html=self._html.render(shown),
            language=language,
            calendar=calendar[0] if calendar else None,
            calendar_method=calendar[1] if calendar else None,
            unsubscribe=unsubscribe or None,
        )

    def sms(self, held: Held) -> Sms:
        """A template's name and its variables: time and room number, never a link of this meeting (N7)."""
        who, facts = held.recipient, held.facts
        language: Language = "zh" if who.chinese else "en"
        variables = {"room": facts.room_number or "-"}  # a meeting that moved before anybody was assigned has none
        if facts.starts_at is not None:
            variables["time"] = short_time(facts.starts_at, who.fair_zone)
        return Sms(
            reference=held.notice.id,
            to=who.mobile or "",
            template=_template(held.notice),
            language=language,
            variables=variables,
        )


def _template(notice: Claimed) -> str:
    if notice.kind == "reassigned":
        return "cancelled" if notice.side == "team" else "changed"
    return SMS_TEMPLATES[notice.kind]


def _saying(notice: Claimed, facts: Facts) -> Saying:
    if notice.subject == "offer":
        return "transfer_asked"
    if notice.kind == "reassigned" and notice.side == "team":
        return "taken_away"
    return "receiver_open" if notice.kind == "changed" and not facts.receiver else notice.kind


def _values(held: Held, language: Language) -> dict[str, str]:
    """What subjects and sentences may name: the other side, the time at the fair, and who has done something."""
    facts, who = held.facts, held.recipient
    exhibitor = (facts.exhibitor_zh if language == "zh" else facts.exhibitor_en) or facts.exhibitor_en
    return {
        "when": _at_the_fair(facts.starts_at, who) if facts.starts_at else "",
        "with_": exhibitor if held.notice.side == "buyer" else facts.buyer,
        "receiver": facts.receiver,
        "by": facts.by,
        "guest": facts.guest,
    }


def _table(who: Recipient, facts: Facts, words: Any) -> list[tuple[str, str]]:
    """Times at the fair and, where they differ, the reader's own (M12); then people and texts."""
    rows: list[tuple[str, str]] = []
    if facts.moves_from is not None and facts.starts_at is not None:
        rows += [(words["moves_from"], _both(facts.moves_from, who)), (words["proposed"], _both(facts.starts_at, who))]
    elif facts.starts_at is not None:
        rows.append((words["fair_time"], _span(facts, who.fair_zone)))
        if who.zone != who.fair_zone:
            rows.append((words["own_time"], _span(facts, who.zone)))
    if facts.next_at is not None:
        rows.append((words["next"], _both(facts.next_at, who)))
    if facts.answer_by is not None:
        rows.append((words["answer_by"], _both(facts.answer_by, who)))
    exhibitor = (facts.exhibitor_zh if who.chinese else facts.exhibitor_en) or facts.exhibitor_en
    named = (
        ("exhibitor", exhibitor), ("buyer", facts.buyer), ("receiver", facts.receiver), ("guest", facts.guest), ("topic", facts.topic),
        ("reason", facts.reason), ("note", facts.note), ("room", facts.room_number if facts.link else ""),
    )  # fmt: skip
    return rows + [(words[name], value) for name, value in named if value]


def _both(at: datetime, who: Recipient) -> str:
    fair = clock_time(at, who.fair_zone)
    return fair if who.zone == who.fair_zone else f"{fair} = {clock_time(at, who.zone)}"


def _span(facts: Facts, zone: str) -> str:
    """From when to when the meeting is."""
    if facts.starts_at is None:
        return ""
    begins = clock_time(facts.starts_at, zone)
    return begins if facts.ends_at is None else begins.replace(" (", f"–{_local(facts.ends_at, zone)[-5:]} (", 1)


def _at_the_fair(at: datetime, who: Recipient) -> str:
    """For a subject: whoever lives by other clocks is told which these are (M12)."""
    local = _local(at, who.fair_zone)
    return local if who.zone == who.fair_zone else f"{local} ({_offset(at.astimezone(ZoneInfo(who.fair_zone)))})"


def _local(at: datetime, zone: str) -> str:
    return clock_time(at, zone).partition(" (")[0]


@lru_cache(maxsize=_TIMES_KEPT)
def clock_time(at: datetime, zone: str) -> str:
    """`2026-11-03 14:30 (UTC+8, Asia/Shanghai)`: read the same everywhere (M12)."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%Y-%m-%d %H:%M} ({_offset(local)}, {zone})"


@lru_cache(maxsize=_TIMES_KEPT)
def short_time(at: datetime, zone: str) -> str:
    """`11-03 14:30 UTC+8`: the fair's time in at most 20 characters, which is what a variable of an SMS holds (N7)."""
    local = at.astimezone(ZoneInfo(zone))
    text = f"{local:%m-%d %H:%M} {_offset(local)}"
    return text if len(text) <= 20 else text.replace(" UTC", "UTC")


def _offset(local: datetime) -> str:
    minutes = int((local.utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}{f':{rest:02d}' if rest else ''}"
