"""Operations on bookings (预约洽谈) once they are requested, and the schedule made of them (M2, M5–M7, M15)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from fairwire_protocol.models import AccountKind, Booking, Model, Person, Seq
from fairwire_protocol.operations.base import Operation, Request
from fairwire_protocol.operations.chat import Cursor, PageSize

Reason = Annotated[str, Meta(min_length=1, max_length=2000)]
ProposalNote = Annotated[str, Meta(max_length=2000)]
Instant = Annotated[int, Meta(ge=0, le=9_007_199_254_740_991)]


class ListBookings(Request, frozen=True, kw_only=True):
    """Bookings within the account's scope, the newest request first. `since` and `until` bound the start: from, and before."""

    state: Literal["all", "pending", "assigned", "rejected", "cancelled"] = "all"
    since: Instant | None = None
    until: Instant | None = None
    country: Annotated[str, Meta(max_length=2)] | None = None
    section: UUID | None = None
    """Of the exhibit that it was made from, or among the buyer's interests."""
    receiver: UUID | None = None
    overdue: bool = False
    """Only those that are still pending although their slot is over."""
    after: Cursor | None = None
    limit: PageSize = 50


class ListedBooking(Model, frozen=True, kw_only=True):
    """A booking, and what its exhibitor should know of it now."""

    booking: Booking
    overdue: bool = False
    """Still pending although its slot is over (M6)."""
    no_receiver_free: bool = False
    """Pending, and no account is free to receive it (M2). Never told to buyers."""


class BookingCounts(Model, frozen=True, kw_only=True, omit_defaults=False):
    """How many there are in each state, over the filter without its state (M5)."""

    all: int = 0
    pending: int = 0
    assigned: int = 0
    rejected: int = 0
    cancelled: int = 0


class BookingList(Model, frozen=True, kw_only=True):
    """A page; `next` continues it."""

    bookings: tuple[ListedBooking, ...]
    counts: BookingCounts
    next: str | None = None


class BookingRef(Request, frozen=True, kw_only=True):
    """One booking."""

    booking: UUID


class ReceiverRecord(Model, frozen=True, kw_only=True):
    """Who was made the receiving account, when, and by whom."""

    receiver: Person
    by: Person
    at: int
    assignment: int


class BookingDetail(Model, frozen=True, kw_only=True):
    """A booking with its receiving accounts, oldest first; these not for buyers."""

    booking: Booking
    overdue: bool = False
    no_receiver_free: bool = False
    receivers: tuple[ReceiverRecord, ...] = ()


class Receiver(Model, frozen=True, kw_only=True):
    """An account that may receive the meeting, and what speaks against it."""

    account: Person
    kind: AccountKind
    free: bool
    """Whether it has no other meeting at that time (M4)."""
    current: bool = False
    unreachable: bool = False
    """It has no verified address of the kind that its exhibitor is told by; assign it with `confirm_unreachable` (A8)."""


class Receivers(Model, frozen=True, kw_only=True):
    """Active accounts of the exhibitor that may receive meetings: free ones first, then by name."""

    receivers: tuple[Receiver, ...]


class AssignBooking(Request, frozen=True, kw_only=True):
    """Make an account the receiving one, for the first time or instead of another."""

    booking: UUID
    receiver: UUID
    confirm_unreachable: bool = False
    """Yes to the warning that the account has no verified address of the needed kind (A8)."""
    assignment: Seq | None = None
    """The booking's counter as the caller has seen it; another one meanwhile is a `conflict`."""


class EndBooking(Request, frozen=True, kw_only=True):
    """Why, in 1 to 500 characters, shown to the other side."""

    booking: UUID
    reason: Reason


class ProposeTime(Request, frozen=True, kw_only=True):
    """Another slot of the same exhibitor, and a word with it."""

    booking: UUID
    slot: UUID
    note: ProposalNote = ""


class AnswerProposal(Request, frozen=True, kw_only=True):
    """The other side's yes or no."""

    proposal: UUID
    accept: bool


class ProposalRef(Request, frozen=True, kw_only=True):
    """One proposal."""

    proposal: UUID


class BookingReply(Model, frozen=True, kw_only=True):
    """The booking as it is now."""

    booking: Booking
    unassigned: bool = False
    """It has moved to a time at which its receiving account is not free, and is pending again (M2, M7)."""


class ShowSchedule(Request, frozen=True, kw_only=True):
    """Meetings that begin from `since` and before `until`, at most 62 days; without them: a week from now on."""

    whose: Literal["mine", "everyone"] = "mine"
    account: UUID | None = None
    """Of everybody's, only this account's."""
    since: Instant | None = None
    until: Instant | None = None


class ScheduleDay(Model, frozen=True, kw_only=True):
    """The meetings of one account on one day of the fair's calendar, by time."""

    day: str
    """YYYY-MM-DD in the fair's time zone."""
    account: Person
    meetings: tuple[Booking, ...]


class Schedule(Model, frozen=True, kw_only=True):
    """By day, then by account's name. `more`: there were too many, and the days after the last one are missing."""

    days: tuple[ScheduleDay, ...]
    more: bool = False


LIST = Operation(
    name="bookings.list", request=ListBookings, reply=BookingList, http=("GET", "/v1/bookings"),
    summary="Bookings (预约洽谈管理) within the account's scope, with how many there are in each state.",
    rules=("A7", "K2", "M2", "M5", "M6"), rate="read", effect="read",
)  # fmt: skip
SHOW = Operation(
    name="bookings.show", request=BookingRef, reply=BookingDetail, http=("GET", "/v1/bookings/{booking}"),
    summary="One booking, with who has received it.", rules=("A7", "K2", "M5"), rate="read", effect="read",
)  # fmt: skip
RECEIVERS = Operation(
    name="bookings.receivers", request=BookingRef, reply=Receivers, http=("GET", "/v1/bookings/{booking}/receivers"),
    summary="Who may be made the receiving account (接收账号), and who of them is free.",
    rules=("A7", "A8", "M4", "M6"), rate="read", effect="read",
)  # fmt: skip
ASSIGN = Operation(
    name="bookings.assign", request=AssignBooking, reply=BookingReply, http=("POST", "/v1/bookings/{booking}/assignment"),
    summary="Assign (分配业务员) or reassign the receiving account, until the meeting's end.",
    rules=("A7", "A8", "M4", "M6"), rate="command", effect="once",
)  # fmt: skip
REJECT = Operation(
    name="bookings.reject", request=EndBooking, reply=BookingReply, http=("POST", "/v1/bookings/{booking}/rejection"),
    summary="Reject (拒绝洽谈) a pending booking, with a reason.", rules=("A7", "M5", "M7"), rate="command", effect="once",
)  # fmt: skip
CANCEL = Operation(
    name="bookings.cancel", request=EndBooking, reply=BookingReply, http=("POST", "/v1/bookings/{booking}/cancellation"),
    summary="Cancel a booking from either side, with a reason.", rules=("A7", "M5", "M7"), rate="command", effect="once",
)  # fmt: skip
PROPOSE = Operation(
    name="bookings.propose", request=ProposeTime, reply=BookingReply, http=("POST", "/v1/bookings/{booking}/proposals"),
    summary="Propose another time; it holds a seat there until it is answered or expires.",
    rules=("A7", "M2", "M7"), rate="command", effect="once",
)  # fmt: skip
ANSWER_PROPOSAL = Operation(
    name="bookings.answer_proposal", request=AnswerProposal, reply=BookingReply, http=("POST", "/v1/proposals/{proposal}/answer"),
    summary="Accept or decline the other side's proposal of another time.", rules=("A7", "M6", "M7"), rate="command", effect="once",
)  # fmt: skip
WITHDRAW_PROPOSAL = Operation(
    name="bookings.withdraw_proposal", request=ProposalRef, reply=BookingReply, http=("POST", "/v1/proposals/{proposal}/withdrawal"),
    summary="Take the own side's proposal of another time back.", rules=("A7", "M7"), rate="command", effect="once",
)  # fmt: skip
SCHEDULE = Operation(
    name="meetings.schedule", request=ShowSchedule, reply=Schedule, http=("GET", "/v1/schedule"),
    summary="My schedule (我的日程), or everyone's (全部日程) by account and day.", rules=("A7", "M15"), rate="read", effect="read",
)  # fmt: skip
