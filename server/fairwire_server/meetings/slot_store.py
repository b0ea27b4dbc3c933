"""Rows of slots, and what uses their seats."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from fairwire_protocol.operations.slots import SlotState
from fairwire_server.accounts.fair_settings import FairSettings, fair_settings
from fairwire_server.database.ids import Id, uuid7
from fairwire_server.database.pool import Connection, Row
from fairwire_server.database.queries import load_queries
from fairwire_server.meetings.slot_rules import UNUSED, Seats, Span

__all__ = ["Frame", "SlotFact", "SlotStore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What an exhibitor's slots are decided by."""

    zone: str
    own_zone: str | None
    settings: FairSettings
    active: Mapping[str, int]
    """Active accounts by kind (M2)."""


class SlotFact(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A row of `slot`."""

    id: Id
    fair: Id
    exhibitor: Id
    starts_at: datetime
    ends_at: datetime
    withdrawn: bool = False
    receivers_only: bool = False
    """M2: the fair counts only accounts that may receive meetings."""


class SlotStore:
    """Named queries over slots."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__, "slots.sql")

    async def frame(self, connection: Connection, exhibitor: UUID, fair: UUID, reader: UUID) -> Frame | None:
        """None: the fair has no such exhibitor (A1)."""
        row = await connection.fetchrow(self._sql["frame"], exhibitor, fair, reader)
        if row is None:
            return None
        return Frame(
            zone=row["time_zone"],
            own_zone=row["own_zone"],
            settings=fair_settings(row["settings"]),
            active=msgspec.json.decode(row["active"], type=dict[str, int]),
        )

    async def insert(
        self, connection: Connection, fair: UUID, exhibitor: UUID, spans: Sequence[Span], by: UUID, now: datetime
    ) -> tuple[dict[datetime, UUID], set[datetime]]:
        """Make planned slots of one exhibitor in one statement: those made, and the starts of those that were there already."""
        ids = {span.starts_at: uuid7() for span in spans}
        starts, ends = [span.starts_at for span in spans], [span.ends_at for span in spans]
        rows = await connection.fetch(
            self._sql["insert_slots"], fair, exhibitor, by, now, list(ids.values()), starts, ends
        )
        made = {row["starts_at"] for row in rows}
        alike: set[datetime] = set()
        if len(made) < len(spans):
            rows = await connection.fetch(self._sql["like_slots"], exhibitor, starts, ends)
            alike = {row["starts_at"] for row in rows} - made
        return {at: ids[at] for at in made}, alike

    async def lock(self, connection: Connection, slots: Iterable[UUID]) -> dict[UUID, SlotFact]:
        """Lock slots by ascending id; those that do not exist are left out."""
        rows = await connection.fetch(self._sql["lock_slots"], sorted(set(slots)))
        return {row["id"]: _slot(row) for row in rows}

    async def lock_whole(self, connection: Connection, slot: UUID) -> SlotFact | None:
        """Lock one so that it may be deleted."""
        row = await connection.fetchrow(self._sql["lock_slot_whole"], slot)
        return None if row is None else _slot(row)

    async def seats(self, connection: Connection, slots: Collection[UUID], now: datetime) -> dict[UUID, Seats]:
        """What uses the seats of these slots; exact while they are locked."""
        rows = await connection.fetch(self._sql["seats"], list(slots), now)
        used = {row["id"]: Seats(**{key: value for key, value in row.items() if key != "id"}) for row in rows}
        return {slot: used.get(slot, UNUSED) for slot in slots}

    async def page(
        self,
        connection: Connection,
        exhibitor: UUID,
        between: tuple[datetime | None, datetime | None],
        after: datetime | None,
        state: SlotState | None,
        now: datetime,
        limit: int,
    ) -> list[tuple[UUID, Span]]:
        """A page of an exhibitor's slots by time."""
        rows = await connection.fetch(self._sql["list_slots"], exhibitor, *between, after, state, now, limit)
        return [(row["id"], Span(row["starts_at"], row["ends_at"])) for row in rows]

    async def move(self, connection: Connection, slot: UUID, span: Span) -> None:
        """Raises `ConstraintViolated("slot_no_overlap")`."""
        await connection.execute(self._sql["move_slot"], slot, *span)

    async def withdraw(self, connection: Connection, slot: UUID, now: datetime) -> None:
        """M3: withdrawn if anything was ever booked here, else deleted."""
        if await connection.fetchval(self._sql["is_referred_to"], slot):
            await connection.execute(self._sql["withdraw_slot"], slot, now)
        else:
            await connection.execute(self._sql["delete_slot"], slot)


def _slot(row: Row) -> SlotFact:
    return SlotFact(
        id=row["id"],
        fair=row["fair_id"],
        exhibitor=row["exhibitor_id"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        withdrawn=row["withdrawn_at"] is not None,
        receivers_only=row["receivers_only"],
    )
