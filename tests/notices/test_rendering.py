"""What mails say: every kind, side and language, read as a recipient reads it (N2, N8, M7, M9, M10, M12)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any, get_args
from uuid import UUID

import pytest

from fairwire_protocol.events import Notice, NoticeKind
from fairwire_protocol.models import Side
from fairwire_server.notices.claiming import Held
from fairwire_server.notices.parcels import Mail
from fairwire_server.notices.records import Claimed, Facts, Recipient
from fairwire_server.notices.rendering import Rendering
from fairwire_server.notices.rules import Addressee

START = datetime(2026, 11, 25, 6, 30, tzinfo=UTC)
LINK = "https://fair.example/m/abc"
KINDS: tuple[NoticeKind, ...] = get_args(NoticeKind)
RENDERING = Rendering(lambda account: f"https://fair.example/unsubscribe/{account}", "https://fair.example")


def facts(**changes: Any) -> Facts:
    known = Facts(
        event=Notice(kind="assigned", ts=0), starts_at=START, ends_at=START + timedelta(minutes=30), exhibitor_zh="安阳工具",
        exhibitor_en="Anyang Tools", buyer="Elisa <Souza>", receiver="王伟", topic="Drills & bits", by="李娜", note="a note", guest="Ana",
        room_number="123456789", link=LINK,
    )  # fmt: skip
    return replace(known, **changes)


def mail(
    kind: NoticeKind, side: Side = "buyer", language: str = "en", zone: str = "America/Sao_Paulo", **changes: Any
) -> Mail:
    who = Recipient(
        id=UUID(int=1), name="N", active=True, language=language, zone=zone, fair_zone="Asia/Shanghai", fair_zh="秋交会",
        fair_en="Autumn fair", email="a@example.test", mobile=None, quiet_from=None, quiet_to=None,
        addressee=Addressee(side=side, added={}),
    )  # fmt: skip
    subject = changes.pop("subject", "booking")
    notice = Claimed(
        id=UUID(int=2), fair=UUID(int=3), subject=subject, subject_id=UUID(int=4), kind=kind, recipient=who.id, side=side,
        channel="email", time_revision=0, assignment=0, due_at=START, useless_at=START, attempts=0, maybe_duplicate=False,
    )  # fmt: skip
    return RENDERING.mail(Held(notice, who, facts(**changes), 1, 0.0))


class Words(HTMLParser):
    """The text of a page, and where its links lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: set[str | None] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links |= {value for name, value in attrs if tag == "a" and name == "href"}

    def handle_data(self, data: str) -> None:
        self.words += data.split()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("side", get_args(Side))
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_the_same_in_text_and_html_n8(kind: NoticeKind, side: Side, language: str) -> None:
    sent = mail(kind, side, language)
    assert "\n" not in sent.subject
    assert sent.thread == UUID(int=4)
    assert not any(brace in sent.subject + sent.text for brace in "{}")
    assert "\n\n\n" not in sent.text
    assert sent.text.endswith("\n")
    assert not sent.text.endswith("\n\n")
    assert sent.html is not None
    page = Words(sent.html)
    shown = "".join(page.words)
    missing = [line for line in sent.text.splitlines() if not line.startswith("-") and "http" not in line
               and "".join(line.split("：")[-1].split(": ")[-1].split()) not in shown]  # fmt: skip
    assert missing == []
    assert LINK in page.links
    assert "<Souza>" not in sent.html


def test_times_stand_in_fair_time_and_in_the_readers_own_m12() -> None:
    text = mail("assigned").text
    assert "Fair time: 2026-11-25 14:30–15:00 (UTC+8, Asia/Shanghai)\n" in text
    assert "Your time: 2026-11-25 03:30–04:00 (UTC-3, America/Sao_Paulo)\n" in text
    assert "Your time" not in mail("assigned", zone="Asia/Shanghai").text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_subject_tells_whose_clock_it_means_where_the_readers_is_another_m12(language: str) -> None:
    assert "2026-11-25 14:30 (UTC+8)" in mail("assigned", language=language).subject
    assert "UTC" not in mail("assigned", language=language, zone="Asia/Shanghai").subject


@pytest.mark.parametrize("side", get_args(Side))
def test_who_belongs_to_the_meeting_is_sent_to_the_platform_and_the_link_is_for_others_m8_m9(side: Side) -> None:
    """By the link one is a guest, who waits until somebody lets them in; the readers of this mail are those who do."""
    lines = mail("reminder_soon", side).text.splitlines()
    assert "Sign in and enter: https://fair.example" in lines
    block = [at for at, line in enumerate(lines) if set(line) == {"-"}]
    assert (
        [at for at, line in enumerate(lines) if LINK in line] == [at for at in range(*block) if LINK in lines[at]] != []
    )


def test_another_time_names_both_and_until_when_to_answer_m7() -> None:
    text = mail("proposed", moves_from=START - timedelta(hours=1), answer_by=START - timedelta(hours=2), link="").text
    assert "Anyang Tools proposes another time" in text
    assert (
        "Time so far: 2026-11-25 13:30 (UTC+8, Asia/Shanghai) = 2026-11-25 02:30 (UTC-3, America/Sao_Paulo)\n" in text
    )
    assert "Proposed time: 2026-11-25 14:30 " in text
    assert "Answer by: 2026-11-25 12:30 " in text
    assert "Fair time" not in text
    assert "Note: a note\n" in text
    assert "Sign in: https://fair.example\n" in text


def test_time_is_up_says_when_the_next_meeting_begins_m10() -> None:
    assert "下一场洽谈：2026-11-25 15:00" in mail("time_up", "team", "zh", next_at=START + timedelta(minutes=30)).text


@pytest.mark.parametrize(
    ("kind", "side", "changes", "words"),
    [
        ("reassigned", "team", {}, "A colleague now receives your meeting with Elisa"),
        ("reassigned", "buyer", {}, "Somebody else will receive you at your meeting with Anyang Tools."),
        ("changed", "buyer", {"receiver": ""}, "Who receives you is still open"),
        ("transfer_offline", "team", {"subject": "offer"}, "李娜 asks you to take over the chat with Elisa"),
        ("transfer_offline", "team", {"subject": "conversation"}, "李娜 transferred the chat with Elisa"),
        ("guest_waiting", "buyer", {}, "Ana waits in the lobby of your meeting with Anyang Tools"),
    ],
)  # fmt: skip
def test_who_reads_it_decides_what_it_says_m6_c8(
    kind: NoticeKind, side: Side, changes: dict[str, Any], words: str
) -> None:
    assert words in mail(kind, side, **changes).text


def test_the_block_for_forwarding_has_time_link_and_room_m9() -> None:
    text = mail("reminder_day").text
    block = text.split("-" * 40)[1].split("\n")
    assert block == [
        "",
        "Fair time: 2026-11-25 14:30–15:00 (UTC+8, Asia/Shanghai)",
        f"Link: {LINK}",
        "Room number: 123456789",
        "",
    ]
    assert "-----" not in mail("requested", "team", link="").text
