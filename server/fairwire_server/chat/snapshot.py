"""What chat and contacts put into an account's first state (W5): the recent list, stars, open chats' messages, offers.

PostgreSQL writes entries and ordinary messages as the wire has them; here they are read as such. Other messages, whose look depends
on the side or on what has become of them, come as rows beside them and pass `render_message` like everywhere else (C8, C12).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from fairwire_protocol.models import Account, Entry, Message, Offer, Person, Side
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.store import AccountRow
from fairwire_server.accounts.views import own_account
from fairwire_server.clock import milliseconds
from fairwire_server.contacts.entries import BuyerRow
from fairwire_server.database.queries import load_queries
from fairwire_server.streams.messages import MessageRow, render_message
from fairwire_server.streams.snapshot import Part, Values

__all__ = ["OPEN_CHATS", "OPEN_MESSAGES", "chat_parts"]

T = TypeVar("T")
OPEN_CHATS = 20
OPEN_MESSAGES = 20


class _Recent(msgspec.Struct, frozen=True):
    """`snapshot_recent`."""

    entries: tuple[Entry, ...]
    lasts: tuple[MessageRow, ...]


class _Open(msgspec.Struct, frozen=True):
    """`snapshot_messages`."""

    said: tuple[Message, ...]
    rows: tuple[MessageRow, ...]


_RECENT: Final = msgspec.json.Decoder(_Recent)
_OPEN: Final = msgspec.json.Decoder(_Open)
_BUYER: Final = msgspec.json.Decoder(BuyerRow)


def chat_parts() -> list[Part]:
    """The parts, for `Snapshots`."""
    accounts = load_queries("fairwire_server.accounts")
    contacts = load_queries("fairwire_server.contacts")
    chat = load_queries("fairwire_server.chat")
    return [
        Part("me", accounts["snapshot_account"], _me),
        Part("entries", contacts["snapshot_recent"], _of_readers(_entries), text=True),
        Part("starred", contacts["snapshot_starred"], _of_readers(_starred)),
        Part("messages", chat["snapshot_messages"], _of_readers(_messages), text=True),
        Part("offers", chat["snapshot_offers"], _of_readers(_offers)),
    ]


def _of_readers(
    decode: Callable[[Sequence[Any], Caller], tuple[T, ...]],
) -> Callable[[Sequence[Any], Caller], tuple[T, ...]]:
    """Nothing for an account that reads no chats (A7), although it may have held some when it was of another type."""

    def decoded(found: Sequence[Any], caller: Caller) -> tuple[T, ...]:
        return decode(found, caller) if caller.side == "buyer" or caller.may("read_history") else ()

    return decoded


def _me(rows: Sequence[Values], _: Caller) -> Account:
    return own_account(AccountRow(*rows[0]))


def _entries(texts: Sequence[str], caller: Caller) -> tuple[Entry, ...]:
    recent = _RECENT.decode(texts[0])
    if not recent.lasts:
        return recent.entries
    lasts = {row.conversation_id: render_message(row, _view(caller)) for row in recent.lasts}
    return tuple(
        replace(entry, last=lasts[entry.conversation]) if entry.conversation in lasts else entry
        for entry in recent.entries
    )


def _starred(rows: Sequence[Values], _: Caller) -> tuple[UUID, ...]:
    return tuple(sorted(row[0] for row in rows))


def _messages(texts: Sequence[str], caller: Caller) -> tuple[Message, ...]:
    newest = _OPEN.decode(texts[0])
    if not newest.rows:
        return newest.said
    others = (render_message(row, _view(caller)) for row in newest.rows)
    return tuple(sorted((*newest.said, *others), key=lambda message: (message.conversation, message.seq)))


def _view(caller: Caller) -> Side:
    return "buyer" if caller.side == "buyer" else "team"


def _offers(rows: Sequence[Values], caller: Caller) -> tuple[Offer, ...]:
    return tuple(sorted(map(_offer, rows), key=lambda offer: offer.id))


def _offer(row: Values) -> Offer:
    id_, conversation, expires_at, note, from_id, from_name, to_id, to_name, buyer = row
    return Offer(
        id=id_,
        conversation=conversation,
        source=Person(id=from_id, name=from_name),
        to=Person(id=to_id, name=to_name),
        expires_at=milliseconds(expires_at),
        contact=_BUYER.decode(buyer).card(),
        note=note or None,
    )
