"""Guests, from the outside: people without an account, by an invitation link or a room number (M9).

Looking changes nothing: scanners and browsers follow links before people do (N8). What acts is saying one's name, which leads to
the lobby and no further, and entering once admitted. A guest is known by its browser's cookie, of which the digest is kept.

A room number that is nobody's and one that leads nowhere now (too early, too late, called off, its lobby full) get one and the
same answer: numbers are short enough to be guessed at, and an answer that told them apart would say which are in use. Who has a
number has the meeting's time beside it; a link, which cannot be guessed, says what it is that keeps one out.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, Literal
from uuid import UUID

from fairwire_protocol.errors import Refused, Unavailable
from fairwire_protocol.models import Guest, Side
from fairwire_server.accounts.throttle import Throttle
from fairwire_server.database.ids import uuid7
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Work, Works
from fairwire_server.meetings.entry_rules import GUESTS_MAX, Gate, check_gate, closes_at, gate_of, opens_at
from fairwire_server.meetings.links import Invitation, Links
from fairwire_server.meetings.lobby_events import LobbyEvents
from fairwire_server.meetings.rooms import Entrant, RoomProvider
from fairwire_server.meetings.rooms_store import RoomStore, guest_of
from fairwire_server.meetings.telling import Telling

__all__ = ["Door", "Guests", "MeetingFacts"]

NAME_MAX: Final = 60
_NUMBER: Final = re.compile(r"[0-9]{9}")
_NOT_TYPED: Final = re.compile(r"[\s\-–.·]+")
NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingFacts:
    """What a page tells of a meeting."""

    exhibitor_zh: str
    exhibitor_en: str
    fair_zh: str
    fair_en: str
    zone: str
    starts_at: datetime
    ends_at: datetime
    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How a browser stands before a meeting. `unknown` is no link of ours, `revoked` one that was taken back."""

    gate: Gate | Literal["unknown", "revoked"]
    now: datetime
    meeting: MeetingFacts | None = None
    guest: Guest | None = None


@dataclass(frozen=True, slots=True)
class _Way:
    """By what a browser comes."""

    booking: UUID
    side: Side
    invitation: UUID | None


class Guests:
    """What the pages for guests do."""

    def __init__(
        self,
        works: Works,
        store: RoomStore,
        links: Links,
        rooms: RoomProvider,
        telling: Telling,
        events: LobbyEvents,
        throttle: Throttle,
    ) -> None:
        self._works = works
        self._store = store
        self._links = links
        self._rooms = rooms
        self._telling = telling
        self._events = events
        self._throttle = throttle

    async def look(self, token: str, cookie: str | None) -> Door:
        """What stands behind a link; changes nothing."""
        if (invitation := self._links.read(token)) is None:  # a guess costs no query
            return Door(gate="unknown", now=self._works.clock.now())
        async with self._works.read() as work:
            return await self._behind(work, invitation, cookie)

    async def look_again(self, guest: UUID, cookie: str | None) -> Door:
        """The same for a guest who came by room number."""
        async with self._works.read() as work:
            row = await self._store.row(work.connection, "guest", guest)
            found = None if row is None else await self._of_browser(work, row["booking_id"], cookie)
            if row is None or found is None or found.id != guest:
                return Door(gate="unknown", now=work.now)
            return await self._standing(work, row["booking_id"], found)

    async def knock(self, token: str, name: str, cookie: str) -> Door:
        """Into the lobby by a link. Raises `invalid` for no name, `guest_limit`."""
        invitation = self._links.read(token)
        if invitation is None:
            return Door(gate="unknown", now=self._works.clock.now())
        name = _clean(name)
        async with self._works.begin() as work:
            await self._store.lock(work.connection, invitation.booking)
            door = await self._behind(work, invitation, cookie)
            if door.gate != "open":
                return door
            way = _Way(invitation.booking, invitation.side, invitation.id)
            guest = await self._waits(work, way, door.guest, name, cookie)
            return await self._standing(work, invitation.booking, guest)

    async def knock_by_number(self, number: str, side: Side, name: str, cookie: str, address: str) -> Guest:
        """Into the lobby by a room number. Raises `invalid`, `not_found` for whatever is the matter with it, `rate_limited`."""
        name, digits = _clean(name), _NOT_TYPED.sub("", unicodedata.normalize("NFKC", number))
        if _NUMBER.fullmatch(digits) is None:
            raise Refused("invalid", field="number")
        self._throttle.type_number(address)
        try:
            guest = await self._by_number(digits, side, name, cookie)
        except Refused:
            self._throttle.number_wrong(address)
            raise Refused("not_found") from None
        self._throttle.number_right(address)
        return guest

    async def enter(self, token: str, cookie: str | None, language: Literal["zh", "en"]) -> str:
        """The room's address for an admitted guest. Raises `too_early`, `too_late`, `wrong_state`, `forbidden`, `not_found`."""
        invitation = self._links.read(token)
        if invitation is None:
            raise Refused("not_found")
        async with self._works.begin() as work:
            await self._store.lock(work.connection, invitation.booking)
            if (await self._behind(work, invitation, cookie)).gate == "revoked":
                raise Refused("forbidden", "The link was taken back.")
            guest = await self._of_browser(work, invitation.booking, cookie)
            return await self._goes_in(work, invitation.booking, guest, language)

    async def enter_by_number(self, guest: UUID, cookie: str | None, language: Literal["zh", "en"]) -> str:
        """The same for a guest who came by room number."""
        async with self._works.begin() as work:
            row = await self._store.row(work.connection, "guest", guest)
            if row is None:
                raise Refused("not_found")
            await self._store.lock(work.connection, row["booking_id"])
            found = await self._of_browser(work, row["booking_id"], cookie)
            if found is None or found.id != guest:
                raise Refused("not_found")
            return await self._goes_in(work, row["booking_id"], found, language)

    async def _by_number(self, number: str, side: Side, name: str, cookie: str) -> Guest:
        async with self._works.begin() as work:
            booking = await self._store.value(work.connection, "booking_of_number", number)
            if booking is None:
                raise Refused("not_found")
            await self._store.lock(work.connection, booking)
            row = await self._meeting(work, booking)
            check_gate(row["state"], row["starts_at"], row["ends_at"], work.now)
            known = await self._of_browser(work, booking, cookie)
            if known is None:
                try:
                    self._throttle.guest_by_number(str(booking))
                except Unavailable:
                    raise Refused("not_found") from None  # a delay would say that the number is right
            return await self._waits(work, _Way(booking, side, None), known, name, cookie)

    async def _behind(self, work: Work, invitation: Invitation, cookie: str | None) -> Door:
        row = await self._store.row(work.connection, "behind", invitation.id, _digest(cookie or ""))
        if row is None or (row["booking_id"], row["side"]) != (invitation.booking, invitation.side):
            return Door(gate="unknown", now=work.now)
        if row["revoked_at"] is not None:
            return Door(gate="revoked", now=work.now)
        gate = gate_of(row["state"], row["starts_at"], row["ends_at"], work.now)
        return Door(gate=gate, now=work.now, meeting=_facts(row), guest=_beside(row))

    async def _standing(self, work: Work, booking: UUID, guest: Guest | None) -> Door:
        row = await self._meeting(work, booking)
        gate = gate_of(row["state"], row["starts_at"], row["ends_at"], work.now)
        return Door(gate=gate, now=work.now, meeting=_facts(row), guest=guest)

    async def _waits(self, work: Work, way: _Way, known: Guest | None, name: str, cookie: str) -> Guest:
        """The browser's guest, new or known; whoever is told is told once."""
        entrance = await self._store.entrance(work.connection, way.booking, NOBODY)
        assert entrance is not None
        if known is not None:
            renamed = await self._store.row(work.connection, "rename_guest", known.id, name)
            if renamed is None:
                return known
            guest = guest_of(renamed)
            await self._telling.told_again(work, [], await self._events.changed(work, entrance, guest))
            return guest
        args = way.booking, way.side, way.invitation
        if await self._store.value(work.connection, "count_guests", *args, NOBODY) >= GUESTS_MAX:
            raise Refused("guest_limit")
        row = await self._store.row(work.connection, "insert_guest", uuid7(), *args, name, _digest(cookie), work.now)
        assert row is not None
        guest = guest_of(row)
        await self._events.waits(work, entrance, guest)
        await self._telling.told_again(work, [], await self._events.changed(work, entrance, guest))
        return guest

    async def _goes_in(self, work: Work, booking: UUID, guest: Guest | None, language: Literal["zh", "en"]) -> str:
        row = await self._meeting(work, booking)
        check_gate(row["state"], row["starts_at"], row["ends_at"], work.now)
        if guest is None:
            raise Refused("not_found")
        if guest.state != "admitted":
            raise Refused("forbidden", "Nobody has let this guest in yet (M9).")
        await self._store.run(work.connection, "guest_entered", guest.id, work.now)
        if await self._store.value(work.connection, "set_attendance", booking, guest.side, "attended"):
            await self._telling.told_again(work, [booking])  # M11: a guest of the side counts
        entrant = Entrant(
            booking=booking,
            room=self._links.room_name(booking),
            id=guest.id,
            name=guest.name,
            member=False,
            language=language,
            opens_at=opens_at(row["starts_at"]),
            closes_at=closes_at(row["ends_at"]),
        )
        return self._rooms.address(entrant, work.now)

    async def _of_browser(self, work: Work, booking: UUID, cookie: str | None) -> Guest | None:
        if not cookie:
            return None
        row = await self._store.row(work.connection, "guest_of_browser", booking, _digest(cookie))
        return None if row is None else guest_of(row)

    async def _meeting(self, work: Work, booking: UUID) -> Row:
        row = await self._store.row(work.connection, "meeting", booking)
        assert row is not None  # bookings are never erased (M3)
        return row


def _facts(row: Row) -> MeetingFacts:
    return MeetingFacts(
        exhibitor_zh=row["name_zh"],
        exhibitor_en=row["name_en"],
        fair_zh=row["fair_zh"],
        fair_en=row["fair_en"],
        zone=row["time_zone"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        opens_at=opens_at(row["starts_at"]),
        closes_at=closes_at(row["ends_at"]),
    )


def _beside(row: Row) -> Guest | None:
    """The browser's guest in a row of the query `behind`."""
    if row["guest_id"] is None:
        return None
    names = ("booking_id", "admitted_at", "refused_at")
    return guest_of(
        {name: row[name] for name in names} | {name: row[f"guest_{name}"] for name in ("id", "side", "name", "at")}
    )


def _clean(name: str) -> str:
    """A name as others will see it: one line, nothing that turns text around."""
    plain = "".join(char for char in unicodedata.normalize("NFC", name) if unicodedata.category(char)[0] != "C")
    if not (plain := " ".join(plain.split())) or len(plain) > NAME_MAX:
        raise Refused("invalid", field="name")
    return plain


def _digest(cookie: str) -> bytes:
    return sha256(cookie.encode("utf-8", "surrogatepass")).digest()
