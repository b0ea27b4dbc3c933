"""First states of accounts, from one statement and therefore one snapshot of the database (W5).

Capabilities right of this one contribute parts: a piece of SQL, and what to do with what it finds. What there are hundreds of, it
writes as the wire's MessagePack, one array for an account, which nobody reads here (`Packed`); the rest comes as a ROW(…) for each.
The statement is put together once; every part sees the same instant as the two positions it is headed by. Accounts that ask for
theirs at the same time share a statement.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import Account, Booking, Entry, Message, Offer, Place, Position
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.store import AccountRow
from fairwire_server.accounts.views import own_account
from fairwire_server.database.gathered import Gathered
from fairwire_server.database.queries import load_queries
from fairwire_server.database.work import Works
from fairwire_server.streams.packed import Packed
from fairwire_server.streams.told import Receivable

__all__ = ["FirstState", "Part", "Recent", "Snapshots", "Values"]

Values: TypeAlias = Sequence[Any]
"""The columns of one ROW(…)."""
BATCH: Final = 16
"""First states in one statement: to encode them is a pause of the loop."""
AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class Recent:
    """The recent list, and of its newest messages those that have not been received yet (W9)."""

    entries: Packed[Entry]
    receivables: tuple[Receivable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstState:
    """What a client starts from. Sequences are in the order the client shows them."""

    account: Position
    fair: Position
    own: Values
    recent: Recent
    starred: tuple[UUID, ...]
    messages: Packed[Message]
    offers: tuple[Offer, ...]
    bookings: tuple[Booking, ...]
    places: tuple[Place, ...]

    @property
    def me(self) -> Account:
        """The own account, from the columns of its row."""
        return own_account(AccountRow(*self.own))


@dataclass(frozen=True, slots=True)
class Part:
    """A field of `FirstState`. `sql` yields for accounts of `who`, by their number in it, a ROW(…) for each thing they have, or one for
    all of them; `build` turns these into the field's value."""

    name: str
    sql: str
    build: Callable[[Sequence[Values], Caller], Any]


class Snapshots:
    """Takes first states. `parts` come from compose, which knows all capabilities. In their SQL `who` has the accounts with their
    fairs and how far they see bookings (A7); the three `sizes` are $4 to $6, $7 is the present instant."""

    def __init__(self, works: Works, parts: Sequence[Part], sizes: Sequence[int]) -> None:
        self._works = works
        self._sizes = sizes
        self._parts = {part.name: part for part in parts}
        self._gathered = Gathered(self._read, batch=BATCH, at_once=AT_ONCE)
        sql = load_queries(__package__)
        head = Part("head", sql["snapshot_head"], lambda rows, _: rows)
        pieces = [
            f"SELECT n, '{part.name}' AS part, value FROM ({part.sql}) {part.name}_part (n, value)"  # noqa: S608  # our own files
            for part in (head, *parts)
        ]
        self.sql = sql["snapshot_who"] + "\n" + "\nUNION ALL\n".join(pieces)

    async def take(self, caller: Caller) -> FirstState:
        """The caller's first state and the positions it belongs to."""
        found = await self._gathered.get(caller)
        if not found["head"]:
            raise Refused("unauthenticated")
        epoch, pos, fair_epoch, fair_pos = found["head"][0]
        built = {name: part.build(found[name], caller) for name, part in self._parts.items()}
        return FirstState(
            account=Position(epoch=epoch, pos=pos),
            fair=Position(epoch=fair_epoch, pos=fair_pos),
            **built,
        )

    async def _read(self, callers: Sequence[Caller]) -> list[dict[str, list[Values]]]:
        """What there is of each part for each of them."""
        async with self._works.read() as work:
            rows = await work.connection.fetch(
                self.sql,
                [caller.account for caller in callers],
                [caller.fair for caller in callers],
                [caller.sees_bookings() for caller in callers],
                *self._sizes,
                work.now,
            )
        found: list[dict[str, list[Values]]] = [defaultdict(list) for _ in callers]
        for number, name, row in rows:
            found[number - 1][name].append(row)
        return found
