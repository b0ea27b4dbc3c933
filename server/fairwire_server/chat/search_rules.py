"""How far a search reaches, and which way it looks: pure (A4, A7, C9, C15).

A small scope is read from end to end. In a large one the newest messages are looked through first: a word that is common
there fills the page at once, and one that is not is rare enough for the index of words to name its few messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import Side
from fairwire_server.accounts.rules import Caller
from fairwire_server.contacts.rules import Sight

__all__ = ["LOOKED_THROUGH", "NEWEST", "Place", "Reach", "cursor_of", "place_of", "plan", "reach"]

LOOKED_THROUGH: Final = 8_000
"""Messages that are looked through one by one before the index of words is asked: about 10 ms of the database."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Step = Literal["read", "newest", "lookup"]


class Place(NamedTuple):
    """Where a message stands among hits: newest first, and never two at one place."""

    at: datetime
    conversation: UUID
    seq: int


NEWEST: Final = Place(datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1), 2**31 - 1)
"""Before every message there can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a search may find: everything of `exhibitor`, or only what `account` holds or held, or one conversation."""

    view: Side
    exhibitor: UUID | None
    """The team's exhibitor; None for a buyer, whose conversations are with many."""
    account: UUID | None
    """Set when only conversations of this account count, each as far as it may read (C9)."""
    conversation: tuple[UUID, int] | None = None
    """One conversation and the last seq that may be found in it."""


def reach(caller: Caller, sight: Sight | None) -> Reach:
    """The caller's scope, narrowed to the conversation of `sight`, which the caller has been found to see.

    A team account searches as far as it reads history, and no further than its row for stars, pins and search says (A7).
    """
    if caller.side == "buyer":
        one = None if sight is None else (sight.conversation, sight.last_seq)
        return Reach(view="buyer", exhibitor=None, account=caller.account, conversation=one)
    reading, marking = caller.scope("read_history"), caller.scope("mark_contacts")
    if caller.side != "team" or reading not in {"own", "team", "all"} or marking == "no":
        raise Refused("forbidden")
    own = marking == "own" or not caller.reads_all()
    if sight is not None:
        if own and not sight.participates:
            raise Refused("not_found")
        last = sight.readable_to if own and sight.readable_to is not None else sight.last_seq
        one = (sight.conversation, last)
    else:
        one = None
    return Reach(view="team", exhibitor=caller.exhibitor, account=caller.account if own else None, conversation=one)


def plan(reach: Reach, own: Mapping[UUID, int] | None, looked_through: int) -> tuple[Step, ...]:
    """The steps to try until one fills the page or has seen everything. `own`: the conversations in reach, each with the
    last seq that may be found in it; None for a whole exhibitor."""
    if own is not None and (reach.exhibitor is None or len(own) == 1 or sum(own.values()) <= looked_through):
        return ("read",)
    return ("newest", "lookup")


def cursor_of(place: Place) -> str:
    """Where a page of hits ends, as the client gives it back."""
    return f"{(place.at - _EPOCH) // timedelta(microseconds=1)}_{place.conversation}_{place.seq}"


def place_of(cursor: str | None) -> Place:
    """The place of `cursor_of`; without a cursor the newest. Raises `invalid`."""
    if cursor is None:
        return NEWEST
    at, _, rest = cursor.partition("_")
    conversation, _, seq = rest.partition("_")
    try:
        place = Place(_EPOCH + timedelta(microseconds=int(at)), UUID(conversation), int(seq))
    except (ValueError, OverflowError):
        raise Refused("invalid", "Not a cursor that this server gave.", field="before") from None
    if not 0 <= place.seq < 2**31:
        raise Refused("invalid", "Not a cursor that this server gave.", field="before")
    return place
