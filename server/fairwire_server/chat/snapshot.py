"""What chat and contacts put into an account's first state (W5): the recent list, stars, open chats' messages, offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from fairwire_protocol.models import Account, BuyerCard, Entry, Message, Offer, Person, Side
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.views import own_account_from_json
from fairwire_server.clock import milliseconds
from fairwire_server.contacts.entries import entry_of, message_of
from fairwire_server.contacts.rules import in_order
from fairwire_server.database.queries import load_queries
from fairwire_server.streams.messages import render_message
from fairwire_server.streams.snapshot import Part, Values

__all__ = ["OPEN_CHATS", "OPEN_MESSAGES", "chat_parts", "chat_shape"]

OPEN_CHATS = 20
OPEN_MESSAGES = 20


def chat_parts() -> list[Part]:
    """The parts, for `Snapshots`."""
    accounts = load_queries("fairwire_server.accounts")
    contacts = load_queries("fairwire_server.contacts")
    chat = load_queries("fairwire_server.chat")
    return [
        Part("me", accounts["snapshot_account"], _me),
        Part("entries", contacts["snapshot_recent"], _of_readers(_entries), shaped=True),
        Part("starred", contacts["snapshot_starred"], _of_readers(_starred)),
        Part("messages", chat["snapshot_messages"], _of_readers(_messages), shaped=True),
        Part("offers", chat["snapshot_offers"], _of_readers(_offers)),
    ]


def chat_shape() -> str:
    """The common columns of entries and messages, for `Snapshots`."""
    return load_queries("fairwire_server.contacts")["snapshot_shape"]


def _of_readers(
    decode: Callable[[Sequence[Values], Caller], tuple[Any, ...]],
) -> Callable[[Sequence[Values], Caller], tuple[Any, ...]]:
    """Nothing for an account that reads no chats (A7), although it may have held some when it was of another type."""

    def decoded(rows: Sequence[Values], caller: Caller) -> tuple[Any, ...]:
        return decode(rows, caller) if caller.side == "buyer" or caller.may("read_history") else ()

    return decoded


def _me(rows: Sequence[Values], _: Caller) -> Account:
    return own_account_from_json(rows[0][0])


def _entries(rows: Sequence[Values], caller: Caller) -> tuple[Entry, ...]:
    return in_order(entry_of(row, caller.account) for row in rows)


def _starred(rows: Sequence[Values], _: Caller) -> tuple[UUID, ...]:
    return tuple(sorted(row[0] for row in rows))


def _messages(rows: Sequence[Values], caller: Caller) -> tuple[Message, ...]:
    view: Side = "buyer" if caller.side == "buyer" else "team"
    messages = [message_of(row) for row in rows]
    messages.sort(key=lambda row: (row.conversation_id, row.seq))
    return tuple(render_message(row, view) for row in messages)


def _offers(rows: Sequence[Values], caller: Caller) -> tuple[Offer, ...]:
    return tuple(sorted((_offer(row, caller) for row in rows), key=lambda offer: offer.id))


def _offer(row: Values, caller: Caller) -> Offer:
    id_, conversation, expires_at, note, from_id, from_name, to_id, to_name, entry_values = row
    contact = entry_of(entry_values, caller.account).contact
    assert isinstance(contact, BuyerCard)
    return Offer(
        id=id_,
        conversation=conversation,
        source=Person(id=from_id, name=from_name),
        to=Person(id=to_id, name=to_name),
        expires_at=milliseconds(expires_at),
        contact=contact,
        note=note or None,
    )
