"""What chat and contacts put into an account's first state (W5): the recent list, stars, open chats' messages, offers.

PostgreSQL writes entries and ordinary messages as the wire has them. Other messages, whose look depends on the side or on what has
become of them, come as rows beside them and pass `render_message` like everywhere else (C8, C12).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from fairwire_protocol.codec import MSGPACK
from fairwire_protocol.models import Entry, Message, Offer, Person, Side
from fairwire_server.accounts.rules import Caller
from fairwire_server.clock import milliseconds
from fairwire_server.contacts.entries import BuyerRow
from fairwire_server.database.queries import load_queries
from fairwire_server.streams.messages import MessageRow, render_message
from fairwire_server.streams.packed import Packed
from fairwire_server.streams.snapshot import Part, Recent, Values
from fairwire_server.streams.told import Receivable

__all__ = ["OPEN_CHATS", "OPEN_MESSAGES", "chat_parts"]

T = TypeVar("T")
OPEN_CHATS = 20
OPEN_MESSAGES = 20


_ROWS: Final = msgspec.json.Decoder(list[MessageRow])
_RECEIVABLES: Final = msgspec.json.Decoder(tuple[Receivable, ...])
_BUYER: Final = msgspec.json.Decoder(BuyerRow)


def chat_parts() -> list[Part]:
    """The parts, for `Snapshots`."""
    accounts = load_queries("fairwire_server.accounts")
    contacts = load_queries("fairwire_server.contacts")
    chat = load_queries("fairwire_server.chat")
    return [
        Part("own", accounts["snapshot_account"], _own),
        Part("recent", contacts["snapshot_recent"], _of_readers(_recent)),
        Part("starred", contacts["snapshot_starred"], _of_readers(_starred)),
        Part("messages", chat["snapshot_messages"], _of_readers(_messages)),
        Part("offers", chat["snapshot_offers"], _of_readers(_offers)),
    ]


def _of_readers(build: Callable[[Sequence[Values], Caller], T]) -> Callable[[Sequence[Values], Caller], T]:
    """Nothing for an account that reads no chats (A7), although it may have held some when it was of another type."""

    def built(rows: Sequence[Values], caller: Caller) -> T:
        return build(rows if caller.side == "buyer" or caller.may("read_history") else (), caller)

    return built


def _own(rows: Sequence[Values], _: Caller) -> Values:
    return rows[0]


def _recent(rows: Sequence[Values], caller: Caller) -> Recent:
    if not rows:
        return Recent(Packed(Entry))
    count, packed, others, unreceived = rows[0]
    entries = _filled(Packed(Entry, count, packed), others, caller)
    return Recent(entries, () if unreceived is None else _RECEIVABLES.decode(unreceived))


def _starred(rows: Sequence[Values], _: Caller) -> tuple[UUID, ...]:
    return tuple(sorted(row[0] for row in rows))


def _messages(rows: Sequence[Values], caller: Caller) -> Packed[Message]:
    if not rows:
        return Packed(Message)
    count, packed, others = rows[0]
    return _filled(Packed(Message, count, packed), others, caller)


def _filled(values: Packed[T], others: str | None, caller: Caller) -> Packed[T]:
    """With the messages that PostgreSQL has left to us, if there are any."""
    if others is None:
        return values
    view = _view(caller)
    return values.filled(MSGPACK.encode(render_message(row, view)) for row in _ROWS.decode(others))


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
