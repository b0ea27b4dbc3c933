"""What travels inside frames, events and replies: the nouns of the fair as a client sees them.

Every shape is a frozen Struct that is a map on the wire. Ids are UUIDs (text on both codecs), instants are integers in
milliseconds since 1970 UTC and end in `_at` or are called `ts`, positions count in a stream, seqs in a conversation (W2).
A field a peer does not know is ignored, a field it does not send has the default written here (W1).
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

__all__ = [
    "Account", "AccountKind", "AccountState", "Attendance", "Booking", "BookingChange", "BookingNote", "BookingState", "BuyerCard",
    "BuyerDetails", "Card", "Company", "Contact", "Entry", "Exhibit", "ExhibitorCard", "Fair", "Guest", "Image", "Limits", "Marker",
    "Message", "MessageKind", "Model", "Offer", "Person", "Place", "Pos", "Position", "Presence", "PresenceState", "Proposal",
    "Section", "Seq", "Session", "Side", "Subject", "Transfer", "TransferReason", "Visitor",
]  # fmt: skip

AccountKind = Literal["organiser", "main", "manager", "business", "exhibit", "buyer"]
AccountState = Literal["active", "disabled", "suspended", "removed"]
Side = Literal["buyer", "team"]
MessageKind = Literal["text", "image", "card", "transfer", "booking"]
BookingState = Literal["pending", "assigned", "rejected", "cancelled"]
BookingChange = Literal["requested", "assigned", "reassigned", "unassigned", "rejected", "cancelled", "moved"]
Attendance = Literal["unknown", "attended", "no_show"]
PresenceState = Literal["online", "busy", "away", "offline"]
TransferReason = Literal["transfer", "accepted", "takeover", "routing", "handover"]
Seq = Annotated[int, Meta(ge=0, le=2_147_483_647)]
Pos = Annotated[int, Meta(ge=0, le=9_007_199_254_740_991)]


class Model(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Base of every shape: frozen, defaults left out on the wire, unknown fields ignored."""


class Limits(Model, omit_defaults=False, frozen=True, kw_only=True):
    """W15: every limit a client can run into, told in `welcome`."""

    frame_bytes: int
    depth: int
    text_chars: int
    image_bytes: int
    image_pixels: int
    image_quota_bytes: int
    devices: int
    subscriptions: int
    in_flight: int
    recent: int
    pins: int
    recall_ms: int
    offer_ms: int
    ephemeral_ms: int
    slot_batch: int = 0
    places: int = 0
    place_ms: int = 0
    page: int
    resume_events: int
    resume_window_ms: int


class Position(Model, omit_defaults=False, frozen=True, kw_only=True):
    """A place in a stream (W2). A different epoch makes positions incomparable.

    Streams have epochs and positions from 0 to 2^53 - 1; a client that comes back from any other integer gets a first state (W6).
    """

    epoch: int
    pos: int


class Person(Model, frozen=True, kw_only=True):
    """An account as others see its name: a colleague, or the holder of a chat."""

    id: UUID
    name: str


class Account(Model, frozen=True, kw_only=True):
    """An account as itself, its main account and its colleagues see it."""

    id: UUID
    kind: AccountKind
    name: str
    state: AccountState = "active"
    login: str | None = None
    exhibitor: UUID | None = None
    department: UUID | None = None
    language: str = "zh"
    time_zone: str | None = None
    mobile: str | None = None
    mobile_verified: bool = False
    email: str | None = None
    email_verified: bool = False
    role: Literal["buyer", "representative"] | None = None
    complete: bool | None = None
    """Buyers: whether the profile is complete (A3); a visitor's is not."""
    missing: tuple[str, ...] = ()
    """Buyers: profile fields still to fill."""
    country: str | None = None
    interests: tuple[str, ...] = ()
    profile: dict[str, str] = {}
    capabilities: dict[str, str] = {}
    """Own account: the fair's table for its kind (A7): capability → yes, all, team, own."""


class Session(Model, frozen=True, kw_only=True):
    """A signed-in device of the account."""

    id: UUID
    device: str
    device_name: str
    created_at: int
    used_at: int
    current: bool = False


class Section(Model, frozen=True, kw_only=True):
    """An exhibition section (展区)."""

    id: UUID
    name_zh: str
    name_en: str


class Fair(Model, frozen=True, kw_only=True):
    """One edition of a fair (A1)."""

    id: UUID
    code: str
    name_zh: str
    name_en: str
    time_zone: str
    opens_at: int
    closes_at: int
    sections: tuple[Section, ...] = ()
    profile_fields: tuple[str, ...] = ()


class BuyerDetails(Model, frozen=True, kw_only=True):
    """A buyer's basic data, shown once the buyer is in the exhibitor's customer base (K2)."""

    email: str | None = None
    mobile: str | None = None
    role: Literal["buyer", "representative"] = "buyer"
    company: str | None = None
    profile: dict[str, str] = {}


class BuyerCard(Model, tag_field="type", tag="buyer", frozen=True, kw_only=True):
    """A buyer as an exhibitor sees it; `details` only after adding it to the customer base (K2)."""

    id: UUID
    name: str
    country: str | None = None
    interests: tuple[str, ...] = ()
    avatar: str | None = None
    in_base: bool = False
    details: BuyerDetails | None = None


class ExhibitorCard(Model, tag_field="type", tag="exhibitor", frozen=True, kw_only=True):
    """An exhibitor (参展商) as buyers see it."""

    id: UUID
    name_zh: str
    name_en: str
    vip: bool = False
    brand: bool = False
    domicile: Literal["domestic", "overseas"] = "domestic"
    sections: tuple[str, ...] = ()
    """Ids of its sections."""
    answer_seconds: int | None = None
    """C5: its usual time to answer; absent while unknown."""


Contact = BuyerCard | ExhibitorCard


class Exhibit(Model, frozen=True, kw_only=True):
    """An exhibit (展品), as far as opening a chat from it needs."""

    id: UUID
    exhibitor: UUID
    name_zh: str
    name_en: str
    code: str = ""
    section: UUID | None = None
    image: str | None = None
    tags: tuple[str, ...] = ()


class Card(Model, frozen=True, kw_only=True):
    """What a chat was opened from, frozen as it was at that moment (C2)."""

    source: Literal["exhibit"]
    id: UUID
    name_zh: str
    name_en: str
    code: str = ""
    image: str | None = None
    tags: tuple[str, ...] = ()


class Image(Model, frozen=True, kw_only=True):
    """An uploaded image (C4); bytes at `/v1/images/{id}`, a WebP thumbnail at `/v1/images/{id}/thumbnail`."""

    id: UUID
    kind: Literal["png", "jpeg", "webp", "gif"]
    width: int
    height: int
    bytes: int


class Transfer(Model, frozen=True, kw_only=True):
    """A change of holder (C7–C10). Buyers see `to` alone (C8, C12)."""

    to: Person
    source: Person | None = None
    """Who held the chat before; absent in the buyer's view."""
    by: Person | None = None
    reason: TransferReason | None = None
    note: str | None = None


class BookingNote(Model, frozen=True, kw_only=True):
    """What has happened to a booking, as a card in its chat, frozen as it was at that moment (M4–M7)."""

    booking: UUID
    change: BookingChange
    starts_at: int
    ends_at: int
    topic: str = ""
    receiver: Person | None = None
    reason: str | None = None


class Message(Model, frozen=True, kw_only=True):
    """One numbered message of a conversation. A recalled one keeps its place and loses its content (C12)."""

    conversation: UUID
    seq: Seq
    kind: MessageKind
    side: Side
    ts: int
    sender: Person | None = None
    """The account that wrote it. Absent for system messages in the buyer's view."""
    text: str | None = None
    image: Image | None = None
    card: Card | None = None
    transfer: Transfer | None = None
    booking: BookingNote | None = None
    """Its `sender` is who caused the change. It opens no chat, routes none and moves no marker."""
    recalled: bool = False
    cid: UUID | None = None
    """The sender's command id, for its own devices to match their outbox (W7)."""


class Marker(Model, omit_defaults=False, frozen=True, kw_only=True):
    """How far one reader has received and read a conversation (W9)."""

    account: UUID | None
    """None: the team's maximum, as the buyer sees it."""
    side: Side
    received: Seq = 0
    read: Seq = 0


class Entry(Model, frozen=True, kw_only=True):
    """One contact of the recent list (K1), the same in the snapshot and in an event that brings it into view (W5).

    A former holder's entry is frozen at the transfer: `holds` is false, `last` is the last message it may read.
    """

    conversation: UUID
    contact: Contact
    at: Pos
    """Position of its newest message in this account's stream: the order of the list (W8)."""
    last_seq: Seq
    read: Seq = 0
    received: Seq = 0
    holds: bool = False
    """Whether this account holds the chat; a buyer is never a holder."""
    readable_to: Seq | None = None
    """Set for a former holder: the seq of the transfer that ended its view (C9)."""
    holder: Person | None = None
    last: Message | None = None
    markers: tuple[Marker, ...] = ()
    """The other side's and colleagues' receipts (W9); empty for a former holder."""
    open: bool = False
    waiting_since: int | None = None
    """C11; never in the buyer's view."""
    pinned_at: int | None = None
    starred: bool = False
    blocked_by_buyer: bool = False
    blocked_by_team: bool = False


class Offer(Model, frozen=True, kw_only=True):
    """An ask-first transfer that waits for its target's answer (C8)."""

    id: UUID
    conversation: UUID
    source: Person
    to: Person
    expires_at: int
    contact: BuyerCard
    note: str | None = None


class Visitor(Model, frozen=True, kw_only=True):
    """A buyer as bookings show it to an exhibitor, in the base or not: by interests and country (M5, K2)."""

    id: UUID
    name: str
    country: str | None = None
    interests: tuple[str, ...] = ()
    avatar: str | None = None


class Company(Model, frozen=True, kw_only=True):
    """An exhibitor by its names."""

    id: UUID
    name_zh: str
    name_en: str


class Proposal(Model, frozen=True, kw_only=True):
    """Another time for a booking, which waits for the other side's yes and holds a seat meanwhile (M7)."""

    id: UUID
    slot: UUID
    starts_at: int
    ends_at: int
    side: Side
    by: Person
    """For the buyer, the exhibitor's side is whoever of it proposed."""
    note: str | None = None
    expires_at: int


class Booking(Model, frozen=True, kw_only=True):
    """A booked meeting (M4–M7, M11), the same to everybody who may see it."""

    id: UUID
    slot: UUID
    conversation: UUID
    exhibitor: Company
    buyer: Visitor
    state: BookingState
    starts_at: int
    ends_at: int
    topic: str = ""
    card: Card | None = None
    receiver: Person | None = None
    """The receiving account (接收账号) while assigned."""
    reason: str | None = None
    """Why it was rejected or cancelled."""
    ended_by: Side | None = None
    proposal: Proposal | None = None
    room_number: str | None = None
    """会议号: nine digits, while assigned (M9)."""
    time_revision: int = 0
    assignment: int = 0
    buyer_attendance: Attendance = "unknown"
    team_attendance: Attendance = "unknown"
    requested_at: int = 0
    changed_at: int = 0


class Place(Model, frozen=True, kw_only=True):
    """A buyer's place in the waiting list of a full slot; once `expires_at` is set the freed seat is held for it till then (M13)."""

    id: UUID
    slot: UUID
    exhibitor: Company
    starts_at: int
    ends_at: int
    topic: str = ""
    expires_at: int | None = None


class Guest(Model, frozen=True, kw_only=True):
    """Somebody without an account in the lobby of a meeting (M9)."""

    id: UUID
    booking: UUID
    side: Side
    name: str
    at: int
    state: Literal["waiting", "admitted", "refused"] = "waiting"


class Subject(Model, frozen=True, kw_only=True):
    """What presence can be watched of (W10): an exhibitor by buyers, a buyer or a colleague by the team."""

    kind: Literal["exhibitor", "account"]
    id: UUID


class Presence(Model, frozen=True, kw_only=True):
    """The presence of one subject, the best of its devices or of its receiving accounts (C17)."""

    kind: Literal["exhibitor", "account"]
    id: UUID
    state: PresenceState
