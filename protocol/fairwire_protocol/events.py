"""Durable events: what an account stream or the fair stream carries (W2).

The body of an `event` frame is one of these, a map whose `type` says which. A client that meets a type it does not know
ignores the body and still counts the position (W1). `entries` holds what the event brings into view (W5): a client upserts
them before anything else the event says.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from msgspec import Struct

from fairwire_protocol.models import Account, Booking, Contact, Entry, Guest, Marker, Message, Offer, Person, Place, Seq

__all__ = [
    "AccountChanged", "AccountEvent", "Announcement", "BlockChanged", "BookingChanged", "ContactChanged", "ContactMarked", "FairEvent",
    "Handled", "LobbyChanged", "MarkerMoved", "MessagePosted", "MessageRecalled", "Notice", "NoticeKind", "OfferClosed", "OfferMade",
    "PersonRenamed", "PlaceChanged", "Waiting",
]  # fmt: skip

NoticeKind = Literal[
    "transfer_offline", "report", "requested", "assigned", "reassigned", "changed", "rejected", "cancelled", "reminder_day",
    "reminder_soon", "pending_day", "proposed", "place_offered", "guest_waiting", "time_up", "did_it_happen", "unreached", "waiting",
]  # fmt: skip
"""What a notice is about. `reminder_day` and `reminder_soon` come 24 hours and 15 minutes ahead; `pending_day`: still pending at
T−24 h; `time_up`: the slot is over (M10); `unreached`: somebody could not be told on any channel (A8); `waiting`: a chat that the account
holds has no answer (C11); `transfer_offline`: a chat was transferred, or offered, while it was offline (C7, C8)."""


class Event(Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="type"):
    """Base of every durable event."""


class MessagePosted(Event, tag="message", frozen=True, kw_only=True):
    """A message took its seq. A `transfer` message changes the holder; a buyer's message opens the chat (C1)."""

    message: Message
    entries: tuple[Entry, ...] = ()


class MessageRecalled(Event, tag="recall", frozen=True, kw_only=True):
    """The sender took a message back (C12)."""

    conversation: UUID
    seq: Seq
    ts: int


class MarkerMoved(Event, tag="marker", frozen=True, kw_only=True):
    """Somebody received or read further (W9)."""

    conversation: UUID
    marker: Marker


class Handled(Event, tag="handled", frozen=True, kw_only=True):
    """The team has dealt with the chat; it is not open any more (C11)."""

    conversation: UUID
    by: Person | None = None
    ts: int


class Waiting(Event, tag="waiting", frozen=True, kw_only=True):
    """An open chat has gone unanswered for the fair's N minutes (C11). Team only."""

    conversation: UUID
    since: int


class BlockChanged(Event, tag="block", frozen=True, kw_only=True):
    """One side has blocked or unblocked the conversation (C18)."""

    conversation: UUID
    blocked_by_buyer: bool
    blocked_by_team: bool


class OfferMade(Event, tag="offer", frozen=True, kw_only=True):
    """An ask-first transfer waits for `offer.to` (C8). To the holder and the target."""

    offer: Offer


class OfferClosed(Event, tag="offer_closed", frozen=True, kw_only=True):
    """An ask-first transfer was answered or ran out (C8)."""

    id: UUID
    conversation: UUID
    outcome: Literal["accepted", "declined", "expired", "withdrawn"]


class ContactMarked(Event, tag="mark", frozen=True, kw_only=True):
    """The account pinned or starred a contact, on any of its devices (K3, K4)."""

    conversation: UUID
    pinned_at: int | None = None
    starred: bool = False
    entries: tuple[Entry, ...] = ()


class ContactChanged(Event, tag="contact", frozen=True, kw_only=True):
    """A contact's card changed: renamed, or added to the customer base (K2)."""

    contact: Contact


class PersonRenamed(Event, tag="person", frozen=True, kw_only=True):
    """An account of the exhibitor's side goes by another name."""

    person: Person


class AccountChanged(Event, tag="account", frozen=True, kw_only=True):
    """The account's own data changed."""

    account: Account


class Notice(Event, tag="notice", frozen=True, kw_only=True):
    """Something the account should look at, and why."""

    kind: NoticeKind
    conversation: UUID | None = None
    booking: UUID | None = None
    ts: int
    starts_at: int | None = None
    """Of the meeting that it is about."""
    next_at: int | None = None
    """`time_up`: when the receiving account's next meeting starts (M10)."""
    by: Person | None = None
    """Who proposes, transfers or reports."""
    about: Person | None = None
    """`unreached`: who was not told; `guest_waiting`: the guest."""
    link: str | None = None
    """With `room_number` and `starts_at`, to be forwarded to colleagues of the own side (M9)."""
    room_number: str | None = None


class BookingChanged(Event, tag="booking", frozen=True, kw_only=True):
    """A booking as it is now. It enters the client's list with this event, and leaves it once it has ended (W5)."""

    booking: Booking


class PlaceChanged(Event, tag="place", frozen=True, kw_only=True):
    """The buyer's place in a waiting list: new, offered the seat, or over (M13)."""

    place: Place
    outcome: Literal["accepted", "declined", "expired", "left", "over"] | None = None


class LobbyChanged(Event, tag="lobby", frozen=True, kw_only=True):
    """A guest of the account's side waits, was admitted or refused (M9)."""

    guest: Guest


class Announcement(Event, tag="announcement", frozen=True, kw_only=True):
    """The organiser's word to everybody at the fair (A4)."""

    id: UUID
    ts: int
    title: str
    text: str
    language: str = "zh"


AccountEvent = (
    MessagePosted
    | MessageRecalled
    | MarkerMoved
    | Handled
    | Waiting
    | BlockChanged
    | OfferMade
    | OfferClosed
    | ContactMarked
    | ContactChanged
    | PersonRenamed
    | AccountChanged
    | Notice
    | BookingChanged
    | PlaceChanged
    | LobbyChanged
)
FairEvent = Announcement
