"""Who arrives at a socket, where both of its streams stand, and what it has missed: one statement for a hello (W1, W6).

The account and the positions are of the same instant, so what an account looks like now belongs to where its stream is now (W5).
Who arrives while such a statement is under way shares the next: a storm of reconnects is a few hundred statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import Account, Position, Side
from fairwire_server.accounts.callers import caller_of
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.store import account_rows
from fairwire_server.accounts.views import own_account
from fairwire_server.database.gathered import Gathered
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Works
from fairwire_server.streams.log import Log, Page
from fairwire_server.streams.store import StreamStore

__all__ = ["Arrival", "Arrivals"]

BATCH: Final = 32
POSITIONS: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who it is, and where its streams stand. `page` is what it has missed since the positions it came with, if it had any."""

    caller: Caller
    me: Account
    account: Position
    fair: Position
    page: Page | None = None


class _Back(NamedTuple):
    """One that comes back from these positions."""

    session: UUID
    pos: int
    fair_pos: int


class _Found(NamedTuple):
    """What the statement has of one, and when."""

    row: Row | None
    now: datetime


class Arrivals:
    """Looks up who opens a socket. Raises as `Callers` does."""

    def __init__(self, works: Works, store: StreamStore, log: Log) -> None:
        self._works = works
        self._store = store
        self._log = log
        self._anew = Gathered(self._read_anew, batch=BATCH, at_once=1)
        self._resuming = Gathered(self._read_resuming, batch=BATCH, at_once=1)

    async def anew(self, session: UUID) -> Arrival:
        """One that knows nothing yet."""
        row, now = await self._anew.get(session)
        if row is None:
            raise Refused("unauthenticated")
        caller, me = _who(row, now)
        return Arrival(caller, me, *_heads(row))

    async def resuming(self, session: UUID, at: Position, fair_at: Position) -> Arrival:
        """One that comes back from these positions."""
        # what no stream can have reads nothing, and is found out when it is compared (W6)
        after, fair_after = (min(max(one.pos, 0), POSITIONS) for one in (at, fair_at))
        row, now = await self._resuming.get(_Back(session, after, fair_after))
        if row is None:
            raise Refused("unauthenticated")
        caller, me = _who(row, now)
        view: Side = "buyer" if caller.side == "buyer" else "team"
        page = self._log.continuation(row, view, at, fair_at, now)
        return Arrival(caller, me, *_heads(row), page)

    async def _read_anew(self, sessions: Sequence[UUID]) -> list[_Found]:
        async with self._works.read() as work:
            rows = await self._store.arrive(work.connection, sessions)
            return _found(rows, len(sessions), work.now)

    async def _read_resuming(self, back: Sequence[_Back]) -> list[_Found]:
        sessions, after, fair_after = (list(column) for column in zip(*back, strict=True))
        async with self._works.read() as work:
            rows = await self._store.arrive_resuming(
                work.connection, sessions, after, fair_after, self._log.resume_events + 1
            )
            return _found(rows, len(back), work.now)


def _found(rows: Sequence[Row], count: int, now: datetime) -> list[_Found]:
    """By their numbers; nothing for a session that is not there."""
    by_number = {row["n"]: row for row in rows}
    return [_Found(by_number.get(number), now) for number in range(1, count + 1)]


def _who(row: Row, now: datetime) -> tuple[Caller, Account]:
    caller, account = account_rows(row)
    return caller_of(caller, now), own_account(account)


def _heads(row: Row) -> tuple[Position, Position]:
    return Position(epoch=row["epoch"], pos=row["top"]), Position(epoch=row["fair_epoch"], pos=row["fair_top"])
