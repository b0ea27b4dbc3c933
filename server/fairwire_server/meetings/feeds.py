"""The calendar of an account (M14, M15): a meeting as a file, and a private address to subscribe to.

The address is a MAC over the account and the instant at which it was made, so that it can be shown again though only its digest
is kept; making it anew ends the one before.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from fairwire_protocol.operations import Request
from fairwire_protocol.operations import rooms as operations
from fairwire_server.accounts.callers import capabilities_of
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller, booking_scopes
from fairwire_server.clock import milliseconds
from fairwire_server.context import BinaryReply, Context
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Work, Works
from fairwire_server.meetings.calendar import Calendars, Language, Meeting
from fairwire_server.meetings.entry_rules import check_sees
from fairwire_server.meetings.rooms_store import RoomStore

__all__ = ["Feeds", "Served"]

BACK: Final = timedelta(days=31)
AHEAD: Final = timedelta(days=366)
EVENTS_MAX: Final = 500
SECRET_CHARS: Final = 43
CALENDAR: Final = "text/calendar; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Served:
    """A feed as it is now."""

    data: bytes
    etag: str


class Feeds:
    """Handlers of `meetings.calendar`, `meetings.feed` and `meetings.reset_feed`, and what is served at the address."""

    def __init__(
        self,
        works: Works,
        commands: Commands,
        store: RoomStore,
        calendars: Calendars,
        key: Callable[[bytes], bytes],
        url: str,
    ) -> None:
        self._works = works
        self._commands = commands
        self._store = store
        self._calendars = calendars
        self._key = key(b"calendar feed")
        self._url = url.rstrip("/")

    async def calendar(self, caller: Caller, _: Context, request: operations.MeetingRef) -> BinaryReply:
        """One meeting, for whoever sees it."""
        async with self._works.read() as work:
            check_sees(caller, await self._store.entrance(work.connection, request.booking, caller.account))
            row = await self._store.row(work.connection, "calendar_booking", request.booking)
            assert row is not None
            language = await self._store.value(work.connection, "language", caller.account)
        data = self._calendars.file(_meeting(row), language=_language(language))
        return BinaryReply(
            data=data, content_type=CALENDAR, etag=_etag(data), lasting=False, filename=f"meeting-{request.booking}.ics"
        )

    async def feed(self, caller: Caller, _: Context, __: Request) -> operations.Feed:
        """The address, once there is one."""
        async with self._works.read() as work:
            at = await self._store.value(work.connection, "feed", caller.account)
        return operations.Feed(address=None if at is None else self._address(self._secret(caller.account, at)))

    async def reset(self, caller: Caller, context: Context, request: Request) -> operations.Feed:
        """A new address."""

        async def apply(work: Work, caller: Caller) -> operations.Feed:
            secret = self._secret(caller.account, work.now)
            await self._store.run(work.connection, "set_feed", caller.account, _digest(secret), work.now)
            return operations.Feed(address=self._address(secret))

        return await self._commands.run(operations.RESET_FEED, caller, context, request, apply)

    async def served(self, secret: str) -> Served | None:
        """What the address answers; nothing for one that is nobody's, or whose account may not act or see bookings any more."""
        if len(secret) != SECRET_CHARS:
            return None
        async with self._works.read() as work:
            owner = await self._store.row(work.connection, "feed_owner", _digest(secret))
            if owner is None:
                return None
            kind = owner["kind"]
            if kind != "buyer" and kind not in booking_scopes(capabilities_of(bytes(owner["capabilities"]))):
                return None
            rows = await self._store.fetch(
                work.connection, "calendar_of", owner["id"], work.now - BACK, work.now + AHEAD, EVENTS_MAX
            )
        language = _language(owner["language"])
        title = owner["fair_zh"] if language == "zh" else owner["fair_en"]
        data = self._calendars.feed(title, [_meeting(row) for row in rows], language=language)
        return Served(data, _etag(data))

    def _secret(self, account: UUID, at: datetime) -> str:
        """256 bits that nobody guesses who lacks the key."""
        said = account.bytes + str(milliseconds(at) * 1000 + at.microsecond % 1000).encode()
        return urlsafe_b64encode(hmac.digest(self._key, said, "sha256")).rstrip(b"=").decode()

    def _address(self, secret: str) -> str:
        return f"{self._url}/calendar/{secret}.ics"


def _meeting(row: Row) -> Meeting:
    return Meeting(
        booking=row["id"],
        exhibitor_en=row["name_en"],
        exhibitor_zh=row["name_zh"],
        buyer=row["buyer"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        zone=row["time_zone"],
        state=row["state"],
        sequence=row["sequence"],
        changed_at=row["changed_at"],
        topic=row["topic"],
        room_number=row["room_number"],
    )


def _language(code: str) -> Language:
    return "zh" if code.startswith("zh") else "en"


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _etag(data: bytes) -> str:
    return sha256(data).hexdigest()[:32]
