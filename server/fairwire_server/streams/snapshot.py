"""The first state of an account, from one statement and therefore one snapshot of the database (W5).

Capabilities right of this one contribute parts: a piece of SQL that yields one ROW(…) column, and what to do with it. Rows,
because parts have columns of their own, and writing them as JSON costs more than finding them. What there are hundreds of comes
as plain columns of one common shape, since a ROW says of each value anew what it is. The statement is put together once; every
part sees the same instant as the two positions it is headed by.
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
    """A field of `FirstState`: `sql` yields one ROW(…) for account $1, or the columns of the common shape; `build` turns these into
    the field's value."""

    name: str
    sql: str
    build: Callable[[Sequence[Values], Caller], Any]
    shaped: bool = False


class Snapshots:
    """Takes first states. `parts` come from compose, which knows all capabilities; the three `sizes` are $3 to $5, $6 is the present
    instant and $7 how far the account sees bookings (A7). `shape` is a query without rows, whose columns are the common ones."""

    def __init__(self, works: Works, parts: Sequence[Part], sizes: Sequence[int], shape: str) -> None:
        self._works = works
        self._sizes = sizes
        self._parts = {part.name: part for part in parts}
        self._shaped = frozenset(part.name for part in parts if part.shaped)
        head_sql = load_queries(__package__)["snapshot_head"]
        none = f"LEFT JOIN ({shape}) shape ON false"
        pieces = [f"SELECT 'head' AS part, ROW(head.*) AS body, shape.* FROM ({head_sql}) head {none}"]  # noqa: S608  # our own files
        for part in parts:
            if part.shaped:
                pieces.append(f"SELECT '{part.name}', NULL, {part.name}_part.* FROM ({part.sql}) {part.name}_part")  # noqa: S608  # as above
            else:
                columns = f"SELECT '{part.name}', value, shape.*"
                pieces.append(f"{columns} FROM ({part.sql}) {part.name}_part (value) {none}")
        self.sql = "\nUNION ALL\n".join(pieces)

    async def take(self, caller: Caller) -> FirstState:
        """The caller's first state and the positions it belongs to."""
        async with self._works.read() as work:
            args = (caller.account, caller.fair, *self._sizes, work.now, caller.sees_bookings())
            rows = await work.connection.fetch(self.sql, *args)
        found: dict[str, list[Values]] = defaultdict(list)
        for row in rows:
            name = row["part"]
            found[name].append(row[2:] if name in self._shaped else row["body"])
        if not found["head"]:
            raise Refused("unauthenticated")
        epoch, pos, fair_epoch, fair_pos = found["head"][0]
        built = {name: part.build(found[name], caller) for name, part in self._parts.items()}
        return FirstState(
            account=Position(epoch=epoch, pos=pos),
            fair=Position(epoch=fair_epoch, pos=fair_pos),
            **built,
        )
