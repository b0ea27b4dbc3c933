"""The first state of an account, from one statement and therefore one snapshot of the database (W5).

Capabilities right of this one contribute parts: a piece of SQL that yields one ROW(…) column, and what to do with it. Rows,
because parts have columns of their own, and writing them as JSON costs more than finding them. The statement is put together
once; every part sees the same instant as the two positions it is headed by.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import Account, Booking, Entry, Message, Offer, Place, Position
from fairwire_server.accounts.rules import Caller
from fairwire_server.database.queries import load_queries
from fairwire_server.database.work import Works

__all__ = ["FirstState", "Part", "Snapshots", "Values"]

Values: TypeAlias = Sequence[Any]
"""The columns of one ROW(…)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstState:
    """What a client starts from. Sequences are in the order the client shows them."""

    account: Position
    fair: Position
    me: Account
    entries: tuple[Entry, ...] = ()
    starred: tuple[UUID, ...] = ()
    messages: tuple[Message, ...] = ()
    offers: tuple[Offer, ...] = ()
    bookings: tuple[Booking, ...] = ()
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A field of `FirstState`: `sql` yields one ROW(…) for account $1; `build` turns these into the field's value."""

    name: str
    sql: str
    build: Callable[[Sequence[Values], Caller], Any]


class Snapshots:
    """Takes first states. `parts` come from compose, which knows all capabilities; the three `sizes` are $3 to $5, $6 is the present
    instant and $7 how far the account sees bookings (A7)."""

    def __init__(self, works: Works, parts: Sequence[Part], sizes: Sequence[int]) -> None:
        self._works = works
        self._sizes = sizes
        self._parts = {part.name: part for part in parts}
        head_sql = load_queries(__package__)["snapshot_head"]
        pieces = [f"SELECT 'head' AS part, ROW(head.*) AS body FROM ({head_sql}) head"]  # noqa: S608  # our own files
        pieces += [f"SELECT '{part.name}', value FROM ({part.sql}) {part.name}_part (value)" for part in parts]  # noqa: S608  # as above
        self.sql = "\nUNION ALL\n".join(pieces)

    async def take(self, caller: Caller) -> FirstState:
        """The caller's first state and the positions it belongs to."""
        async with self._works.read() as work:
            args = (caller.account, caller.fair, *self._sizes, work.now, caller.sees_bookings())
            rows = await work.connection.fetch(self.sql, *args)
        found: dict[str, list[Values]] = defaultdict(list)
        for row in rows:
            found[row["part"]].append(row["body"])
        if not found["head"]:
            raise Refused("unauthenticated")
        epoch, pos, fair_epoch, fair_pos = found["head"][0]
        built = {name: part.build(found[name], caller) for name, part in self._parts.items()}
        return FirstState(
            account=Position(epoch=epoch, pos=pos),
            fair=Position(epoch=fair_epoch, pos=fair_pos),
            **built,
        )
