"""What chat and contacts put into an account's first state (W5): the recent list, stars, open chats' messages, offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from fairwire_protocol.models import Account, BuyerCard, Entry, Message, Offer, Person, Side
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.views import own_account_from_json
from fairwire_server.clock import milliseconds
from fairwire_server.contacts.entries import EntryRow, decode_entry, entry
from fairwire_server.contacts.rules import in_order
from fairwire_server.database.queries import load_queries
from fairwire_server.streams.messages import MessageRow, render_message
from fairwire_server.streams.snapshot import Part

__all__ = ["OPEN_CHATS", "OPEN_MESSAGES", "chat_parts"]

OPEN_CHATS = 20
OPEN_MESSAGES = 20

_MESSAGE = msgspec.json.Decoder(MessageRow)


class _OfferRow(msgspec.Struct, frozen=True):
    id: UUID
    conversation: UUID
    expires_at: datetime
    note: str
    from_id: UUID
    from_name: str
    to_id: UUID
    to_name: str
    entry: EntryRow


def chat_parts() -> list[Part]:
    """The parts, for `Snapshots`."""
    accounts = load_queries("fairwire_server.accounts")
    contacts = load_queries("fairwire_server.contacts")
    chat = load_queries("fairwire_server.chat")
    return [
        Part("me", accounts["snapshot_account"], _me),
        Part("entries", contacts["snapshot_recent"], _of_readers(_entries)),
        Part("starred", contacts["snapshot_starred"], _of_readers(_starred)),
        Part("messages", chat["snapshot_messages"], _of_readers(_messages)),
        Part("offers", chat["snapshot_offers"], _of_readers(_offers)),
    ]


def _of_readers(
    decode: Callable[[Sequence[str], Caller], tuple[Any, ...]],
) -> Callable[[Sequence[str], Caller], tuple[Any, ...]]:
    """Nothing for an account that reads no chats (A7), although it may have held some when it was of another type."""

    def decoded(rows: Sequence[str], caller: Caller) -> tuple[Any, ...]:
        return decode(rows, caller) if caller.side == "buyer" or caller.may("read_history") else ()

    return decoded


def _me(rows: Sequence[str], _: Caller) -> Account:
    return own_account_from_json(rows[0])


def _entries(rows: Sequence[str], caller: Caller) -> tuple[Entry, ...]:
    return in_order(decode_entry(row, caller.account) for row in rows)


def _starred(rows: Sequence[str], _: Caller) -> tuple[UUID, ...]:
    return tuple(sorted(msgspec.json.decode(row, type=UUID) for row in rows))


def _messages(rows: Sequence[str], caller: Caller) -> tuple[Message, ...]:
    view: Side = "buyer" if caller.side == "buyer" else "team"
    decoded = sorted((_MESSAGE.decode(row) for row in rows), key=lambda row: (str(row.conversation_id), row.seq))
    return tuple(render_message(row, view) for row in decoded)


def _offers(rows: Sequence[str], caller: Caller) -> tuple[Offer, ...]:
    offers = [_offer(msgspec.json.decode(row, type=_OfferRow), caller) for row in rows]
    return tuple(sorted(offers, key=lambda offer: str(offer.id)))


def _offer(row: _OfferRow, caller: Caller) -> Offer:
    contact = entry(row.entry, caller.account).contact
    assert isinstance(contact, BuyerCard)
    return Offer(
        id=row.id,
        conversation=row.conversation,
        source=Person(id=row.from_id, name=row.from_name),
        to=Person(id=row.to_id, name=row.to_name),
        expires_at=milliseconds(row.expires_at),
        contact=contact,
        note=row.note or None,
    )
