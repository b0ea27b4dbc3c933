"""What requests for slots are decided on, and the bookings they make."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from fairwire_protocol.models import AccountKind, Card
from fairwire_server.accounts.rules import DEFAULT, Caller, Table
from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries
from fairwire_server.meetings.request_rules import Calendar, Stand
from fairwire_server.meetings.slot_rules import Seats, capacity_of
from fairwire_server.meetings.slot_store import SlotFact

__all__ = ["ExhibitFact", "ItemFact", "NewBooking", "RequestStore"]


@dataclass(frozen=True, slots=True)
class ItemFact:
    """What one request is decided on. Without a session of that buyer `state` is None."""

    kind: AccountKind
    state: str | None
    name: str
    revoked: bool
    silenced: bool
    complete: bool
    earlier: UUID | None
    """The booking that its cid has made already (W7), with the next three."""
    fingerprint: bytes
    earlier_conversation: UUID
    requested_at: datetime
    cid_taken: bool
    """Another command bears this cid."""
    busy: bool
    """The buyer has a meeting that overlaps (M4)."""
    conversation: UUID | None
    blocked: bool
    offered: bool | None
    """Whether a seat is held for it; None: it does not stand in line (M13)."""


class ExhibitFact(NamedTuple):
    """A listed exhibit as the card that shows it, and whose it is."""

    exhibitor: UUID
    owner: UUID | None
    card: Card


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBooking:
    """A booking that was granted."""

    id: UUID
    buyer: Caller
    slot: SlotFact
    topic: str
    card: bytes | None
    exhibit_owner: UUID | None = None
    cid: UUID
    fingerprint: bytes


class RequestStore:
    """Named queries of requesting."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__, "requesting.sql")

    async def lock_buyers(self, connection: Connection, buyers: Iterable[UUID]) -> None:
        """Lock buyers' accounts by ascending id."""
        await connection.execute(self._sql["lock_buyers"], sorted(set(buyers)))

    async def items(
        self, connection: Connection, keys: Sequence[tuple[UUID, UUID, UUID, UUID]], now: datetime
    ) -> list[ItemFact]:
        """What requests are decided on, in their order; each by session, buyer, cid and slot. Exact while all of it is locked."""
        sessions, buyers, cids, slots = zip(*keys, strict=True)
        rows = await connection.fetch(self._sql["items"], sessions, buyers, cids, slots, now)
        return [ItemFact(*row) for row in rows]

    async def stands(
        self, connection: Connection, slots: Mapping[UUID, SlotFact], tables: Mapping[UUID, Table], now: datetime
    ) -> dict[UUID, Stand]:
        """Slots to decide on; `tables`: what the fairs of the exhibitors say of their accounts (A7)."""
        found = {}
        for row in await connection.fetch(self._sql["stands"], list(slots), now):
            slot, active = slots[row["id"]], msgspec.json.decode(row["active"] or b"{}", type=dict[str, int])
            table = tables.get(slot.exhibitor, DEFAULT)
            found[slot.id] = Stand(
                capacity_of(active, table, receivers_only=slot.receivers_only),
                Seats(
                    pending=row["pending"],
                    assigned=row["assigned"],
                    proposed=row["proposed"],
                    offered=row["offered"],
                    waiting=row["waiting"],
                ),
            )
        return found

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

    async def insert(self, connection: Connection, made: Sequence[tuple[NewBooking, UUID]], now: datetime) -> None:
        """Bookings with their conversations. Raises `ConstraintViolated("booking_buyer_free")` or of "booking_cid_unique"."""
        await connection.execute(
            self._sql["insert_bookings"],
            [new.id for new, _ in made],
            [new.buyer.account for new, _ in made],
            [new.slot.id for new, _ in made],
            [conversation for _, conversation in made],
            [new.topic for new, _ in made],
            [new.card for new, _ in made],
            [new.cid for new, _ in made],
            now,
            [new.fingerprint for new, _ in made],
        )
