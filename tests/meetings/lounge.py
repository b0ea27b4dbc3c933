"""An assigned meeting and the people around it: members by operations, guests by the pages as a browser fetches them."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from aiohttp import ClientResponse, ClientSession, DummyCookieJar
from uuid_utils.compat import uuid7

from fairwire_protocol import events
from fairwire_protocol.models import Side
from fairwire_server.meetings.links import Invitation, Links
from tests.chat.desk import Desk
from tests.harness.node import Running
from tests.meetings.booth import Booth

__all__ = ["Browser", "Lounge", "Page"]


@dataclass(frozen=True, slots=True)
class Page:
    """What a browser got."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def state(self) -> str:
        """The page's `data-state`."""
        found = re.search(r'data-state="(\w+)"', self.text)
        return found[1] if found else ""

    @property
    def words(self) -> str:
        """Its text as people read it."""
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", self.text)).split())


class Browser:
    """A browser without scripts: keeps its cookies by path, follows the redirects of our own."""

    def __init__(self, url: str, session: ClientSession, language: str = "en") -> None:
        self._url = url
        self._session = session
        self.language = language
        self.cookies: dict[str, str] = {}
        """By path."""
        self.set_cookies: list[str] = []

    async def get(self, path: str, **headers: str) -> Page:
        """A page."""
        async with self._session.get(
            self._url + path, headers=self._headers(path) | headers, allow_redirects=False
        ) as reply:
            return await self._page(reply)

    async def post(self, path: str, *, follow: bool = True, origin: str | None = "null", **fields: str) -> Page:
        """Send a form; `origin` is what browsers say of a page that asks for no Referer."""
        headers = self._headers(path) | ({"Origin": origin} if origin else {})
        async with self._session.post(self._url + path, data=fields, headers=headers, allow_redirects=False) as reply:
            page = await self._page(reply)
        where = page.headers.get("Location", "")
        return await self.get(where) if follow and page.status == 303 and where.startswith("/") else page

    async def ask(self, method: str, path: str) -> Page:
        """By any other method."""
        async with self._session.request(
            method, self._url + path, headers=self._headers(path), allow_redirects=False
        ) as reply:
            return await self._page(reply)

    def _headers(self, path: str) -> dict[str, str]:
        sent = [
            value for base, value in self.cookies.items() if path == base or path.startswith(base.rstrip("/") + "/")
        ]
        return {"Accept-Language": self.language} | ({"Cookie": "; ".join(sent)} if sent else {})

    async def _page(self, reply: ClientResponse) -> Page:
        for line in reply.headers.getall("Set-Cookie", []):
            self.set_cookies.append(line)
            path = re.search(r"Path=([^;]+)", line)
            assert path is not None
            self.cookies[path[1]] = line.partition(";")[0]
        return Page(reply.status, await reply.text(), dict(reply.headers))


class Lounge(Desk):
    """Names are those of `tests.harness.fairground`; `sales` receives unless it says otherwise."""

    def __init__(self, running: Running) -> None:
        super().__init__(running)
        self.booth = Booth(running)
        self.links = Links(running.node.ground.tokens.key, running.url)

    async def meeting(
        self, hours: float = 1, *, receiver: str | None = "sales", exhibitor: str = "acme", buyer: str = "buyer"
    ) -> UUID:
        """A meeting that begins so many hours from now, assigned unless there is no receiver."""
        booking = await self.booth.booking(await self.booth.slot(hours, exhibitor), buyer, "Bikes", exhibitor)
        if receiver is not None:
            await self.run("assign", booking, self.running.ground[receiver].id, f"{uuid7().int % 10**9:09}")
        return booking

    async def run(self, name: str, *args: Any) -> Any:
        """The first value of a statement of `STATEMENTS`."""
        async with self.running.node.works.begin() as work:
            return await work.connection.fetchval(STATEMENTS[name], *args)

    async def link(self, booking: UUID, who: str = "sales") -> str:
        """The path of a new link."""
        made = await self.call(who, "meetings.invite", booking=booking)
        return str(urlsplit(made.address).path)

    async def own_link(self, booking: UUID, side: Side) -> str:
        """The path of a side's own link, as its notices carry it."""
        async with self.running.node.works.begin() as work:
            made = await self.running.node.services.own_links.addresses(work, [(booking, side)])
        return urlsplit(made[booking, side]).path

    def invitation(self, path: str) -> Invitation:
        """What a link is for."""
        found = self.links.read(path.removeprefix("/m/"))
        assert found is not None
        return found

    async def guests(self, booking: UUID, who: str = "sales") -> list[tuple[str, str]]:
        """Names and states in somebody's lobby."""
        lobby = await self.call(who, "meetings.lobby", booking=booking)
        return [(guest.name, guest.state) for guest in lobby.guests]

    async def admit(self, booking: UUID, who: str = "sales", *, admit: bool = True) -> None:
        """Admit or refuse everybody in somebody's lobby."""
        for guest in (await self.call(who, "meetings.lobby", booking=booking)).guests:
            await self.call(who, "meetings.admit", guest=guest.id, admit=admit)

    async def told(self, who: str, kind: str) -> list[Any]:
        """Events of a kind in somebody's log, oldest first."""
        async with self.running.node.works.read() as work:
            rows = await work.connection.fetch(STATEMENTS["events"], self.running.ground[who].id, kind)
        return [msgspec.msgpack.decode(bytes(row["body"]), type=events.AccountEvent) for row in rows]

    @asynccontextmanager
    async def browsers(self) -> AsyncIterator[Any]:
        """Makes browsers."""
        async with ClientSession(cookie_jar=DummyCookieJar()) as session:
            yield lambda language="en": Browser(self.running.url, session, language)


STATEMENTS = {
    "assign": "WITH r AS (INSERT INTO booking_receiver (booking_id, assignment, account_id, by_id, at) VALUES ($1, 1, $2, $2, now())) "
    "UPDATE booking SET state = 'assigned', receiver_id = $2, room_number = $3, assignment = 1, sequence = 1 "
    "WHERE id = $1 RETURNING id",
    "move": "UPDATE booking SET starts_at = starts_at + $2, ends_at = ends_at + $2, time_revision = time_revision + 1 "
    "WHERE id = $1 RETURNING id",
    "cancel": "UPDATE booking SET state = 'cancelled' WHERE id = $1 RETURNING id",
    "receiver": "UPDATE booking SET receiver_id = $2 WHERE id = $1 RETURNING id",
    "number": "SELECT room_number FROM booking WHERE id = $1",
    "attendance": "SELECT buyer_attendance || ' ' || team_attendance FROM booking WHERE id = $1",
    "entries": "SELECT count(*) FROM booking_entry WHERE booking_id = $1",
    "guests": "SELECT count(*) FROM guest",
    "links": "SELECT count(*) FROM invitation",
    "events": "SELECT body FROM account_event WHERE account_id = $1 AND type = $2 ORDER BY pos",
    "changes": "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_xact_user_tables",
    "state": "UPDATE account SET state = $2 WHERE id = $1 RETURNING id",
    "zone": "UPDATE fair SET time_zone = $1 RETURNING id",
    "lose_invitation": "ALTER TABLE invitation RENAME TO lost_invitation",
    "lose_calendar_feed": "ALTER TABLE calendar_feed RENAME TO lost_calendar_feed",
    "lose_guest": "ALTER TABLE guest RENAME TO lost_guest",
    "cookies": "SELECT encode(cookie_hash, 'hex') FROM guest",
    "feed": "SELECT encode(secret_hash, 'hex') FROM calendar_feed WHERE account_id = $1",
}
"""Looks and pushes behind the operations."""
