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
from fairwire_server.notices.wording import SMS_TEMPLATES, WORDS, Language, sentence, subject

__all__ = ["Rendering", "clock_time", "short_time"]

_TIMES_KEPT: Final = 4096
_CALENDAR_KINDS: Final = frozenset(
    {"assigned", "reassigned", "changed", "rejected", "cancelled", "reminder_day", "reminder_soon"}
)


class Rendering:
    """`unsubscribe` gives the address whose POST ends an account's reminders by mail (RFC 8058)."""

    def __init__(self, unsubscribe: Callable[[UUID], str]) -> None:
        self._unsubscribe = unsubscribe
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
        reminds = notice.kind in ("reminder_day", "reminder_soon")
        calendar = facts.calendar(who) if facts.calendar is not None and notice.kind in _CALENDAR_KINDS else None
        unsubscribe = self._unsubscribe(who.id) if reminds else ""
        shown = {
            "lang": language,
            "subject": subject(notice.kind, language, values),
            "sentence": sentence(notice.kind, language, values),
            "facts": _table(who, facts, words),
            "words": words,
            "link": facts.link,
            "room": facts.room_number,
            "fair_time": clock_time(facts.starts_at, who.fair_zone) if facts.starts_at else "",
            "calendar": calendar is not None and calendar[1] == "REQUEST",
            "fair": who.fair_zh if who.chinese else who.fair_en,
            "unsubscribe": unsubscribe,
        }
        return Mail(
            reference=notice.id,
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
        variables = {"room": facts.room_number}
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


def _values(held: Held, language: Language) -> dict[str, str]:
    """What subjects and sentences may name: the other side, the time at the fair."""
    facts, zone = held.facts, held.recipient.fair_zone
    exhibitor = (facts.exhibitor_zh if language == "zh" else facts.exhibitor_en) or facts.exhibitor_en
    return {
        "when": clock_time(facts.starts_at, zone).partition(" (")[0] if facts.starts_at else "",
        "with_": exhibitor if held.notice.side == "buyer" else facts.buyer,
        "receiver": facts.receiver,
    }


def _table(who: Recipient, facts: Facts, words: Any) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if facts.starts_at is not None:
        rows.append((words["fair_time"], clock_time(facts.starts_at, who.fair_zone)))
        if who.zone != who.fair_zone:
            rows.append((words["own_time"], clock_time(facts.starts_at, who.zone)))
    exhibitor = (facts.exhibitor_zh if who.chinese else facts.exhibitor_en) or facts.exhibitor_en
    named = (
        ("exhibitor", exhibitor), ("buyer", facts.buyer), ("receiver", facts.receiver), ("topic", facts.topic), ("reason", facts.reason),
        ("room", facts.room_number),
    )  # fmt: skip
    return rows + [(words[name], value) for name, value in named if value]


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
