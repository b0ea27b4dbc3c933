"""The pages for guests of a meeting: an invitation link's, the room number's, and a calendar's private address (M9, M14, N8).

Server-rendered, small, and complete without a script. A GET shows how things stand and changes nothing, however often a scanner
follows it; its cookie, which makes the same browser the same guest, is drawn by chance and kept nowhere until somebody knocks.
Tokens stand in these addresses, so no page sends a Referer and no log names more of a path than its pattern.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast
from urllib.parse import parse_qs
from uuid import UUID

import msgspec
from aiohttp import web

from fairwire_protocol.errors import FairwireError, Refused
from fairwire_protocol.models import Side
from fairwire_server.clock import milliseconds
from fairwire_server.doors.guard import ADDRESS
from fairwire_server.doors.meeting_words import WORDS, Language, language_of, left, offset, when
from fairwire_server.doors.templating import templates
from fairwire_server.meetings.feeds import Served
from fairwire_server.meetings.guests import Door, Guests, MeetingFacts

__all__ = ["INSIDE", "MeetingPolicy", "meeting_routes"]

COOKIE: Final = "fairwire_guest"
INSIDE: Final = "/meeting-room"
"""Where people arrive on an installation without rooms."""
BODY_MAX: Final = 4096
READ_S: Final = 10.0
EARLY_REFRESH_S: Final = 60
LOBBY_REFRESH_S: Final = 5
COOKIE_AFTER: Final = timedelta(hours=1)
STATUS: Final = {"unknown": 404, "revoked": 410}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingPolicy:
    """`secure` cookies where people come by https; `room_origin` is where an entering guest is sent; `check` counts requests of an
    address and raises `rate_limited`."""

    secure: bool
    room_origin: str
    check: Callable[[str], None]


def meeting_routes(
    guests: Guests, feed: Callable[[str], Awaitable[Served | None]], policy: MeetingPolicy
) -> list[web.RouteDef]:
    """`/m/…`, `/room`, `/calendar/…`, and where people arrive without a room elsewhere."""
    pages = _MeetingPages(guests, policy)

    async def calendar(request: web.Request) -> web.StreamResponse:
        policy.check(request[ADDRESS])
        served = await feed(request.match_info["secret"])
        if served is None:
            raise Refused("not_found", "There is no such calendar.")
        etag = f'"{served.etag}"'
        headers = {"Cache-Control": "private, no-cache", "ETag": etag, "Content-Type": "text/calendar; charset=utf-8"}
        if etag in (part.strip().removeprefix("W/") for part in request.headers.get("If-None-Match", "").split(",")):
            return web.Response(status=304, headers=headers)
        return web.Response(body=served.data, headers=headers)

    return [
        web.get("/m/{token}", pages.guarded(pages.look)),
        web.post("/m/{token}", pages.guarded(pages.knock)),
        web.get("/m/{token}/state", pages.state),
        web.post("/m/{token}/enter", pages.guarded(pages.enter)),
        web.get("/room", pages.guarded(pages.room)),
        web.post("/room", pages.guarded(pages.knock_by_number)),
        web.get("/room/{guest}", pages.guarded(pages.look)),
        web.get("/room/{guest}/state", pages.state),
        web.post("/room/{guest}/enter", pages.guarded(pages.enter)),
        web.get(INSIDE, pages.guarded(pages.inside)),
        web.get("/calendar/{secret}.ics", calendar),
    ]


class _MeetingPages:
    def __init__(self, guests: Guests, policy: MeetingPolicy) -> None:
        self._guests = guests
        self._policy = policy
        self._template = templates().get_template("meeting.html")
        self._content_policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            f"base-uri 'none'; form-action 'self' {policy.room_origin}; frame-ancestors 'none'"
        )

    def guarded(self, handler: Handler) -> Handler:
        """Counted by address; a refusal is a page as well."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                self._policy.check(request[ADDRESS])
                return await handler(request)
            except FairwireError as error:
                return self._refusal(request, error)

        return answer

    async def look(self, request: web.Request) -> web.StreamResponse:
        """How things stand, for a link or for a guest in the lobby by number."""
        door = await self._door(request)
        response = self._shown(request, door)
        if door.gate == "open" and door.guest is None and _cookie(request) is None:
            self._set_cookie(response, request.path, _new_cookie(), door)
        return response

    async def state(self, request: web.Request) -> web.StreamResponse:
        """The page's `data-state`, for its script."""
        self._policy.check(request[ADDRESS])
        body = {"state": _state(await self._door(request))}
        return web.Response(body=msgspec.json.encode(body), content_type="application/json")

    async def knock(self, request: web.Request) -> web.StreamResponse:
        """A name was said: into the lobby, and back to the page."""
        form = await _form(request)
        cookie = _cookie(request) or _new_cookie()
        token = request.match_info["token"]
        try:
            door = await self._guests.knock(token, form.get("name", ""), cookie)
        except Refused as error:
            if error.code == "guest_limit":
                return self._page(request, "full", 409)
            if error.code != "invalid":
                raise
            door = await self._guests.look(token, cookie)
            return self._shown(request, door, status=422, error="bad_name", name=form.get("name", ""))
        if door.guest is None:
            return self._shown(request, door)
        response = web.Response(status=303, headers={"Location": request.path})
        self._set_cookie(response, request.path, cookie, door)
        return response

    async def room(self, request: web.Request) -> web.StreamResponse:
        """The page that the SMS names."""
        return self._room_form(request)

    async def knock_by_number(self, request: web.Request) -> web.StreamResponse:
        """A number was typed: into the lobby, or one sentence for whatever is the matter (`meetings/guests.py` says why)."""
        form = await _form(request)
        cookie = _cookie(request) or _new_cookie()
        if form.get("side") not in ("buyer", "team"):
            raise Refused("invalid", field="side")
        side = cast("Side", form["side"])
        number, name = form.get("number", ""), form.get("name", "")
        try:
            guest = await self._guests.knock_by_number(number, side, name, cookie, request[ADDRESS])
        except Refused as error:
            if error.code == "not_found":
                return self._room_form(request, form, "no_number", status=404)
            if error.code != "invalid":
                raise
            return self._room_form(request, form, f"bad_{error.field}", status=422)
        response = web.Response(status=303, headers={"Location": f"/room/{guest.id}"})
        self._set_cookie(response, "/room", cookie)
        return response

    async def enter(self, request: web.Request) -> web.StreamResponse:
        """An admitted guest goes on to the room. Whoever is not, or no longer, is shown how things stand."""
        language, cookie = _language(request), _cookie(request)
        try:
            if (token := request.match_info.get("token")) is not None:
                address = await self._guests.enter(token, cookie, language)
            else:
                address = await self._guests.enter_by_number(_guest(request), cookie, language)
        except Refused:
            return self._shown(request, await self._door(request), status=403)
        return web.Response(status=303, headers={"Location": address})

    async def inside(self, request: web.Request) -> web.StreamResponse:
        """In place of a room."""
        return self._page(request, "inside", 200)

    async def _door(self, request: web.Request) -> Door:
        if (token := request.match_info.get("token")) is not None:
            return await self._guests.look(token, _cookie(request))
        return await self._guests.look_again(_guest(request), _cookie(request))

    def _shown(
        self, request: web.Request, door: Door, *, status: int | None = None, error: str = "", name: str = ""
    ) -> web.Response:
        language = _language(request)
        words, state = WORDS[language], _state(door)
        by_link = "token" in request.match_info
        base = request.path.removesuffix("/enter")
        # By number alone nothing is told of a meeting until somebody in it has let the guest in.
        shows = door.meeting is not None and (by_link or state == "admitted")
        heading = {"open": "join"}.get(state, state)
        forms = {"open": ("join", base), "admitted": ("enter", f"{base}/enter")}
        form, action = forms.get(state, ("", ""))
        waits = state in {"waiting", "refused"}
        return self._rendered(
            status or STATUS.get(door.gate, 200),
            language,
            state=state,
            heading=words[heading],
            more=words.get(f"{heading}_more", ""),
            error=words[error] if error else "",
            meeting=_meeting(language, words, door.meeting, door) if shows and door.meeting else None,
            form=form,
            action=action,
            name=name,
            refresh=LOBBY_REFRESH_S if waits else EARLY_REFRESH_S if state == "early" else 0,
            poll=f"{base}/state" if waits else "",
        )

    def _room_form(
        self, request: web.Request, form: Mapping[str, str] | None = None, error: str = "", status: int = 200
    ) -> web.Response:
        language, form = _language(request), form or {}
        words = WORDS[language]
        return self._rendered(
            status,
            language,
            state="room",
            heading=words["room"],
            more=words.get(f"{error}_more", words["room_more"]),
            error=words[error] if error else "",
            form="room",
            action="/room",
            name=form.get("name", ""),
            number=form.get("number", ""),
            side=form.get("side", ""),
        )

    def _refusal(self, request: web.Request, error: FairwireError) -> web.Response:
        word = {"rate_limited": "slow_down", "not_found": "unknown"}.get(error.code, "busy")
        response = self._page(request, word, error.status)
        if error.retry_after_ms is not None:
            response.headers["Retry-After"] = str(max(1, -(-error.retry_after_ms // 1000)))
        return response

    def _page(self, request: web.Request, word: str, status: int) -> web.Response:
        language = _language(request)
        words = WORDS[language]
        return self._rendered(status, language, state=word, heading=words[word], more=words.get(f"{word}_more", ""))

    def _rendered(self, status: int, language: Language, **values: Any) -> web.Response:
        blank = dict.fromkeys(("error", "form", "action", "name", "number", "side", "poll"), "")
        page = {"language": language, "words": WORDS[language], "meeting": None, "refresh": 0} | blank | values
        headers = {
            "Content-Security-Policy": self._content_policy,
            "Content-Language": language,
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex, nofollow",
        }
        return web.Response(status=status, text=self._template.render(page), content_type="text/html", headers=headers)

    def _set_cookie(self, response: web.StreamResponse, path: str, value: str, door: Door | None = None) -> None:
        """For as long as the meeting can be entered, for this link's address or the room page's alone."""
        life = (door.meeting.closes_at - door.now) if door and door.meeting else timedelta(days=1)
        response.set_cookie(
            COOKIE,
            value,
            path=path,
            max_age=int((life + COOKIE_AFTER).total_seconds()),
            httponly=True,
            secure=self._policy.secure,
            samesite="Lax",
        )


def _state(door: Door) -> str:
    if door.gate == "open" and door.guest is not None:
        return door.guest.state
    return door.gate


def _meeting(language: Language, words: Mapping[str, str], facts: MeetingFacts, door: Door) -> dict[str, object]:
    chinese = language == "zh"
    exhibitor = (facts.exhibitor_zh if chinese else facts.exhibitor_en) or facts.exhibitor_en
    until = facts.opens_at if door.gate == "early" else facts.starts_at
    counts = door.gate in {"early", "open"} and until > door.now
    return {
        "fair": (facts.fair_zh if chinese else facts.fair_en) or facts.fair_en,
        "title": words["with"].format(exhibitor=exhibitor),
        "fair_time": when(language, facts.zone, facts.starts_at, facts.ends_at),
        "zone": f"{facts.zone}, {offset(facts.zone, facts.starts_at)}",
        "opens_time": when(language, facts.zone, facts.opens_at),
        "starts_ms": milliseconds(facts.starts_at),
        "ends_ms": milliseconds(facts.ends_at),
        "until": left(language, until - door.now) if counts else "",
        "until_label": words["opens_in"] if door.gate == "early" else words["starts_in"],
        "until_ms": milliseconds(until),
        "now_ms": milliseconds(door.now),
    }


def _language(request: web.Request) -> Language:
    return language_of(request.headers.get("Accept-Language", ""))


def _cookie(request: web.Request) -> str | None:
    """What a browser brings, if it can be one of ours."""
    value = request.cookies.get(COOKIE)
    return value if value is not None and len(value) == len(_new_cookie()) else None


def _new_cookie() -> str:
    return secrets.token_urlsafe(32)


def _guest(request: web.Request) -> UUID:
    try:
        return UUID(request.match_info["guest"])
    except ValueError:
        raise Refused("not_found") from None


async def _form(request: web.Request) -> dict[str, str]:
    """A small form's fields; the last of a name counts."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refused("malformed")
    data = b""
    try:
        async with asyncio.timeout(READ_S):
            while piece := await request.content.readany():
                data += piece
                if len(data) > BODY_MAX:
                    raise Refused("too_large")
    except TimeoutError:
        raise Refused("malformed") from None
    try:
        fields = parse_qs(data.decode("ascii"), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise Refused("malformed") from None
    return {name: values[-1] for name, values in fields.items()}
