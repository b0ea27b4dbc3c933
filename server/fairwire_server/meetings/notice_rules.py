"""Whether a notice of a booking still holds: same state, same counters, same recipient (N2)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from fairwire_protocol.events import NoticeKind
from fairwire_protocol.models import Attendance, BookingState, Side

__all__ = ["Standing", "why_not"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A booking as it is when a notice of it is claimed."""

    state: BookingState
    buyer: UUID
    receiver: UUID | None
    time_revision: int
    assignment: int
    buyer_attendance: Attendance = "unknown"
    team_attendance: Attendance = "unknown"


def why_not(
    kind: NoticeKind, side: Side, recipient: UUID, time_revision: int, assignment: int, now: Standing
) -> str | None:
    """Why the notice is not sent any more; None while it holds."""
    match kind:
        case "rejected" | "cancelled":
            return None if now.state == kind else "superseded"
        case "requested" | "pending_day":
            return _first((now.state, now.state != "pending"), ("moved", now.time_revision != time_revision))
        case "unreached":
            return _first((now.state, now.state != "assigned"), ("reassigned", now.assignment != assignment))
        case "changed":
            ended = now.state not in ("pending", "assigned")
            elsewhere = side == "team" and now.receiver != recipient
            return _first((now.state, ended), ("moved", now.time_revision != time_revision), ("reassigned", elsewhere))
        case "reassigned":
            return _first(
                (now.state, now.state in ("rejected", "cancelled")), ("superseded", now.assignment != assignment)
            )
        case _:
            return _of_the_meeting(kind, side, recipient, time_revision, assignment, now)


def _of_the_meeting(
    kind: NoticeKind, side: Side, recipient: UUID, time_revision: int, assignment: int, now: Standing
) -> str | None:
    """Assignment, reminders, time is up, did it happen: to those who meet, at the time that was told them."""
    ours = now.receiver if side == "team" else now.buyer
    # N4: the buyer's reminders do not change with the receiving account; the news of an assignment does.
    bound = side == "team" or kind == "assigned"
    known = now.team_attendance if side == "team" else now.buyer_attendance
    return _first(
        (now.state, now.state != "assigned"),
        ("moved", now.time_revision != time_revision),
        ("reassigned", ours != recipient or (bound and now.assignment != assignment)),
        ("answered", kind == "did_it_happen" and known != "unknown"),
    )


def _first(*reasons: tuple[str, bool]) -> str | None:
    return next((reason for reason, holds in reasons if holds), None)
