"""The pages for people: what runs here, the docs, and the outbox of an installation without a mail server.

Server-rendered and without anything from elsewhere; scripts are two small files of our own, so the content policy needs no
exceptions.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Final

from aiohttp import web
from markupsafe import Markup, escape

from fairwire_protocol.errors import FairwireError
from fairwire_server.clock import Clock
from fairwire_server.doors.asyncapi import asyncapi_document
from fairwire_server.doors.docs_view import docs_view
from fairwire_server.doors.openapi import openapi_document
from fairwire_server.doors.outbox import OutboxPages, OutboxReader, linked
from fairwire_server.doors.schemas import build_version, encoded
from fairwire_server.doors.templating import PACKAGE, templates

__all__ = ["DemoSignIn", "FairName", "PagePolicy", "StartFacts", "page_routes", "terminal_commands"]

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
STATIC: Final[Mapping[str, str]] = {
    "style.css": "text/css",
    "docs.js": "text/javascript",
    "copy.js": "text/javascript",
    "meeting.css": "text/css",
    "meeting.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
FACTS_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FairName:
    """A fair as the start page names it."""

    code: str
    name_en: str
    name_zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSignIn:
    """Somebody to sign in as."""

    role: str
    name: str
    fair: str
    login: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFacts:
    """What the start page tells; `runs` are (what, which) pairs for its foot, `commands` open the terminal client."""

    fairs: Sequence[FairName] = ()
    sign_ins: Sequence[DemoSignIn] = ()
    commands: Sequence[str] = ()
    runs: Sequence[tuple[str, str]] = ()


def terminal_commands(program: str, url: str, sign_ins: Sequence[DemoSignIn]) -> list[str]:
    """What to type into two windows: one as a buyer, one as the first of an exhibitor's team; without demo people, one line."""
    people = [next((one for one in sign_ins if (one.role == "buyer") is buyer), None) for buyer in (True, False)]
    lines = [
        f"{program} --url {url} --profile {one.login} --fair {one.fair} --login {one.login} --password {shlex.quote(one.password)}"
        for one in people
        if one is not None
    ]
    return lines or [f"{program} --url {url}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePolicy:
    """`url` is how the world reaches this server; `open_outbox` shows the outbox to more than this machine."""

    url: str
    open_outbox: bool = False


def page_routes(
    *,
    clock: Clock,
    policy: PagePolicy,
    facts: Callable[[], Awaitable[StartFacts]],
    outbox: OutboxReader | None = None,
) -> list[web.RouteDef]:
    """`/`, `/docs`, both documents, `/static/…`, and `/outbox` where there is one."""
    pages = _Pages(clock, policy, facts, outbox=outbox is not None)
    openapi, asyncapi = openapi_document(server=policy.url), asyncapi_document(host=policy.url.partition("://")[2])
    docs = pages.render("docs.html", page="docs", docs=docs_view(openapi, asyncapi))
    routes = [
        web.get("/", pages.start),
        web.get("/docs", _fixed(docs.encode(), "text/html")),
        web.get("/openapi.json", _fixed(encoded(openapi), "application/json")),
        web.get("/asyncapi.json", _fixed(encoded(asyncapi), "application/json")),
    ]
    folder = files(PACKAGE) / "static"
    routes += [web.get(f"/static/{name}", _fixed((folder / name).read_bytes(), kind)) for name, kind in STATIC.items()]
    if outbox is not None:
        routes += OutboxPages(outbox, pages.show, open_to_all=policy.open_outbox).routes()
    return routes


class _Pages:
    def __init__(
        self,
        clock: Clock,
        policy: PagePolicy,
        facts: Callable[[], Awaitable[StartFacts]],
        *,
        outbox: bool,
    ) -> None:
        self._clock = clock
        self._policy = policy
        self._read_facts = facts
        self._outbox = outbox
        self._known: tuple[float, StartFacts] | None = None
        self._templates = templates()
        self._templates.filters |= {"inline": _inline, "paragraphs": _paragraphs, "linked": linked}

    def render(self, template: str, **values: object) -> str:
        """A page as text."""
        shared = {"page": "", "outbox": self._outbox, "url": self._policy.url, "version": build_version()}
        return self._templates.get_template(template).render(shared | values)

    async def start(self, _: web.Request) -> web.Response:
        """`/`; also while the database is away."""
        try:
            facts: StartFacts | None = await self._facts()
        except FairwireError:
            facts = None
        return _html(self.render("start.html", facts=facts), status=200 if facts else 503)

    def show(self, template: str, **values: object) -> web.Response:
        """A page as an answer."""
        return _html(self.render(template, **values))

    async def _facts(self) -> StartFacts:
        """Read at most every few seconds: the page is open to everybody."""
        now = self._clock.monotonic()
        if self._known is None or now - self._known[0] >= FACTS_S:
            self._known = now, await self._read_facts()
        return self._known[1]


def _html(text: str, status: int = 200) -> web.Response:
    headers = {"Content-Security-Policy": CONTENT_POLICY}
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


def _fixed(data: bytes, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    """An answer that changes only with the program: asked for again by its etag."""
    etag = f'"{sha256(data).hexdigest()[:32]}"'
    headers = {"Cache-Control": "no-cache", "ETag": etag, "Content-Type": f"{kind}; charset=utf-8"}
    if kind == "text/html":
        headers["Content-Security-Policy"] = CONTENT_POLICY

    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=data, headers=headers)

    return answer


def _inline(text: str) -> Markup:
    """Sentences with `code` in them."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 — escaped first


def _paragraphs(text: str) -> Markup:
    """The same, an empty line between two paragraphs."""
    return Markup("").join(Markup("<p>{}</p>").format(_inline(part)) for part in text.split("\n\n"))
