"""A small fair for notices: accounts with addresses of every sort, and meetings whose changes are told as `Telling` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from uuid_utils.compat import uuid7

from fairwire_protocol.events import Notice
from fairwire_protocol.models import AccountKind, BookingChange
from fairwire_server.database.pool import Database
from fairwire_server.database.present import own_time
from fairwire_server.database.work import Works
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.noticing import Noticing
from fairwire_server.meetings.records import BookingFact, Change
from fairwire_server.notices.planning import Planning
from fairwire_server.notices.store import NoticeStore
from fairwire_server.streams.service import Streams
from fairwire_server.streams.store import StreamStore
from tests.harness.clock import ManualClock

__all__ = ["World"]

DAY = timedelta(days=1)
HALF = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Team:
    """An exhibitor with its accounts."""

    id: UUID
    main: UUID
    manager: UUID
    sales: UUID
    sales2: UUID


class World:
    """Rows of a fair, and changes of bookings made with them. Time is `clock`'s, in the database too."""

    def __init__(self, database: Database, clock: ManualClock | None = None) -> None:
        self.database = database
        self.clock = clock or ManualClock()
        self.works = Works(database, self.clock)
        self.streams = Streams(StreamStore(), lambda _: None)
        self.store = NoticeStore()
        self.hints = 0
        self.planning = Planning(self.store, self._hint, own_time)
        self.booking_store = BookingStore()
        self.noticing = Noticing(self.planning, self.booking_store)
        self.bookings: dict[UUID, BookingFact] = {}
        self.fair: UUID = uuid7()

    def _hint(self) -> None:
        self.hints += 1

    async def open(self, zone: str = "Asia/Shanghai") -> World:
        """The fair itself."""
        now = self.clock.now()
        await self.execute(
            "INSERT INTO fair (id, code, name_zh, name_en, time_zone, opens_at, closes_at, created_at)"
            " VALUES ($1, $2, '秋交会', 'Autumn fair', $3, $4, $5, $4)",
            self.fair, self.fair.hex, zone, now, now + 20 * DAY,
        )  # fmt: skip
        await self.execute("INSERT INTO fair_stream (fair_id, epoch) VALUES ($1, 1)", self.fair)
        return self

    async def team(self, domicile: str = "domestic", **sales: Any) -> Team:
        """An exhibitor; `sales` are the addresses of its first business account."""
        exhibitor = uuid7()
        await self.execute(
            "INSERT INTO exhibitor (id, fair_id, external_id, name_zh, name_en, domicile)"
            " VALUES ($1, $2, $3, '安阳工具', 'Anyang Tools', $4)",
            exhibitor, self.fair, exhibitor.hex, domicile,
        )  # fmt: skip
        return Team(
            exhibitor,
            await self.account("main", exhibitor),
            await self.account("manager", exhibitor),
            await self.account("business", exhibitor, **sales),
            await self.account("business", exhibitor),
        )

    async def buyer(self, country: str | None = "BR", **addresses: Any) -> UUID:
        """A buyer with a complete profile."""
        account = await self.account("buyer", None, **addresses)
        await self.execute("INSERT INTO buyer (account_id, country, complete) VALUES ($1, $2, true)", account, country)
        return account

    async def account(
        self,
        kind: AccountKind,
        exhibitor: UUID | None,
        *,
        email: bool = True,
        mobile: bool = True,
        language: str = "zh",
        zone: str | None = None,
        number: str | None = None,
    ) -> UUID:
        """One account with its stream; its addresses are verified where it has them."""
        account, at = uuid7(), self.clock.now()
        phone = number or f"+8613{account.int % 10**9:09d}"
        await self.execute(
            "INSERT INTO account (id, fair_id, exhibitor_id, kind, login, name, language, time_zone, email, email_verified_at, mobile,"
            " mobile_verified_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            account, self.fair, exhibitor, kind, account.hex, f"{kind} {account.hex[-4:]}", language, zone,
            f"{account.hex}@example.test" if email else None, at if email else None,
            phone if mobile else None, at if mobile else None, at,
        )  # fmt: skip
        async with self.works.begin() as work:
            await self.streams.create(work, [account])
        return account

    async def prefer(self, account: UUID, **channels: Sequence[str]) -> None:
        """Channels that an account adds to kinds of notice."""
        await self.execute(
            "INSERT INTO notice_preference (account_id, channels) VALUES ($1, $2)"
            " ON CONFLICT (account_id) DO UPDATE SET channels = excluded.channels",
            account, msgspec.json.encode(channels),
        )  # fmt: skip

    # meetings

    async def request(self, team: Team, buyer: UUID, starts_at: datetime) -> BookingFact:
        """M4: a pending booking, its row and what is planned because of it."""
        slot, conversation = uuid7(), uuid7()
        await self.execute(
            "INSERT INTO slot (id, fair_id, exhibitor_id, starts_at, ends_at, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            slot, self.fair, team.id, starts_at, starts_at + HALF, team.main, self.clock.now(),
        )  # fmt: skip
        row = await self.fetch("SELECT id FROM conversation WHERE buyer_id = $1 AND exhibitor_id = $2", buyer, team.id)
        conversation = row[0]["id"] if row else await self._conversation(team, buyer)
        booking = BookingFact(
            id=uuid7(), fair=self.fair, exhibitor=team.id, buyer=buyer, slot=slot, conversation=conversation, starts_at=starts_at,
            ends_at=starts_at + HALF, state="pending", topic="Drills",
        )  # fmt: skip
        await self._save(booking, new=True)
        await self.tell(Change(kind="requested", before=None, after=booking, by=buyer, by_name="B", side="buyer"))
        return booking

    async def assign(self, booking: BookingFact, receiver: UUID) -> BookingFact:
        """M6: to the first receiving account, or to another."""
        kind: BookingChange = "reassigned" if booking.receiver else "assigned"
        return await self.change(
            kind, booking, state="assigned", receiver=receiver, assignment=booking.assignment + 1, sequence=booking.sequence + 1,
            room_number=booking.room_number or f"{booking.id.int % 10**9:09d}",
        )  # fmt: skip

    async def move(self, booking: BookingFact, starts_at: datetime) -> BookingFact:
        """M7: the same booking at another time."""
        return await self.change(
            "moved", booking, starts_at=starts_at, ends_at=starts_at + HALF, time_revision=booking.time_revision + 1,
            sequence=booking.sequence + 1,
        )  # fmt: skip

    async def cancel(self, booking: BookingFact) -> BookingFact:
        """By the buyer."""
        return await self.change(
            "cancelled", booking, state="cancelled", ended_by="buyer", reason="ill", sequence=booking.sequence + 1
        )

    async def change(self, kind: BookingChange, booking: BookingFact, **fields: Any) -> BookingFact:
        """Any change: row and notices in one transaction."""
        after = replace(booking, **fields)
        await self.tell(Change(kind=kind, before=booking, after=after, by=booking.buyer, by_name="B", side="buyer"))
        return after

    async def tell(self, *changes: Change) -> None:
        """What `Telling` does of it: rows saved, notices planned, in one transaction."""
        async with self.works.begin() as work:
            for change in changes:
                if change.before is not None:
                    await work.connection.execute(
                        "UPDATE booking SET state = $2, receiver_id = $3, starts_at = $4, ends_at = $5, time_revision = $6,"
                        " assignment = $7, sequence = $8, room_number = $9, reason = $10, ended_by = $11, changed_at = $12 WHERE id = $1",
                        *_fields(change.after), self.clock.now(),
                    )  # fmt: skip
            teams = await self.booking_store.teams(work.connection, {change.after.exhibitor for change in changes})
            await self.streams.append(work, await self.noticing.notify(work, changes, teams))
        self.bookings.update({change.after.id: change.after for change in changes})

    async def _save(self, booking: BookingFact, *, new: bool) -> None:
        await self.execute(
            "INSERT INTO booking (id, fair_id, exhibitor_id, buyer_id, slot_id, conversation_id, starts_at, ends_at, state, topic, cid,"
            " fingerprint, requested_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10, '', $11, $11)",
            booking.id, booking.fair, booking.exhibitor, booking.buyer, booking.slot, booking.conversation, booking.starts_at,
            booking.ends_at, booking.topic, uuid4(), self.clock.now(),
        )  # fmt: skip

    async def _conversation(self, team: Team, buyer: UUID) -> UUID:
        conversation = uuid7()
        await self.execute(
            "INSERT INTO conversation (id, fair_id, buyer_id, exhibitor_id, holder_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
            conversation, self.fair, buyer, team.id, team.main, self.clock.now(),
        )  # fmt: skip
        return conversation

    # looking

    async def notices(self, account: UUID | None = None) -> list[dict[str, Any]]:
        """Every notice, or an account's, oldest first; page by page, for a fair has many."""
        found: list[dict[str, Any]] = []
        sql = "SELECT * FROM notice WHERE ($1::uuid IS NULL OR recipient_id = $1) AND id > $2 ORDER BY id LIMIT 1000"
        while rows := await self.fetch(sql, account, found[-1]["id"] if found else UUID(int=0)):
            found += [dict(row) for row in rows]
        return found

    async def ended(self, account: UUID, kind: str) -> list[tuple[str, str]]:
        """(channel, state) of an account's notices of a kind."""
        return [(n["channel"], n["state"]) for n in await self.notices(account) if n["kind"] == kind]

    async def planned(self, account: UUID) -> set[tuple[str, str]]:
        """(kind, channel) of what is planned for an account."""
        return {(n["kind"], n["channel"]) for n in await self.notices(account) if n["state"] == "planned"}

    async def heard(self, account: UUID) -> list[Notice]:
        """What its stream has told it by notices."""
        rows = await self.fetch(
            "SELECT body FROM account_event WHERE account_id = $1 AND type = 'notice' ORDER BY pos", account
        )
        return [msgspec.msgpack.decode(row["body"], type=Notice) for row in rows]

    async def execute(self, sql: str, *arguments: object) -> None:
        async with self.database.transaction() as tx:
            await tx.execute(sql, *arguments)

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Any]:
        async with self.database.reader() as reader:
            return await reader.fetch(sql, *arguments)


def _fields(booking: BookingFact) -> tuple[Any, ...]:
    return (
        booking.id, booking.state, booking.receiver if booking.state == "assigned" else None, booking.starts_at, booking.ends_at,
        booking.time_revision, booking.assignment, booking.sequence, booking.room_number, booking.reason, booking.ended_by,
    )  # fmt: skip
