"""What requests for slots are decided on, and the bookings they make."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fairwire_protocol.models import Card
from fairwire_server.accounts.rules import Caller
from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries
from fairwire_server.meetings.request_rules import Calendar
from fairwire_server.meetings.slot_store import SlotFact

__all__ = ["EarlierBooking", "ExhibitFact", "NewBooking", "RequestStore"]


class EarlierBooking(NamedTuple):
    """What a cid has made already (W7)."""

    booking: UUID
    conversation: UUID
    fingerprint: bytes
    at: datetime


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

    async def earlier(
        self, connection: Connection, keys: Collection[tuple[UUID, UUID]]
    ) -> dict[tuple[UUID, UUID], EarlierBooking]:
        """Bookings by (buyer, cid)."""
        buyers, cids = [buyer for buyer, _ in keys], [cid for _, cid in keys]
        rows = await connection.fetch(self._sql["earlier_bookings"], buyers, cids)
        return {
            (row["buyer_id"], row["cid"]): EarlierBooking(
                row["id"], row["conversation_id"], row["fingerprint"], row["requested_at"]
            )
            for row in rows
        }

    async def calendar(self, connection: Connection, buyers: Collection[UUID], slots: Collection[SlotFact]) -> Calendar:
        """The buyers' live meetings around these slots; exact while the buyers are locked."""
        calendar = Calendar()
        if slots:
            first, last = min(slot.starts_at for slot in slots), max(slot.ends_at for slot in slots)
            for row in await connection.fetch(self._sql["busy_buyers"], list(buyers), first, last):
                calendar.add(row["buyer_id"], row["starts_at"], row["ends_at"])
        return calendar

    async def places(
        self, connection: Connection, slots: Collection[UUID], buyers: Collection[UUID], now: datetime
    ) -> list[tuple[UUID, UUID, bool]]:
        """(slot, buyer, whether a seat is held for it) of open places."""
        rows = await connection.fetch(self._sql["places_of_buyers"], list(slots), list(buyers), now)
        return [(row["slot_id"], row["buyer_id"], row["offered"]) for row in rows]

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
