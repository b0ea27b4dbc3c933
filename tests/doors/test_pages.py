"""The pages for people: complete without anything from elsewhere, and careful with what the outbox holds."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Literal
from uuid import UUID

import pytest
from aiohttp import ClientSession

from fairwire_protocol.errors import Unavailable
from fairwire_protocol.operations import CATALOGUE
from fairwire_server.doors.dispatch import Dispatch
from fairwire_server.doors.http import HttpPolicy, build_http_app
from fairwire_server.doors.limits import Limits
from fairwire_server.doors.listen import listening
from fairwire_server.doors.pages import DemoSignIn, FairName, PagePolicy, StartFacts, page_routes, terminal_commands
from fairwire_server.observe import Metrics
from tests.doors.service import Service, authenticate
from tests.harness.clock import ManualClock

FACTS = StartFacts(
    fairs=[FairName(code="spring-2026", name_en="Spring <Fair>", name_zh="春季展会")],
    sign_ins=[DemoSignIn(role="buyer", name="李伟", fair="spring-2026", login="buyer1", password="demo-pass")],
    commands=["python -m fairwire --help"],
    runs=[("PostgreSQL", "18, embedded")],
)


@dataclass(frozen=True)
class Parcel:
    """What is in an outbox."""

    id: UUID
    kind: Literal["email", "sms"]
    recipient: str
    text: str
    subject: str = ""
    at: datetime = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
    language: str = "en"
    html: str | None = None
    calendar: str | None = None
    calendar_method: str | None = None
    unsubscribe: str | None = None
    template: str = ""
    encoding: str = ""
    segments: tuple[str, ...] = ()


LETTER = Parcel(UUID(int=1), "email", "li.wei@example.com", "It is <482913>. https://x.example/a?b=1&c=2", "Your code")
INVITATION = Parcel(
    UUID(int=2),
    "email",
    "li.wei@example.com",
    "Text",
    "<Meeting>",
    html="<p onclick=alert(1)>Hi<script>alert(2)</script>",
    calendar="BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:<b>a\r\n  long\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    calendar_method="REQUEST",
    unsubscribe="https://fair.example/u/1",
)
MESSAGE = Parcel(
    UUID(int=3), "sms", "+8613800138000", "一二", template="code.zh", encoding="ucs2", segments=("一", "二")
)


class Site:
    """Running pages, with knobs."""

    def __init__(self) -> None:
        self.facts: StartFacts | None = FACTS
        self.url = ""
        self.clock = ManualClock()

    async def read_facts(self) -> StartFacts:
        """What is set, or a database away."""
        if self.facts is None:
            raise Unavailable("busy")
        return self.facts

    async def newest(self) -> Sequence[Parcel]:
        """Two mails and a short message."""
        return [MESSAGE, INVITATION, LETTER]

    async def find(self, parcel: UUID) -> Parcel | None:
        """One of them."""
        return next((one for one in await self.newest() if one.id == parcel), None)


@asynccontextmanager
async def site(*, outbox: bool = True, open_outbox: bool = False) -> AsyncIterator[tuple[Site, ClientSession]]:
    """The pages behind a real server."""
    made, metrics = Site(), Metrics()
    limits = Limits(made.clock, factor=0)
    registry = Service().registry()
    app = build_http_app(
        registry=registry,
        dispatch=Dispatch(registry, limits, limits, metrics),
        authenticate=authenticate,
        policy=HttpPolicy(),
        metrics=metrics,
        routes=page_routes(
            clock=made.clock,
            policy=PagePolicy(url="http://fair.example.com:8080", open_outbox=open_outbox),
            facts=made.read_facts,
            outbox=made if outbox else None,
        ),
    )
    async with listening(app, "127.0.0.1", 0) as port:
        made.url = f"http://127.0.0.1:{port}"
        async with ClientSession(made.url) as client:
            yield made, client


class Audit(HTMLParser):
    """Collects what a page loads and links, and what keeps it from being accessible."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.faults: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in {"script", "img"} or (tag == "link"):
            self.loads.append(named.get("src") or named.get("href") or "inline")
        if tag == "a" and (href := named.get("href")):
            self.links.append(href)
        if "id" in named:
            self.ids.append(str(named["id"]))
        if tag == "style" or any(name.startswith("on") or name == "style" for name in named):
            self.faults.append(f"inline style or script in <{tag}>")
        if tag == "img" and "alt" not in named:
            self.faults.append("an image without alt")
        if tag == "th" and "scope" not in named:
            self.faults.append("a th without scope")
        if tag not in {"meta", "link", "img", "input", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")


def audited(text: str) -> Audit:
    """Parsed to the end."""
    audit = Audit()
    audit.feed(text)
    audit.close()
    return audit


@pytest.mark.parametrize("path", ["/", "/docs", "/outbox"])
async def test_a_page_loads_only_its_own_files_and_says_so_to_the_browser(path: str) -> None:
    async with site() as (_, client):
        async with client.get(path) as answer:
            text = await answer.text()
            assert (answer.status, answer.content_type) == (200, "text/html")
            policy = answer.headers["Content-Security-Policy"]
            assert (answer.headers["X-Frame-Options"], answer.headers["Referrer-Policy"]) == ("DENY", "no-referrer")
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        audit = audited(text)
        assert audit.faults == []
        assert audit.open == []
        assert '<html lang="en">' in text
        assert text.count("<h1") == 1
        assert len(audit.ids) == len(set(audit.ids))
        for load in set(audit.loads):
            assert load.startswith("/static/")
            async with client.get(load) as file:
                assert (file.status, file.headers["X-Content-Type-Options"]) == (200, "nosniff")


async def test_every_link_within_the_docs_leads_somewhere() -> None:
    async with site() as (_, client), client.get("/docs") as answer:
        text = await answer.text()
    audit = audited(text)
    anchors = {link.removeprefix("#") for link in audit.links if link.startswith("#")}
    assert anchors - set(audit.ids) == set()
    assert len(anchors) > 80
    for name in CATALOGUE:
        assert name in audit.ids
    assert "{{" not in text
    assert "&lt;code&gt;" not in text
    assert "&lt;/p&gt;" not in text


async def test_the_start_page_shows_the_fair_the_sign_ins_and_the_commands() -> None:
    async with site() as (_, client), client.get("/") as answer:
        text = await answer.text()
    for shown in (
        "Spring &lt;Fair&gt;",
        "春季展会",
        "buyer1",
        "demo-pass",
        "python -m fairwire --help",
        "18, embedded",
    ):
        assert shown in text


async def test_the_address_that_short_messages_name_leads_to_the_room_page_m9_n7() -> None:
    async with site() as (_, client), client.get("/") as answer:
        assert 'href="/room"' in await answer.text()


async def test_the_start_page_stands_while_the_database_does_not() -> None:
    async with site() as (made, client):
        made.facts = None
        async with client.get("/") as answer:
            assert (answer.status, "database does not answer" in await answer.text()) == (503, True)
        made.facts = FACTS
        async with client.get("/") as answer:
            assert answer.status == 200


async def test_static_answers_are_asked_for_again_by_etag() -> None:
    async with site() as (_, client):
        for path in ("/docs", "/openapi.json", "/static/style.css"):
            async with client.get(path) as first:
                etag = first.headers["ETag"]
            async with client.get(path, headers={"If-None-Match": etag}) as again:
                assert (again.status, await again.read()) == (304, b"")


async def test_the_documents_served_name_this_server() -> None:
    async with site() as (_, client):
        async with client.get("/openapi.json") as answer:
            assert (await answer.json())["servers"] == [{"url": "http://fair.example.com:8080"}]
        async with client.get("/asyncapi.json") as answer:
            assert (await answer.json())["servers"]["json"]["host"] == "fair.example.com:8080"


# the outbox


async def test_the_outbox_shows_letters_on_this_machine_escaped_and_renews_itself() -> None:
    async with site() as (_, client), client.get("/outbox") as answer:
        text = await answer.text()
        assert answer.headers["Cache-Control"] == "no-store"
    assert "It is &lt;482913&gt;." in text
    assert re.search(r'http-equiv="refresh" content="\d+"', text)


@pytest.mark.parametrize(
    "headers", [{"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}, {"Host": "rebound.example:80"}]
)
async def test_the_outbox_is_closed_to_whoever_may_not_be_at_this_machine(headers: dict[str, str]) -> None:
    """Its codes open accounts: neither a proxy's clients nor a foreign site that points its name here may read them."""
    async with site() as (_, client), client.get("/outbox", headers=headers) as answer:
        text = await answer.text()
        assert (answer.status, "482913" in text) == (403, False)
    async with site(open_outbox=True) as (_, client), client.get("/outbox", headers=headers) as answer:
        assert answer.status == 200


async def test_a_mail_is_shown_whole_and_its_html_can_do_nothing_m14_n8() -> None:
    async with site() as (_, client):
        async with client.get(f"/outbox/{INVITATION.id}") as answer:
            text = await answer.text()
            assert "frame-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "<script>alert" not in text
        assert "onclick" not in text
        assert f'<iframe class="framed" sandbox src="/outbox/{INVITATION.id}/html"' in text
        assert "SUMMARY" in text
        assert "&lt;b&gt;a long" in text  # unfolded, escaped
        assert not audited(text).faults
        async with client.get(f"/outbox/{INVITATION.id}/html") as answer:
            assert await answer.text() == INVITATION.html
            policy = answer.headers["Content-Security-Policy"]
            assert "sandbox" in policy
            assert "default-src 'none'" in policy
            assert "script" not in policy
            assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
        async with client.get(f"/outbox/{INVITATION.id}/meeting.ics") as answer:
            assert (await answer.read()).decode() == INVITATION.calendar
            assert answer.headers["Content-Disposition"].startswith("attachment")


async def test_a_short_message_is_shown_with_its_segments_n7() -> None:
    async with site() as (_, client), client.get(f"/outbox/{MESSAGE.id}") as answer:
        text = await answer.text()
    assert "2 segments, UCS-2" in text
    assert "<pre>一</pre>" in text
    assert "<pre>二</pre>" in text
    assert "code.zh" in text


async def test_links_of_a_text_can_be_followed_and_tell_nothing() -> None:
    async with site() as (_, client), client.get(f"/outbox/{LETTER.id}") as answer:
        text = await answer.text()
    assert '<a href="https://x.example/a?b=1&amp;c=2" rel="noopener noreferrer">' in text


@pytest.mark.parametrize(
    "path",
    [f"/outbox/{UUID(int=9)}", "/outbox/nothing", f"/outbox/{MESSAGE.id}/html", f"/outbox/{LETTER.id}/meeting.ics"],
)
async def test_what_is_not_there_is_not_found(path: str) -> None:
    async with site() as (_, client), client.get(path) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    "path", [f"/outbox/{LETTER.id}", f"/outbox/{INVITATION.id}/html", f"/outbox/{INVITATION.id}/meeting.ics"]
)
async def test_no_part_of_the_outbox_is_open_to_others(path: str) -> None:
    async with site() as (_, client), client.get(path, headers={"X-Forwarded-For": "127.0.0.1"}) as answer:
        assert answer.status == 403


async def test_with_a_mail_server_there_is_no_outbox() -> None:
    async with site(outbox=False) as (_, client):
        async with client.get("/outbox") as answer:
            assert answer.status == 404
        async with client.get("/") as answer:
            assert "/outbox" not in await answer.text()


def test_two_windows_one_for_each_side() -> None:
    people = [
        DemoSignIn(role=role, name="n", fair="demo", login=login, password="a b")
        for role, login in (("main", "acme-main"), ("buyer", "buyer1"), ("buyer", "buyer2"))
    ]
    assert terminal_commands("fairwire", "http://x", people) == [
        f"fairwire --url http://x --profile {login} --fair demo --login {login} --password 'a b'"
        for login in ("buyer1", "acme-main")
    ]
    assert terminal_commands("fairwire", "http://x", []) == ["fairwire --url http://x"]
