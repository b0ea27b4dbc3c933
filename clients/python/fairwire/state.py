"""What a client knows, and how events change it: the reducer (W5, K1).

`State` is a value. `State.from_snapshot` makes it from the parts of the first state, `apply` makes the next one from the next
durable event, and nothing else does: what a client shows is a function of what it received. The server's property test holds
this module to it: `apply(snapshot₀, events₀..₁) == snapshot₁` for every role.

Three rules shape everything below. `entries` in an event come first, they are what the event brings into view. An event about
a conversation that is not in view changes nothing (main and managers are streamed the other chats of the team, W3). A former
holder's entry is frozen at the transfer that ended its view (C9): only recalls and the account's own marks still reach it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar
from uuid import UUID

from msgspec import UNSET, UnsetType, structs

from fairwire_protocol import events as e
from fairwire_protocol.frames import Snapshot
from fairwire_protocol.models import Account, Booking, BuyerCard, Contact, Entry, Marker, Message, Offer, Person, Place
from fairwire_protocol.session import Body, UnknownEvent

__all__ = ["RECENT_MAX", "WINDOWS_MAX", "WINDOW_MESSAGES", "State", "apply"]

RECENT_MAX: Final = 300
WINDOWS_MAX: Final = 20
WINDOW_MESSAGES: Final = 20

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class State:
    """Everything the account's stream tells: contacts, stars, the last messages of open chats, waiting offers."""

    account: Account
    entries: Mapping[UUID, Entry] = field(default_factory=dict)
    """The recent contacts by conversation, at most `limit` (K1). `recent` has them in order."""
    starred: frozenset[UUID] = frozenset()
    """Conversations with a starred buyer, also those beyond the recent list (K3)."""
    windows: Mapping[UUID, tuple[Message, ...]] = field(default_factory=dict)
    """For the newest open chats: the last messages without a gap between them, at most 20 (W5)."""
    offers: Mapping[UUID, Offer] = field(default_factory=dict)
    """Ask-first transfers that wait for an answer (C8)."""
    bookings: Mapping[UUID, Booking] = field(default_factory=dict)
    """Pending and assigned bookings that have not ended (M5). `schedule` has them in order."""
    places: Mapping[UUID, Place] = field(default_factory=dict)
    """The buyer's places in waiting lists of slots that have not begun (M13)."""
    limit: int = RECENT_MAX

    @classmethod
    def from_snapshot(
        cls, parts: Iterable[Snapshot], *, account: Account | None = None, limit: int = RECENT_MAX, now: int = 0
    ) -> State:
        """The first state from all its parts; `account` is what `welcome` said, should the parts not say it again."""
        entries: dict[UUID, Entry] = {}
        starred: set[UUID] = set()
        windows: dict[UUID, list[Message]] = {}
        offers: dict[UUID, Offer] = {}
        bookings: dict[UUID, Booking] = {}
        places: dict[UUID, Place] = {}
        for part in parts:
            account = part.account or account
            entries.update((entry.conversation, entry) for entry in part.entries)
            starred.update(part.starred)
            offers.update((offer.id, offer) for offer in part.offers if offer.expires_at > now)
            bookings.update((booking.id, booking) for booking in part.bookings if booking.ends_at > now)
            places.update((place.id, place) for place in part.places if place.starts_at > now)
            for message in part.messages:
                windows.setdefault(message.conversation, []).append(message)
        if account is None:
            raise ValueError("the snapshot names no account")
        for messages in windows.values():
            messages.sort(key=lambda message: message.seq)
        tails = {conversation: tuple(messages[-WINDOW_MESSAGES:]) for conversation, messages in windows.items()}
        return cls(account, entries, frozenset(starred), tails, offers, bookings, places, limit)._bounded()

    @property
    def recent(self) -> tuple[Entry, ...]:
        """The recent list: pinned first, then the rest, each by newest message (K1, K4, W8)."""
        return tuple(sorted(self.entries.values(), key=lambda entry: (entry.pinned_at is None, -entry.at)))

    @property
    def schedule(self) -> tuple[Booking, ...]:
        """The bookings by time."""
        return tuple(sorted(self.bookings.values(), key=lambda booking: (booking.starts_at, booking.id)))

    @property
    def unread(self) -> int:
        """Unread messages in all recent chats: last − read (W9)."""
        return sum(max(0, entry.last_seq - entry.read) for entry in self.entries.values())

    def find(self, conversation: UUID) -> Entry | None:
        """The contact of a conversation, if it is in the recent list."""
        return self.entries.get(conversation)

    def _entry(self, entry: Entry) -> State:
        return replace(self, entries={**self.entries, entry.conversation: entry})

    def _bounded(self) -> State:
        """The rule of 300: the unpinned contact with the oldest message leaves the list, with its window (K1)."""
        entries = self.entries
        excess = len(entries) - self.limit
        if excess > 0:
            unpinned = sorted((x for x in entries.values() if x.pinned_at is None), key=lambda entry: entry.at)
            entries = _without(entries, {entry.conversation for entry in unpinned[:excess]})
        keep = {key for key in self.windows if (entry := entries.get(key)) is not None and entry.open}
        if len(keep) > WINDOWS_MAX:
            keep = set(sorted(keep, key=lambda key: -entries[key].at)[:WINDOWS_MAX])
        if entries is self.entries and len(keep) == len(self.windows):
            return self
        return replace(self, entries=entries, windows={key: self.windows[key] for key in self.windows if key in keep})


def apply(state: State, event: Body, pos: int, now: int) -> State:
    """The state after `event` at `pos` of the account's stream. `now` (ms since 1970) ends offers that have run out."""
    brought = getattr(event, "entries", ())
    if brought:
        state = replace(state, entries={**state.entries, **{entry.conversation: entry for entry in brought}})
    state = _change(state, event, pos)
    if any(offer.expires_at <= now for offer in state.offers.values()):
        state = replace(state, offers={key: offer for key, offer in state.offers.items() if offer.expires_at > now})
    if any(booking.ends_at <= now for booking in state.bookings.values()):
        state = replace(state, bookings={key: known for key, known in state.bookings.items() if known.ends_at > now})
    if any(place.starts_at <= now for place in state.places.values()):
        state = replace(state, places={key: known for key, known in state.places.items() if known.starts_at > now})
    return state._bounded()


def _change(state: State, event: Body, pos: int) -> State:
    match event:
        case e.MessagePosted():
            return _posted(state, event.message, pos)
        case e.MessageRecalled():
            return _recalled(state, event)
        case e.MarkerMoved():
            return _marker(state, event)
        case e.Handled() | e.Waiting() | e.BlockChanged():
            return _chat(state, event)
        case e.OfferMade():
            return replace(state, offers={**state.offers, event.offer.id: event.offer})
        case e.OfferClosed():
            return replace(state, offers=_without(state.offers, {event.id}))
        case e.ContactMarked():
            return _marked(state, event)
        case e.ContactChanged():
            return _contact(state, event.contact)
        case e.PersonRenamed():
            return _renamed(state, event.person)
        case e.AccountChanged():
            own = event.account
            state = _buyer(replace(state, account=own), own.id, own.country, own.interests)
            return _renamed(state, Person(id=own.id, name=own.name))
        case e.BookingChanged() | e.PlaceChanged():
            return _meetings(state, event)
        case e.Notice() | e.LobbyChanged() | e.Announcement() | UnknownEvent():
            return state


def _meetings(state: State, event: e.BookingChanged | e.PlaceChanged) -> State:
    """A booking or place as it is now; what has ended is not kept."""
    match event:
        case e.BookingChanged(booking=booking):
            others = _without(state.bookings, {booking.id})
            live = booking.state in {"pending", "assigned"}
            return replace(state, bookings={**others, booking.id: booking} if live else others)
        case e.PlaceChanged(place=place):
            rest = _without(state.places, {place.id})
            return replace(state, places={**rest, place.id: place} if event.outcome is None else rest)


def _posted(state: State, message: Message, pos: int) -> State:
    entry = state.entries.get(message.conversation)
    if entry is None or (entry.readable_to is not None and message.seq > entry.readable_to):
        return state
    mine = state.account.id
    gave_away = entry.holds and message.transfer is not None and message.transfer.to.id != mine
    entry = structs.replace(entry, at=pos, last=message, last_seq=max(entry.last_seq, message.seq))
    if message.kind == "booking":  # it opens no chat and moves no marker
        state = state._entry(entry)
        return _window(state, message) if entry.open else state
    entry = _read_by_sender(entry, message, mine)
    if message.side == "buyer":
        entry = structs.replace(entry, open=entry.readable_to is None)
    elif message.kind in {"text", "image"}:
        entry = structs.replace(entry, waiting_since=None)
    if gave_away:
        entry = structs.replace(
            entry, holds=False, readable_to=message.seq, open=False, waiting_since=None, holder=None, markers=(),
            blocked_by_buyer=False, blocked_by_team=False,
        )  # fmt: skip
    elif message.transfer is not None and entry.readable_to is None:
        to = message.transfer.to
        entry = structs.replace(entry, holder=to, holds=to.id == mine)
    state = state._entry(entry)
    return _window(state, message) if entry.open else state


def _read_by_sender(entry: Entry, message: Message, mine: UUID) -> Entry:
    """Sending a message receives and reads up to it (W9). A buyer sees the team as one reader."""
    sender, transfer = message.sender, message.transfer
    if sender is None:
        return entry
    if sender.id == mine:
        return structs.replace(entry, read=max(entry.read, message.seq), received=max(entry.received, message.seq))
    if entry.readable_to is not None:
        return entry
    parties = {transfer.to.id, transfer.source.id if transfer.source else None} if transfer is not None else {sender.id}
    if message.side == "team" and sender.id not in parties:
        return entry  # who moves a chat between two others has no part in it
    reader = sender.id if isinstance(entry.contact, BuyerCard) else None
    return _with_marker(entry, Marker(account=reader, side=message.side, received=message.seq, read=message.seq))


def _with_marker(entry: Entry, marker: Marker) -> Entry:
    """Markers only rise (W9). Kept in the order of their readers, so that equal states are equal values."""
    markers = {(known.side, known.account): known for known in entry.markers}
    key = (marker.side, marker.account)
    old = markers.get(key, Marker(account=marker.account, side=marker.side))
    markers[key] = structs.replace(old, received=max(old.received, marker.received), read=max(old.read, marker.read))
    ordered = sorted(markers.values(), key=lambda known: str(known.account))
    return structs.replace(entry, markers=tuple(ordered))


def _window(state: State, message: Message) -> State:
    window = state.windows.get(message.conversation, ())
    if window and message.seq <= window[-1].seq:
        return state
    follows = bool(window) and message.seq == window[-1].seq + 1
    window = (*window, message)[-WINDOW_MESSAGES:] if follows else (message,)
    return replace(state, windows={**state.windows, message.conversation: window})


def _recalled(state: State, event: e.MessageRecalled) -> State:
    def blank(message: Message) -> Message:
        if message.conversation != event.conversation or message.seq != event.seq:
            return message
        return structs.replace(message, recalled=True, text=None, image=None, card=None)

    return _messages(state, blank, {event.conversation})


def _marker(state: State, event: e.MarkerMoved) -> State:
    entry = state.entries.get(event.conversation)
    if entry is None:
        return state
    marker = event.marker
    if marker.account == state.account.id:
        read, received = max(entry.read, marker.read), max(entry.received, marker.received)
        return state._entry(structs.replace(entry, read=read, received=received))
    if entry.readable_to is not None:
        return state
    return state._entry(_with_marker(entry, marker))


def _chat(state: State, event: e.Handled | e.Waiting | e.BlockChanged) -> State:
    entry = state.entries.get(event.conversation)
    if entry is None or entry.readable_to is not None:
        return state
    match event:
        case e.Handled():
            entry = structs.replace(entry, open=False, waiting_since=None)
        case e.Waiting():
            entry = structs.replace(entry, waiting_since=event.since)
        case e.BlockChanged():
            entry = structs.replace(
                entry, blocked_by_buyer=event.blocked_by_buyer, blocked_by_team=event.blocked_by_team
            )
    return state._entry(entry)


def _marked(state: State, event: e.ContactMarked) -> State:
    key = event.conversation
    state = replace(state, starred=state.starred | {key} if event.starred else state.starred - {key})
    entry = state.entries.get(key)
    if entry is None:
        return state
    return state._entry(structs.replace(entry, pinned_at=event.pinned_at, starred=event.starred))


def _contact(state: State, contact: Contact) -> State:
    entries = {
        key: structs.replace(entry, contact=contact) if entry.contact.id == contact.id else entry
        for key, entry in state.entries.items()
    }
    state = replace(state, entries=entries)
    if not isinstance(contact, BuyerCard):
        return state
    offers = {
        key: structs.replace(offer, contact=contact) if offer.contact.id == contact.id else offer
        for key, offer in state.offers.items()
    }
    state = _buyer(state, contact.id, contact.country, contact.interests, contact.avatar)
    return _renamed(replace(state, offers=offers), Person(id=contact.id, name=contact.name))


def _buyer(
    state: State, buyer: UUID, country: str | None, interests: tuple[str, ...], avatar: str | UnsetType | None = UNSET
) -> State:
    """What a buyer has said of itself, in the bookings that show it (M5). Its name follows by `_renamed`."""

    def shown(booking: Booking) -> Booking:
        if booking.buyer.id != buyer:
            return booking
        known = booking.buyer
        picture = known.avatar if avatar is UNSET else avatar
        changed = structs.replace(known, country=country, interests=interests, avatar=picture)
        return structs.replace(booking, buyer=changed)

    return replace(state, bookings={key: shown(booking) for key, booking in state.bookings.items()})


def _booking_names(booking: Booking, person: Person) -> Booking:
    """A booking in which somebody goes by another name: its buyer, its receiving account, who proposes another time."""
    if booking.buyer.id == person.id:
        booking = structs.replace(booking, buyer=structs.replace(booking.buyer, name=person.name))
    if booking.receiver is not None and booking.receiver.id == person.id:
        booking = structs.replace(booking, receiver=person)
    proposal = booking.proposal
    if proposal is not None and proposal.by.id == person.id:
        booking = structs.replace(booking, proposal=structs.replace(proposal, by=person))
    return booking


def _renamed(state: State, person: Person) -> State:
    """A person's name: of holders, senders, offers and bookings. A transfer keeps the names of its moment (C10)."""

    def named(known: Person | None) -> Person | None:
        return person if known is not None and known.id == person.id else known

    def message(known: Message) -> Message:
        return structs.replace(known, sender=named(known.sender))

    entries = {key: structs.replace(entry, holder=named(entry.holder)) for key, entry in state.entries.items()}
    offers = {
        key: structs.replace(
            offer,
            source=person if offer.source.id == person.id else offer.source,
            to=person if offer.to.id == person.id else offer.to,
        )
        for key, offer in state.offers.items()
    }
    bookings = {key: _booking_names(booking, person) for key, booking in state.bookings.items()}
    state = replace(state, entries=entries, offers=offers, bookings=bookings)
    return _messages(state, message, state.entries.keys() | state.windows.keys())


def _messages(state: State, change: Callable[[Message], Message], conversations: Set[UUID]) -> State:
    """Every message kept of these conversations, changed: the last ones of entries and the windows."""
    entries = dict(state.entries)
    windows = dict(state.windows)
    for key in conversations:
        entry = entries.get(key)
        if entry is not None and entry.last is not None:
            entries[key] = structs.replace(entry, last=change(entry.last))
        if key in windows:
            windows[key] = tuple(map(change, windows[key]))
    return replace(state, entries=entries, windows=windows)


def _without(values: Mapping[K, V], keys: Set[K]) -> dict[K, V]:
    return {key: value for key, value in values.items() if key not in keys}
