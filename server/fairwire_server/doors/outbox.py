"""The outbox of an installation without providers: every mail and short message as it would have left.

It shows codes that open accounts, so it answers this machine only, and everybody in a demo. A mail's HTML is another's document:
it is framed without scripts, without an origin, and without anything from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, Literal, Protocol
from uuid import UUID

from aiohttp import web
from markupsafe import Markup, escape

from fairwire_protocol.errors import Refused
from fairwire_server.doors.addresses import is_loopback
from fairwire_server.doors.guard import ADDRESS

__all__ = ["OutboxPages", "OutboxParcel", "OutboxReader", "calendar_lines", "linked"]

FRAMED_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
"""Mails have their style in them; nothing else of theirs is let in."""
_STEPS: Final = {"BEGIN:": (0, 1), "END:": (-1, 0)}
_URL: Final = re.compile(r"https?://[^\s<>\"'，。；）】]+")


class OutboxParcel(Protocol):
    """What would have left, whoever keeps it."""

    @property
    def id(self) -> UUID: ...
    @property
    def kind(self) -> Literal["email", "sms"]: ...
    @property
    def recipient(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def subject(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def html(self) -> str | None: ...
    @property
    def calendar(self) -> str | None: ...
    @property
    def calendar_method(self) -> str | None: ...
    @property
    def unsubscribe(self) -> str | None: ...
    @property
    def template(self) -> str: ...
    @property
    def encoding(self) -> str: ...
    @property
    def segments(self) -> Sequence[str]: ...


class OutboxReader(Protocol):
    """Where they are kept."""

    async def newest(self) -> Sequence[OutboxParcel]:
        """The newest first."""

    async def find(self, parcel: UUID) -> OutboxParcel | None:
        """One of them."""


class OutboxPages:
    """`/outbox`, a page for each parcel, its HTML alone, its invitation as a file."""

    def __init__(self, reader: OutboxReader, show: Callable[..., web.Response], *, open_to_all: bool) -> None:
        self._reader = reader
        self._show = show
        self._open_to_all = open_to_all

    def routes(self) -> list[web.RouteDef]:
        """Each refuses whoever may not be at this machine."""
        return [
            web.get("/outbox", self._guarded(self._list)),
            web.get("/outbox/{parcel}", self._guarded(self._one)),
            web.get("/outbox/{parcel}/html", self._guarded(self._html)),
            web.get("/outbox/{parcel}/meeting.ics", self._guarded(self._calendar)),
        ]

    def _guarded(
        self, answer: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def guarded(request: web.Request) -> web.Response:
            if not (self._open_to_all or _at_this_machine(request)):
                raise Refused("forbidden", "The outbox is shown on the server's own machine.")
            return await answer(request)

        return guarded

    async def _list(self, _: web.Request) -> web.Response:
        return self._show("outbox.html", page="outbox", parcels=await self._reader.newest())

    async def _one(self, request: web.Request) -> web.Response:
        parcel = await self._find(request)
        lines = calendar_lines(parcel.calendar) if parcel.calendar is not None else []
        return self._show("parcel.html", page="outbox", parcel=parcel, calendar=lines)

    async def _html(self, request: web.Request) -> web.Response:
        parcel = await self._find(request)
        if parcel.html is None:
            raise Refused("not_found")
        headers = {"Content-Security-Policy": FRAMED_POLICY, "X-Frame-Options": "SAMEORIGIN"}
        return web.Response(text=parcel.html, content_type="text/html", headers=headers)

    async def _calendar(self, request: web.Request) -> web.Response:
        parcel = await self._find(request)
        if parcel.calendar is None:
            raise Refused("not_found")
        headers = {
            "Content-Disposition": 'attachment; filename="meeting.ics"',
            "Content-Type": "text/calendar; charset=utf-8",
        }
        return web.Response(body=parcel.calendar.encode(), headers=headers)

    async def _find(self, request: web.Request) -> OutboxParcel:
        try:
            parcel = await self._reader.find(UUID(request.match_info["parcel"]))
        except ValueError:
            parcel = None
        if parcel is None:
            raise Refused("not_found")
        return parcel


def calendar_lines(text: str) -> list[tuple[int, str, str]]:
    """An iCalendar object's lines, unfolded (RFC 5545 §3.1), as (depth, name with parameters, value)."""
    lines: list[tuple[int, str, str]] = []
    depth = 0
    for line in re.split(r"\r?\n", re.sub(r"\r?\n[ \t]", "", text).rstrip("\r\n")):
        found = re.match(r'((?:[^:"]|"[^"]*")*):(.*)', line)
        name, value = (found[1], found[2]) if found else (line, "")
        before, after = _STEPS.get(f"{name}:".upper(), (0, 0))
        depth = max(0, depth + before)
        lines.append((depth, name, value))
        depth += after
    return lines


def linked(text: str) -> Markup:
    """The text with its addresses as links, which tell nobody where they were followed from."""
    parts: list[str | Markup] = []
    end = 0
    for found in _URL.finditer(text):
        parts += [text[end : found.start()], Markup('<a href="{0}" rel="noopener noreferrer">{0}</a>').format(found[0])]
        end = found.end()
    return Markup("").join(escape(part) for part in [*parts, text[end:]])


def _at_this_machine(request: web.Request) -> bool:
    """No proxy in between that could speak for a stranger, and a Host that no foreign site can make a browser send."""
    forwarded = any(name in request.headers for name in ("X-Forwarded-For", "Forwarded"))
    host = re.sub(r":\d+$", "", request.host)
    return is_loopback(request[ADDRESS]) and not forwarded and host in {"localhost", "127.0.0.1", "[::1]"}
