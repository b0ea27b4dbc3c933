"""Operations of entering a meeting: invitations, lobby, attendance, calendar (M8, M9, M11, M14)."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fairwire_protocol.models import Attendance, Guest, Model, Person, Side
from fairwire_protocol.operations.base import Empty, Operation, Request


class MeetingRef(Request, frozen=True, kw_only=True):
    """One booking."""

    booking: UUID


class Entered(Model, frozen=True, kw_only=True):
    """Where the meeting takes place, for this account alone; to be opened at once, since it may hold a token."""

    address: str
    closes_at: int


class Invite(Request, frozen=True, kw_only=True):
    """A colleague's `account`; without it a link is made, one for each cid."""

    booking: UUID
    account: UUID | None = None


class Invitation(Model, frozen=True, kw_only=True):
    """A link of one side, with its `address` and `id`, or a colleague by `account` (M8)."""

    booking: UUID
    side: Side
    at: int
    id: UUID | None = None
    address: str | None = None
    account: Person | None = None
    by: Person | None = None
    """Who invited; nobody for the side's own link, which its notices carry (M9)."""
    guests: int = 0
    """Waiting and admitted by this link."""


class Invitations(Model, frozen=True, kw_only=True):
    """The side's invitations that hold, and its other way in: the number that is typed on the room page."""

    invitations: tuple[Invitation, ...]
    room_page: str
    room_number: str | None = None


class InvitationRef(Request, frozen=True, kw_only=True):
    """A link."""

    invitation: UUID


class Uninvite(Request, frozen=True, kw_only=True):
    """A colleague who was invited."""

    booking: UUID
    account: UUID


class Lobby(Model, frozen=True, kw_only=True):
    """The guests of the caller's side, whoever came first first."""

    guests: tuple[Guest, ...]


class AnswerGuest(Request, frozen=True, kw_only=True):
    """Admit the guest, or refuse; a refused one may be admitted after all."""

    guest: UUID
    admit: bool = True


class Attended(Request, frozen=True, kw_only=True):
    """Whether a side came."""

    booking: UUID
    side: Side
    attendance: Literal["attended", "no_show"]


class AttendanceReply(Model, frozen=True, kw_only=True, omit_defaults=False):
    """What is known now (M11)."""

    buyer: Attendance
    team: Attendance


class Feed(Model, frozen=True, kw_only=True):
    """The private address of the account's calendar; none until `meetings.reset_feed` has made one."""

    address: str | None = None


ENTER = Operation(
    name="meetings.enter", request=MeetingRef, reply=Entered, http=("POST", "/v1/bookings/{booking}/enter"),
    summary="Enter the meeting, from 24 hours ahead (进入洽谈): buyer, receiving account and invited colleagues.", rules=("M8", "M11"),
    rate="command", effect="idempotent",
)  # fmt: skip
INVITE = Operation(
    name="meetings.invite", request=Invite, reply=Invitation, http=("POST", "/v1/bookings/{booking}/invitations"),
    summary="Invite by a new link, or a colleague of the exhibitor's by account.", rules=("M8", "M9"), rate="command",
    effect="idempotent",
)  # fmt: skip
INVITATIONS = Operation(
    name="meetings.invitations", request=MeetingRef, reply=Invitations, http=("GET", "/v1/bookings/{booking}/invitations"),
    summary="The side's links and invited colleagues, and the room number (会议号).", rules=("M8", "M9"), rate="read", effect="read",
)  # fmt: skip
REVOKE_INVITATION = Operation(
    name="meetings.revoke_invitation", request=InvitationRef, reply=Empty, http=("DELETE", "/v1/invitations/{invitation}"),
    summary="End a link of the own side; whoever waits by it is refused.", rules=("M9",), rate="command", effect="idempotent",
)  # fmt: skip
UNINVITE = Operation(
    name="meetings.uninvite", request=Uninvite, reply=Empty, http=("POST", "/v1/bookings/{booking}/uninvite"),
    summary="A colleague who was invited no longer enters; the meeting stays in its sight.", rules=("M8",), rate="command",
    effect="idempotent",
)  # fmt: skip
LOBBY = Operation(
    name="meetings.lobby", request=MeetingRef, reply=Lobby, http=("GET", "/v1/bookings/{booking}/lobby"),
    summary="Guests of the own side: waiting, admitted, refused.", rules=("M9",), rate="read", effect="read",
)  # fmt: skip
ADMIT = Operation(
    name="meetings.admit", request=AnswerGuest, reply=Guest, http=("POST", "/v1/guests/{guest}/answer"),
    summary="Admit or refuse a guest of the own side.", rules=("M9",), rate="command", effect="idempotent",
)  # fmt: skip
ATTENDANCE = Operation(
    name="meetings.attendance", request=Attended, reply=AttendanceReply, http=("POST", "/v1/bookings/{booking}/attendance"),
    summary="Say after the slot whether a side came; correctable.", rules=("M11",), rate="command", effect="idempotent",
)  # fmt: skip
CALENDAR = Operation(
    name="meetings.calendar", request=MeetingRef, reply=bytes, http=("GET", "/v1/bookings/{booking}/calendar"), socket=False,
    binary="reply", one_door="a file to open, not a frame",
    summary="The meeting as an iCalendar file.", rules=("M14",), rate="read", effect="read",
)  # fmt: skip
FEED = Operation(
    name="meetings.feed", request=Request, reply=Feed, http=("GET", "/v1/calendar-feed"),
    summary="The private address under which calendars subscribe to the account's meetings.", rules=("M14", "M15"), rate="read",
    effect="read",
)  # fmt: skip
RESET_FEED = Operation(
    name="meetings.reset_feed", request=Request, reply=Feed, http=("POST", "/v1/calendar-feed"),
    summary="Make that address, or a new one: the one before ends.", rules=("M14",), rate="command",
    effect="idempotent",
)  # fmt: skip
