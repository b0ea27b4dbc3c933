"""Decisions about bookings: pure, on rows that the caller has locked (A7, A8, M4–M7, M14).

`TRANSITIONS` is the life of a booking; what is not in it is refused as `wrong_state`. How M5–M7 are read where they are silent:

- Rejecting (拒绝洽谈) is the answer to a request, so it is for pending bookings; who no longer wants an assigned one cancels it.
- A pending booking whose slot is over stays pending, *overdue*: it can still be rejected or cancelled, so that the list gets clear,
  but not assigned, for there is no meeting any more to send somebody to.
- An assigned one is reassigned or cancelled until its end; afterwards it took place or did not, which is attendance (M11).
- Another time is proposed and accepted before the meeting begins.
- Of the exhibitor's accounts whoever may reject may also cancel; another time is a matter of whoever may assign, and of the
  receiving account, whose time it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import AccountKind, Attendance, BookingChange, BookingState, Side
from fairwire_server.accounts.rules import Caller, Table
from fairwire_server.chat.rules import normal_text

__all__ = [
    "ENDS_AT", "REASON_MAX", "TRANSITIONS", "BookingFact", "Candidate", "Event", "accepted", "assigned", "check_receiver",
    "check_visible", "clean_text", "ended", "expiry", "is_overdue", "may_arrange", "may_cancel", "receives_meetings", "stepped",
    "unreachable",
]  # fmt: skip

Event = Literal["assign", "reject", "cancel", "propose", "accept", "decline", "withdraw", "expire"]
TRANSITIONS: Final[Mapping[tuple[BookingState, Event], BookingState]] = {
    ("pending", "assign"): "assigned",
    ("pending", "reject"): "rejected",
    ("pending", "cancel"): "cancelled",
    ("pending", "propose"): "pending",
    ("pending", "accept"): "pending",
    ("pending", "decline"): "pending",
    ("pending", "withdraw"): "pending",
    ("pending", "expire"): "pending",
    ("assigned", "assign"): "assigned",
    ("assigned", "cancel"): "cancelled",
    ("assigned", "propose"): "assigned",
    ("assigned", "accept"): "assigned",  # or pending, when the receiving account is not free then (M2)
    ("assigned", "decline"): "assigned",
    ("assigned", "withdraw"): "assigned",
    ("assigned", "expire"): "assigned",
}
"""Nothing follows `rejected` and `cancelled`: who wants a meeting after all books again."""
ENDS_AT: Final[Mapping[tuple[BookingState, Event], Literal["start", "end"]]] = {
    ("pending", "assign"): "end",
    ("assigned", "assign"): "end",
    ("assigned", "cancel"): "end",
    ("pending", "propose"): "start",
    ("assigned", "propose"): "start",
    ("pending", "accept"): "start",
    ("assigned", "accept"): "start",
}
"""Until when; what is not here has no end."""
REASON_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingFact:
    """A row of `booking`, with the names that its cards need."""

    id: UUID
    fair: UUID
    exhibitor: UUID
    buyer: UUID
    slot: UUID
    conversation: UUID
    starts_at: datetime
    ends_at: datetime
    state: BookingState
    topic: str = ""
    receiver: UUID | None = None
    receiver_name: str = ""
    reason: str | None = None
    ended_by: Side | None = None
    time_revision: int = 0
    assignment: int = 0
    sequence: int = 0
    room_number: str | None = None
    buyer_attendance: Attendance = "unknown"
    team_attendance: Attendance = "unknown"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An exhibitor's account as a possible receiving one."""

    id: UUID
    exhibitor: UUID | None
    kind: AccountKind
    state: str
    name: str
    mobile_verified: bool
    email_verified: bool
    domicile: Literal["domestic", "overseas"] | None


def stepped(booking: BookingFact, event: Event, now: datetime) -> BookingState:
    """The state after `event`; raises `wrong_state`, or `too_late` once its time has passed."""
    after = TRANSITIONS.get((booking.state, event))
    if after is None:
        raise Refused("wrong_state", detail={"state": booking.state})
    end = ENDS_AT.get((booking.state, event))
    if end is not None and now >= (booking.ends_at if end == "end" else booking.starts_at):
        raise Refused("too_late", "The meeting is over." if end == "end" else "The meeting has begun.")
    return after


def is_overdue(state: BookingState, ends_at: datetime, now: datetime) -> bool:
    """M6: still pending although its slot has passed."""
    return state == "pending" and ends_at <= now


def check_visible(caller: Caller, booking: BookingFact | None, own: Collection[UUID]) -> BookingFact:
    """The booking, if it is in the caller's view; else `not_found`, whatever it is that exists (A1, A7). `own`: whose own it is."""
    if booking is not None and booking.fair == caller.fair:
        sees = caller.sees_bookings()
        if sees == "buyer" and booking.buyer == caller.account:
            return booking
        if sees == "all" and booking.exhibitor == caller.exhibitor:
            return booking
        if sees == "own" and booking.exhibitor == caller.exhibitor and caller.account in own:
            return booking
    raise Refused("not_found")


def may_cancel(caller: Caller) -> None:
    """M7: the buyer, and of the team whoever may reject; raises `forbidden`."""
    if caller.side == "team" and not caller.may("reject_bookings"):
        raise Refused("forbidden")


def may_arrange(caller: Caller, booking: BookingFact) -> None:
    """M7: who speaks for a side about another time; raises `forbidden`."""
    if caller.side == "team" and not caller.may("assign_bookings") and caller.account != booking.receiver:
        raise Refused("forbidden")


def receives_meetings(kind: AccountKind, state: str, table: Table) -> bool:
    """Whether such an account may be a receiving one (A7, M6)."""
    return state == "active" and table.get(kind, {}).get("receive_meetings", "no") != "no"


def unreachable(candidate: Candidate) -> bool:
    """A8: no verified address of the kind that its exhibitor's domicile requires, by SMS at home, by mail abroad (N1)."""
    return not (candidate.email_verified if candidate.domicile == "overseas" else candidate.mobile_verified)


def check_receiver(booking: BookingFact, candidate: Candidate | None, table: Table, *, confirmed: bool) -> Candidate:
    """M6, A8: an active account of the exhibitor that may receive meetings, and can be told, or was confirmed although it cannot."""
    if (
        candidate is None
        or candidate.exhibitor != booking.exhibitor
        or not receives_meetings(candidate.kind, candidate.state, table)
    ):
        raise Refused("bad_receiver", field="receiver")
    if unreachable(candidate) and not confirmed:
        needed = "email address" if candidate.domicile == "overseas" else "mobile number"
        raise Refused("receiver_unreachable", f"That account has no verified {needed}.", field="confirm_unreachable")
    return candidate


def assigned(booking: BookingFact, to: UUID, name: str, room_number: str) -> tuple[BookingChange, BookingFact]:
    """M6, M14: another receiving account; the room number stays. The former one is uninvited, so SEQUENCE rises also then."""
    kind: BookingChange = "assigned" if booking.state == "pending" else "reassigned"
    return kind, replace(
        booking,
        state="assigned",
        receiver=to,
        receiver_name=name,
        assignment=booking.assignment + 1,
        sequence=booking.sequence + 1,
        room_number=room_number,
    )


def ended(booking: BookingFact, state: Literal["rejected", "cancelled"], by: Side, reason: str) -> BookingFact:
    """M7, M14: rejected or cancelled. Who received it stays on record."""
    return replace(booking, state=state, reason=reason, ended_by=by, sequence=booking.sequence + 1)


def accepted(
    booking: BookingFact, slot: UUID, starts_at: datetime, ends_at: datetime, *, receiver_free: bool
) -> list[tuple[BookingChange, BookingFact]]:
    """M7: the steps to another time. An assigned booking whose receiving account is not free then is pending again (M2)."""
    moved = replace(
        booking,
        slot=slot,
        starts_at=starts_at,
        ends_at=ends_at,
        time_revision=booking.time_revision + 1,
        sequence=booking.sequence + 1,
    )
    if booking.state != "assigned" or receiver_free:
        return [("moved", moved)]
    pending = replace(
        moved,
        state="pending",
        receiver=None,
        receiver_name="",
        assignment=moved.assignment + 1,
        sequence=moved.sequence + 1,
    )
    return [("moved", moved), ("unassigned", pending)]


def expiry(now: datetime, booking: BookingFact, starts_at: datetime, lasts: timedelta) -> datetime:
    """M7: until when a proposal waits; never past either start."""
    return min(now + lasts, booking.starts_at, starts_at)


def clean_text(text: str, field: str, *, needed: bool) -> str:
    """A reason or note as it is kept: at most 500 characters (M7), something to read if it is needed."""
    if not needed and not text.strip():
        return ""
    try:
        return normal_text(text, REASON_MAX)
    except Refused as refused:
        code = "invalid" if refused.code == "empty_text" else refused.code
        message = "It needs at least one visible character." if refused.code == "empty_text" else refused.message
        raise Refused(code, message, field=field, detail=refused.detail) from None
