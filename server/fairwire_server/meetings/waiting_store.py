"""Rows of waiting lists, and the events that tell buyers of them (M13)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from fairwire_protocol.events import PlaceChanged
from fairwire_protocol.models import Place
from fairwire_server.accounts.callers import capabilities_of
from fairwire_server.database.pool import Connection, Row
from fairwire_server.database.queries import load_queries
from fairwire_server.database.work import Work
from fairwire_server.meetings.records import OfferedPlace
from fairwire_server.meetings.shapes import place_of
from fairwire_server.meetings.slot_rules import capacity_of
from fairwire_server.streams.told import Draft, Told

__all__ = ["HeldPlace", "InLine", "Outcome", "WaitingStore"]

Outcome = Literal["accepted", "declined", "expired", "left", "over"]


@dataclass(frozen=True, slots=True)
class InLine:
    """Somebody who waits; not `able`: nothing can be offered to it now."""

    id: UUID
    slot: UUID
    able: bool


@dataclass(frozen=True, slots=True)
class HeldPlace:
    """A locked place that has no outcome yet."""

    id: UUID
    topic: str
    card: str | None
    expires_at: datetime | None


class WaitingStore:
    """Named queries of waiting lists."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__, "waiting.sql")

    async def insert(
        self,
        connection: Connection,
        place: UUID,
        slot: UUID,
        buyer: UUID,
        topic: str,
        card: bytes | None,
        now: datetime,
    ) -> None:
        """One more at the end of the line."""
        await connection.execute(self._sql["insert_place"], place, slot, buyer, topic, card, now)

    async def where(self, connection: Connection, place: UUID) -> tuple[UUID, UUID] | None:
        """A place's slot and buyer."""
        row = await connection.fetchrow(self._sql["place_to_answer"], place)
        return None if row is None else (row["slot_id"], row["buyer_id"])

    async def lock(self, connection: Connection, place: UUID) -> HeldPlace | None:
        """The place, if it has no outcome yet. Its slot must be locked."""
        row = await connection.fetchrow(self._sql["lock_place"], place)
        return None if row is None else HeldPlace(**dict(row))

    async def open_place(self, connection: Connection, slot: UUID, buyer: UUID) -> UUID | None:
        """The buyer's place in a slot's line."""
        found: UUID | None = await connection.fetchval(self._sql["open_place"], slot, buyer)
        return found

    async def count(self, connection: Connection, buyer: UUID, now: datetime) -> int:
        """In how many lines a buyer stands."""
        return int(await connection.fetchval(self._sql["count_places"], buyer, now))

    async def line(self, connection: Connection, slots: Collection[UUID]) -> list[InLine]:
        """Who waits in these slots, in order."""
        return [InLine(*row) for row in await connection.fetch(self._sql["line"], list(slots))]

    async def capacities(self, connection: Connection, slots: Collection[UUID], now: datetime) -> dict[UUID, int]:
        """What fits into these slots, as far as they have not begun (M2)."""
        found = {}
        for row in await connection.fetch(self._sql["accounts_of"], list(slots)):
            if row["starts_at"] > now:
                active = msgspec.json.decode(row["active"], type=dict[str, int])
                table = capabilities_of(bytes(row["capabilities"]))
                found[row["id"]] = capacity_of(active, table, receivers_only=row["receivers_only"])
        return found

    async def offer(
        self, work: Work, places: Sequence[UUID], until: datetime
    ) -> tuple[list[OfferedPlace], list[Draft]]:
        """M13: a freed seat is held for each of these; which they are, and how their buyers' places look now."""
        rows = await work.connection.fetch(self._sql["offer_places"], places, work.now, until)
        shown = await self.shown(work.connection, places)
        return [OfferedPlace(*row) for row in rows], [_draft(buyer, place) for buyer, place in shown]

    async def close(self, work: Work, places: Sequence[UUID], outcome: Outcome) -> list[Draft]:
        """What became of these places; what their buyers are told."""
        return await self._closed(
            work, await work.connection.fetch(self._sql["close_places"], places, outcome), outcome
        )

    async def close_of_slot(self, work: Work, slot: UUID) -> list[Draft]:
        """Nobody waits for this slot any more: it is not what it was (M3)."""
        return await self._closed(work, await work.connection.fetch(self._sql["close_places_of_slot"], slot), "over")

    async def close_of_buyers(self, work: Work, seated: Collection[tuple[UUID, UUID]]) -> list[Draft]:
        """These (slot, buyer) have a booking where they stood in line."""
        slots, buyers = [slot for slot, _ in seated], [buyer for _, buyer in seated]
        rows = await work.connection.fetch(self._sql["close_places_of_buyers"], slots, buyers)
        return await self._closed(work, rows, "accepted")

    async def _closed(self, work: Work, rows: Iterable[Row], outcome: Outcome) -> list[Draft]:
        closed = [row[0] for row in rows]
        shown = await self.shown(work.connection, closed) if closed else []
        return [_draft(buyer, place, outcome) for buyer, place in shown]

    async def shown(self, connection: Connection, places: Collection[UUID]) -> list[tuple[UUID, Place]]:
        """Places as their buyers see them, with the buyers."""
        rows = await connection.fetch(self._sql["places"], list(places))
        return [(buyer, place_of(rest)) for buyer, *rest in rows]

    async def due(self, connection: Connection, now: datetime) -> list[tuple[UUID, UUID]]:
        """Some (place, slot) whose time is over."""
        return [(row["id"], row["slot_id"]) for row in await connection.fetch(self._sql["due_places"], now)]

    async def lock_due(self, connection: Connection, places: Sequence[UUID], now: datetime) -> dict[UUID, Outcome]:
        """What becomes of those that still are due. Their slots must be locked."""
        rows = await connection.fetch(self._sql["lock_due_places"], places, now)
        return {row["id"]: row["outcome"] for row in rows}

    async def slots_with_a_line(self, connection: Connection, now: datetime, after: UUID) -> list[UUID]:
        """Some slots in which somebody waits, by id."""
        rows = await connection.fetch(self._sql["slots_with_a_line"], now, after)
        return [row["slot_id"] for row in rows]


def _draft(buyer: UUID, place: Place, outcome: Outcome | None = None) -> Draft:
    return Draft(buyer, "buyer", Told(PlaceChanged(place=place, outcome=outcome)))
