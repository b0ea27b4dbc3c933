"""When a meeting can be entered, by whom, and who looks after its guests (M8, M9, M11). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import BookingState, Side
from fairwire_server.accounts.rules import Caller
from fairwire_server.clock import milliseconds

__all__ = [
    "GUESTS_MAX", "Entrance", "Gate", "check_after", "check_gate", "check_inviter", "check_keeper", "check_sees", "closes_at", "gate_of",
    "keeps_lobby", "may_enter", "opens_at", "side_of",
]  # fmt: skip

OPENS_BEFORE: Final = timedelta(hours=24)
CLOSES_AFTER: Final = timedelta(hours=2)
GUESTS_MAX: Final = 10
"""Of a link, and of a side of the meeting by room number: waiting and admitted together, so that no more are ever admitted (M9)."""

Gate = Literal["early", "open", "late", "off"]


@dataclass(frozen=True, slots=True)
class Entrance:
    """What is decided on: a booking's row, and how the account that asks stands to it. In the order of the query `entrance`."""

    booking: UUID
    fair: UUID
    exhibitor: UUID
    buyer: UUID
    receiver: UUID | None
    state: BookingState
    starts_at: datetime
    ends_at: datetime
    invited: bool = False
    """By name, and not taken back (M8)."""
    was_invited: bool = False
    held: bool = False
    """It is or was the receiving account (A7: *own*)."""
    room_number: str | None = None


def opens_at(starts_at: datetime) -> datetime:
    """From when on the meeting can be entered (M8, M9)."""
    return starts_at - OPENS_BEFORE


def closes_at(ends_at: datetime) -> datetime:
    """Until when, not included (M9)."""
    return ends_at + CLOSES_AFTER


def gate_of(state: BookingState, starts_at: datetime, ends_at: datetime, now: datetime) -> Gate:
    """How a meeting stands to whoever comes now. Only an assigned one has somebody to meet; all others are `off`."""
    if state != "assigned":
        return "off"
    if now < opens_at(starts_at):
        return "early"
    return "open" if now < closes_at(ends_at) else "late"


def check_gate(state: BookingState, starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    """Raises `wrong_state`, `too_early` with the instant from which on it opens, or `too_late`."""
    match gate_of(state, starts_at, ends_at, now):
        case "off":
            raise Refused("wrong_state", detail={"state": state})
        case "early":
            raise Refused("too_early", detail={"opens_at": milliseconds(opens_at(starts_at))})
        case "late":
            raise Refused("too_late")
        case "open":
            return


def check_after(ends_at: datetime, now: datetime) -> None:
    """M11: whether it took place is said after the slot. Raises `too_early` with the slot's end."""
    if now < ends_at:
        raise Refused("too_early", "The meeting has not ended.", detail={"opens_at": milliseconds(ends_at)})


def side_of(caller: Caller, entrance: Entrance) -> Side:
    """The side on which the caller sees this meeting. Raises `not_found` for everybody else (A1, A7)."""
    if caller.account == entrance.buyer:
        return "buyer"
    if caller.exhibitor is not None and caller.exhibitor == entrance.exhibitor:
        own = entrance.held or entrance.was_invited or entrance.receiver == caller.account
        if (scope := caller.sees_bookings()) == "all" or (scope == "own" and own):
            return "team"
    raise Refused("not_found")


def check_sees(caller: Caller, entrance: Entrance | None) -> tuple[Side, Entrance]:
    """The same, of a booking that may not exist."""
    if entrance is None or entrance.fair != caller.fair:
        raise Refused("not_found")
    return side_of(caller, entrance), entrance


def may_enter(caller: Caller, entrance: Entrance) -> bool:
    """M8: buyer and receiving account; of the exhibitor's others only those that were invited."""
    return caller.account in {entrance.buyer, entrance.receiver} or entrance.invited


def check_inviter(caller: Caller, entrance: Entrance) -> None:
    """M8: receiving account and buyer invite. Raises `forbidden`."""
    if caller.account not in {entrance.buyer, entrance.receiver}:
        raise Refused("forbidden", "Only the buyer and the receiving account invite (M8).")


def keeps_lobby(caller: Caller, entrance: Entrance) -> bool:
    """M9: a member of a side looks after its guests: buyer, receiving account, invited colleagues, and who sees all bookings."""
    return may_enter(caller, entrance) or caller.sees_bookings() == "all"


def check_keeper(caller: Caller, entrance: Entrance) -> None:
    """Raises `forbidden` for somebody who sees the meeting and is no member of it now."""
    if not keeps_lobby(caller, entrance):
        raise Refused("forbidden", "Guests are looked after by those who take part (M9).")
