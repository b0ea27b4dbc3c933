"""Operations on slots (洽谈时段) and on what a buyer wants of them: a booking, or a place in line (M1–M4, M13)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from fairwire_protocol.models import Model, Place
from fairwire_protocol.operations.base import Empty, Operation, Request
from fairwire_protocol.operations.chat import Cursor, PageSize

Date = Annotated[str, Meta(max_length=10)]
"""A day in the fair's zone, as in `2026-06-16`."""
TimeOfDay = Annotated[str, Meta(max_length=5)]
"""A time of day in the fair's zone; `24:00` is the end of the day."""
Instant = Annotated[int, Meta(ge=0, le=253_370_764_800_000)]
Topic = Annotated[str, Meta(max_length=1000)]
"""At most 100 characters are kept; longer is `too_long` (M4)."""
Minutes = Annotated[int, Meta(ge=5, le=480)]
SlotState = Literal["not_started", "under_way", "ended"]


class Slot(Model, frozen=True, kw_only=True):
    """A slot as its exhibitor sees it. `ever`: bookings of any state, the ended ones included (M3)."""

    id: UUID
    starts_at: int
    ends_at: int
    state: SlotState = "not_started"
    pending: int = 0
    assigned: int = 0
    ever: int = 0
    taken: int = 0
    """Seats in use: pending and assigned bookings, proposals, and places that hold an offer (M2, M7, M13)."""
    unserved: int = 0
    """Pending bookings for which no receiving account is free (M2)."""
    waiting: int = 0
    """Buyers in line (M13)."""


class CreateSlot(Request, frozen=True, kw_only=True):
    """One slot; it starts on the half hour in the fair's zone (M1)."""

    starts_at: Instant
    minutes: Minutes = 30


class SlotReply(Model, frozen=True, kw_only=True):
    """One slot, and how many meetings may take place in it at once (M2)."""

    slot: Slot
    capacity: int = 0


class CreateSlots(Request, frozen=True, kw_only=True):
    """Each day from `first` to `last`, from `start` to `end`, cut into slots of `minutes`, each starting on a half hour (M1)."""

    first: Date
    last: Date
    start: TimeOfDay
    end: TimeOfDay
    minutes: Minutes = 30


class SkippedSlot(Model, frozen=True, kw_only=True):
    """A slot of the batch that was not made: one like it is there, one that overlaps, or it would begin in the past."""

    starts_at: int
    ends_at: int
    reason: Literal["exists", "overlaps", "past"]


class SlotsCreated(Model, frozen=True, kw_only=True, omit_defaults=False):
    """How many were made, and which not."""

    created: int
    skipped: tuple[SkippedSlot, ...] = ()


class ListSlots(Request, frozen=True, kw_only=True):
    """The exhibitor's slots by time; days are the fair's, both included."""

    first: Date | None = None
    last: Date | None = None
    state: SlotState | None = None
    after: Cursor | None = None
    limit: PageSize = 50


class SlotList(Model, frozen=True, kw_only=True):
    """A page; `next` continues it."""

    slots: tuple[Slot, ...]
    capacity: int = 0
    next: str | None = None


class EditSlot(Request, frozen=True, kw_only=True):
    """Another time; what is left out stays."""

    slot: UUID
    starts_at: Instant | None = None
    minutes: Minutes | None = None


class SlotRef(Request, frozen=True, kw_only=True):
    """One slot."""

    slot: UUID


class OpenSlots(Request, frozen=True, kw_only=True):
    """An exhibitor's slots that have not begun; days are the fair's, both included."""

    exhibitor: UUID
    first: Date | None = None
    last: Date | None = None
    time_zone: Annotated[str, Meta(max_length=64)] | None = None
    """The IANA name of the zone to show beside the fair's; left out, the account's own."""
    after: Cursor | None = None
    limit: PageSize = 50


class OpenSlot(Model, frozen=True, kw_only=True):
    """A slot that can be booked, or waited for while `free` is 0 (M4, M13); both sides' times as ISO 8601 with offset (M12)."""

    id: UUID
    starts_at: int
    ends_at: int
    free: int = 0
    fair_start: str
    fair_end: str
    own_start: str
    own_end: str


class OpenSlotList(Model, frozen=True, kw_only=True):
    """A page; `next` continues it."""

    slots: tuple[OpenSlot, ...]
    fair_zone: str
    own_zone: str
    next: str | None = None


class RequestBooking(Request, frozen=True, kw_only=True):
    """A meeting in an open slot; `exhibit` travels along as a card, frozen as it is now (M4)."""

    slot: UUID
    topic: Topic = ""
    exhibit: UUID | None = None


class Requested(Model, frozen=True, kw_only=True, omit_defaults=False):
    """The booking is stored and pending; its events say what becomes of it."""

    booking: UUID
    conversation: UUID
    ts: int


class WaitForSlot(Request, frozen=True, kw_only=True):
    """A place in line for a full slot (M13)."""

    slot: UUID
    topic: Topic = ""
    exhibit: UUID | None = None


class PlaceReply(Model, frozen=True, kw_only=True):
    """One place in a waiting list."""

    place: Place


class PlaceRef(Request, frozen=True, kw_only=True):
    """One place in a waiting list."""

    place: UUID


class AnswerPlace(Request, frozen=True, kw_only=True):
    """The buyer's answer to the seat that is held for it (M13)."""

    place: UUID
    accept: bool


class PlaceAnswered(Model, frozen=True, kw_only=True):
    """The booking, if the seat was accepted."""

    booking: UUID | None = None
    conversation: UUID | None = None


CREATE = Operation(
    name="slots.create", request=CreateSlot, reply=SlotReply, http=("POST", "/v1/slots"),
    summary="Create a slot (创建洽谈时段).", rules=("A7", "M1"), rate="command", effect="once",
)  # fmt: skip
CREATE_BATCH = Operation(
    name="slots.create_batch", request=CreateSlots, reply=SlotsCreated, http=("POST", "/v1/slots/batch"),
    summary="Create slots in a batch (批量创建洽谈时段): days, each from start to end; what is there is kept and reported.",
    rules=("A7", "M1"), rate="command", effect="once",
)  # fmt: skip
LIST = Operation(
    name="slots.list", request=ListSlots, reply=SlotList, http=("GET", "/v1/slots"),
    summary="The exhibitor's slots by date with their bookings counted, by range of days and by state.",
    rules=("A7", "M2", "M3"), rate="read", effect="read",
)  # fmt: skip
EDIT = Operation(
    name="slots.edit", request=EditSlot, reply=SlotReply, http=("PATCH", "/v1/slots/{slot}"),
    summary="Give a slot without live bookings another time.", rules=("A7", "M1", "M3"), rate="command", effect="idempotent",
)  # fmt: skip
WITHDRAW = Operation(
    name="slots.withdraw", request=SlotRef, reply=Empty, http=("DELETE", "/v1/slots/{slot}"),
    summary="Withdraw a slot without live bookings; one that had bookings is kept, unseen.",
    rules=("A7", "M3"), rate="command", effect="once",
)  # fmt: skip
OPEN = Operation(
    name="slots.open", request=OpenSlots, reply=OpenSlotList, http=("GET", "/v1/exhibitors/{exhibitor}/slots"),
    summary="An exhibitor's slots that have not begun, with free seats, in fair time and own time.",
    rules=("A1", "M2", "M4", "M12"), rate="read", effect="read",
)  # fmt: skip
REQUEST = Operation(
    name="bookings.request", request=RequestBooking, reply=Requested, http=("POST", "/v1/bookings"),
    summary="Book an open slot (预约洽谈). Accepted means stored; two requests never share the last seat.",
    rules=("A3", "C18", "M2", "M4", "W7"), rate="command", effect="once",
)  # fmt: skip
WAIT = Operation(
    name="bookings.wait", request=WaitForSlot, reply=PlaceReply, http=("POST", "/v1/places"),
    summary="Stand in line for a full slot; a freed seat is offered to the first.", rules=("A3", "M13"), rate="command", effect="once",
)  # fmt: skip
LEAVE = Operation(
    name="bookings.leave", request=PlaceRef, reply=Empty, http=("DELETE", "/v1/places/{place}"),
    summary="Leave a waiting list.", rules=("M13",), rate="command", effect="once",
)  # fmt: skip
ANSWER_PLACE = Operation(
    name="bookings.answer_place", request=AnswerPlace, reply=PlaceAnswered, http=("POST", "/v1/places/{place}/answer"),
    summary="Take the seat that is held, or let it go to the next in line.", rules=("A3", "M4", "M13"), rate="command", effect="once",
)  # fmt: skip
