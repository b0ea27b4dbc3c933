"""What requests for slots are decided on, and the bookings they make."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from fairwire_protocol.models import AccountKind, Booking, Card
from fairwire_server.accounts.rules import Caller
from fairwire_server.chat.records import Locked
from fairwire_server.chat.store import ChatStore
from fairwire_server.database.ids import Id, id_of_text
from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries
from fairwire_server.meetings.members import Teams, teams_of
from fairwire_server.meetings.request_rules import Calendar
from fairwire_server.meetings.shapes import BookingRow, shown_booking
from fairwire_server.meetings.slot_rules import Seats
from fairwire_server.meetings.slot_store import SlotFact

__all__ = ["CallerFact", "ExhibitFact", "Facts", "ItemFact", "NewBooking", "RequestStore", "WantedSlot"]


class CallerFact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A buyer's session and account as they are now (A6)."""

    session: Id
    account: Id
    kind: AccountKind
    state: str
    name: str
    revoked: bool
    silenced: bool
    complete: bool


class ItemFact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one request is decided on."""

    earlier: Id | None
    """The booking that its cid has made already (W7), with the next three."""
    fingerprint: str | None
    earlier_conversation: Id | None
    requested_at: datetime | None
    cid_taken: bool
    """Another command bears this cid."""
    busy: bool
    """The buyer has a meeting that overlaps (M4)."""
    conversation: Id | None
    blocked: bool
    offered: bool | None
    """Whether a seat is held for it; None: it does not stand in line (M13)."""


class WantedSlot(SlotFact, frozen=True, kw_only=True, array_like=True, gc=False):
    """A locked slot and what uses its seats (M2, M7, M13)."""

    pending: int
    assigned: int
    proposed: int
    offered: int
    waiting: int

    def seats(self) -> Seats:
        """What is taken."""
        return Seats(
            pending=self.pending,
            assigned=self.assigned,
            proposed=self.proposed,
            offered=self.offered,
            waiting=self.waiting,
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What a batch is decided on, exact while slots and buyers are locked."""

    callers: Mapping[UUID, CallerFact]
    """By session."""
    items: Sequence[ItemFact]
    """In the batch's order."""
    slots: Sequence[WantedSlot]
    teams: Teams


class ExhibitFact(NamedTuple):
    """A listed exhibit as the card that shows it, and whose it is."""

    exhibitor: UUID
    owner: UUID | None
    card: Card


class NewBooking(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A booking that was granted."""

    id: UUID
    buyer: Caller
    slot: SlotFact
    topic: str
    card: bytes | None
    exhibit_owner: UUID | None = None
    cid: UUID
    fingerprint: bytes


_CALLERS: Final = msgspec.json.Decoder(tuple[CallerFact, ...] | None, dec_hook=id_of_text)
_ITEMS: Final = msgspec.json.Decoder(tuple[ItemFact, ...], dec_hook=id_of_text)
_SLOTS: Final = msgspec.json.Decoder(tuple[WantedSlot, ...] | None, dec_hook=id_of_text)
_SHOWN: Final = msgspec.json.Decoder(tuple[BookingRow, ...])


class RequestStore:
    """Named queries of requesting."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__, "requesting.sql")

    async def lock_buyers(self, connection: Connection, buyers: Iterable[UUID]) -> None:
        """Lock buyers' accounts by ascending id."""
        await connection.execute(self._sql["lock_buyers"], sorted(set(buyers)))

    async def facts(
        self, connection: Connection, keys: Sequence[tuple[UUID, UUID, UUID, UUID]], now: datetime
    ) -> Facts:
        """Lock slots, then buyers, each by ascending id, and read what requests are decided on; each by session, buyer, cid and slot."""
        row = await connection.fetchrow(self._sql["request_facts"], *map(list, zip(*keys, strict=True)), now)
        assert row is not None
        callers, items, slots, team = row
        wanted = _SLOTS.decode(slots or "null") or ()
        return Facts(
            {fact.session: fact for fact in _CALLERS.decode(callers or "null") or ()},
            _ITEMS.decode(items),
            wanted,
            teams_of(team, {slot.exhibitor for slot in wanted}),
        )

    async def calendar(self, connection: Connection, buyers: Collection[UUID], slots: Collection[SlotFact]) -> Calendar:
        """The buyers' live meetings around these slots; exact while the buyers are locked."""
        calendar = Calendar()
        if slots:
            first, last = min(slot.starts_at for slot in slots), max(slot.ends_at for slot in slots)
            for row in await connection.fetch(self._sql["busy_buyers"], list(buyers), first, last):
                calendar.add(row["buyer_id"], row["starts_at"], row["ends_at"])
        return calendar

    async def exhibits(self, connection: Connection, exhibits: Collection[UUID]) -> dict[UUID, ExhibitFact]:
        """Listed exhibits by id."""
        found = {}
        for row in await connection.fetch(self._sql["exhibits"], list(exhibits)) if exhibits else ():
            card = Card(
                source="exhibit",
                id=row["id"],
                name_zh=row["name_zh"],
                name_en=row["name_en"],
                code=row["code"],
                image=row["image"],
                tags=tuple(row["tags"]),
            )
            found[row["id"]] = ExhibitFact(row["exhibitor_id"], row["owner_id"], card)
        return found

    async def make(
        self, connection: Connection, made: Sequence[tuple[NewBooking, UUID]], now: datetime
    ) -> tuple[dict[UUID, Locked], dict[UUID, Booking]]:
        """Write bookings with their conversations; answers these, locked, and the bookings as everybody sees them who may.

        Raises `ConstraintViolated("booking_buyer_free")` or of "booking_cid_unique".
        """
        row = await connection.fetchrow(
            self._sql["make_bookings"],
            [new.id for new, _ in made],
            [new.buyer.account for new, _ in made],
            [new.slot.id for new, _ in made],
            [conversation for _, conversation in made],
            [new.topic for new, _ in made],
            [new.card for new, _ in made],
            [new.cid for new, _ in made],
            [new.fingerprint for new, _ in made],
            now,
        )
        assert row is not None
        return ChatStore.locked_of(row["locked"]), {one.id: shown_booking(one) for one in _SHOWN.decode(row["shown"])}
