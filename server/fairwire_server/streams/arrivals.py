"""Who arrives at a socket, where both of its streams stand, and what it has missed: one statement for a hello (W1, W6).

The account and the positions are of the same instant, so what an account looks like now belongs to where its stream is now (W5).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import Account, Position, Side
from fairwire_server.accounts.callers import caller_of
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.store import account_rows
from fairwire_server.accounts.views import own_account
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Works
from fairwire_server.streams.log import Log, Page
from fairwire_server.streams.store import StreamStore

__all__ = ["Arrival", "Arrivals"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who it is, and where its streams stand. `page` is what it has missed since the positions it came with, if it had any."""

    caller: Caller
    me: Account
    account: Position
    fair: Position
    page: Page | None = None


class Arrivals:
    """Looks up who opens a socket. Raises as `Callers` does."""

    def __init__(self, works: Works, store: StreamStore, log: Log) -> None:
        self._works = works
        self._store = store
        self._log = log

    async def anew(self, session: UUID) -> Arrival:
        """One that knows nothing yet."""
        async with self._works.read() as work:
            row = await self._store.arrive(work.connection, session)
            now = work.now
        if row is None:
            raise Refused("unauthenticated")
        caller, me = _who(row, now)
        return Arrival(caller, me, *_heads(row))

    async def resuming(self, session: UUID, at: Position, fair_at: Position) -> Arrival:
        """One that comes back from these positions."""
        limit = self._log.resume_events + 1
        async with self._works.read() as work:
            rows = await self._store.arrive_resuming(work.connection, session, at.pos, fair_at.pos, limit)
            now = work.now
        if not rows:
            raise Refused("unauthenticated")
        caller, me = _who(rows[0], now)
        view: Side = "buyer" if caller.side == "buyer" else "team"
        page = self._log.continuation(rows[0], rows[1:], view, at, fair_at, now)
        return Arrival(caller, me, *_heads(rows[0]), page)


def _who(row: Row, now: datetime) -> tuple[Caller, Account]:
    values = dict(row)
    values["kind"] = values["account_kind"]  # `kind` is an event's message's
    caller, account = account_rows(values)
    return caller_of(caller, now), own_account(account)


def _heads(row: Row) -> tuple[Position, Position]:
    return Position(epoch=row["epoch"], pos=row["top"]), Position(epoch=row["fair_epoch"], pos=row["fair_top"])
