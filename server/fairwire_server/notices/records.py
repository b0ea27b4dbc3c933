"""The words that planning, claiming and rendering share, and what a subject owes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from fairwire_protocol.events import Notice, NoticeKind
from fairwire_protocol.models import Side
from fairwire_server.database.pool import Connection
from fairwire_server.database.work import Work
from fairwire_server.notices.rules import Addressee, ChannelName
from fairwire_server.streams.told import Draft

__all__ = ["Claimed", "Facts", "Keep", "MakeCalendar", "Recipient", "Subject", "SubjectKind", "Wanted"]

SubjectKind = Literal["booking", "proposal", "place", "guest", "conversation", "offer", "report"]


class Wanted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Somebody is to be told something: which channels that takes is decided when it is planned (N1, N9)."""

    subject: SubjectKind
    subject_id: UUID
    fair: UUID
    kind: NoticeKind
    recipient: UUID
    side: Side
    starts_at: datetime | None = None
    """Of the meeting. With `offset_s`, it is due that many seconds before; without, at once (N2)."""
    offset_s: int | None = None
    useless_at: datetime
    """Nothing is sent from here on (N3)."""
    time_revision: int = 0
    """Or, for what has none, which occasion of its kind it is."""
    assignment: int = 0
    draft: Draft | None = None
    """What the app says, where the transaction that plans it says it too: for what is due at once, was never planned before, and is as
    true when this is committed as a worker could find it (N2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who is told, as it is in the transaction that claims. Its `repr` tells no address."""

    id: UUID
    name: str
    active: bool
    language: str
    zone: str
    """Its own, or the fair's."""
    fair_zone: str
    fair_zh: str
    fair_en: str
    email: str | None = field(repr=False)
    mobile: str | None = field(repr=False)
    quiet_from: time | None
    quiet_to: time | None
    addressee: Addressee

    @property
    def chinese(self) -> bool:
        """Chinese for `zh…`, English for everybody else (N8)."""
        return self.language.partition("-")[0] == "zh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A notice that a worker holds, before it is known whether it still is to be sent."""

    id: UUID
    fair: UUID
    subject: SubjectKind
    subject_id: UUID
    kind: NoticeKind
    recipient: UUID
    side: Side
    channel: ChannelName
    time_revision: int
    assignment: int
    due_at: datetime
    useless_at: datetime
    attempts: int
    maybe_duplicate: bool


MakeCalendar = Callable[[Recipient], tuple[bytes, Literal["REQUEST", "CANCEL"]]]
"""The iTIP object for one attendee, and its method (M14)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a notice says, as its subject knows it now. Texts are made from this and from nothing else (N2)."""

    event: Notice
    """For the app."""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    exhibitor_zh: str = ""
    exhibitor_en: str = ""
    buyer: str = ""
    receiver: str = ""
    topic: str = ""
    reason: str = ""
    by: str = ""
    """Who proposes, transfers or reports."""
    note: str = ""
    guest: str = ""
    moves_from: datetime | None = None
    """When the meeting is now that `starts_at` is proposed for (M7)."""
    next_at: datetime | None = None
    """When the recipient's next meeting starts (M10)."""
    answer_by: datetime | None = None
    room_number: str = ""
    link: str = field(default="", repr=False)
    """The own side's, for the block made for forwarding (M9)."""
    calendar: MakeCalendar | None = field(default=None, repr=False)


Keep = Callable[[Connection, Collection[UUID]], Awaitable[None]]
"""These subjects stay as they are until the transaction ends. For what had ended and is planned again: whoever changes a subject has
done so before, and is seen when it is claimed, or does so afterwards, and takes it back (N4). Before notices are locked."""


class Subject(Protocol):
    """What a notice is about: who knows whether it still holds, and what there is to say."""

    async def recheck(self, work: Work, notices: Sequence[Claimed]) -> Mapping[UUID, Facts | str]:
        """For each notice its facts, or why it is not sent any more (N2). In the transaction that claims them, in few statements
        however many there are; locks nothing that others wait for. A notice left out is skipped as `gone`."""
