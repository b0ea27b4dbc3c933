"""A unit of work: one transaction, the instant it happens at, and what to do once it is committed.

Services open it and nobody else. Whatever must not happen unless the transaction lasts — announcing events above all — is
registered with `on_commit` and runs after COMMIT has returned, in order, in the same task. When COMMIT ends without an answer, what
it would have told of is in doubt, and whoever can find out is told that instead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Literal
from uuid import UUID

from fairwire_server.clock import Clock
from fairwire_server.database.pool import Connection, Database
from fairwire_server.database.queries import load_queries

__all__ = ["Concerned", "Planned", "Work", "Works"]

Concerned = Callable[[], Collection[UUID]]
"""The accounts and fairs that a callback would have told."""

Planned = Literal["once", "by_index", "each_time"]
"""How the statements of a transaction are planned: `once` for each connection; `by_index`, likewise, for lists whose rows are found by
their keys, however small the tables are as yet; `each_time`, where the best plan depends on what is asked."""


class Work:
    """The open transaction. `connection` is for stores; `now` is the one instant of everything decided in it."""

    __slots__ = ("_after", "_concerned", "connection", "now")

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self._after: list[Callable[[], None]] = []
        self._concerned: list[Concerned] = []

    def on_commit(self, callback: Callable[[], None], concerned: Concerned | None = None) -> None:
        """Run `callback` after COMMIT; never, if the transaction does not last. Who is `concerned` is looked after if nobody knows."""
        self._after.append(callback)
        if concerned is not None:
            self._concerned.append(concerned)

    def committed(self) -> None:
        """COMMIT has returned: run what waited for it."""
        for callback in self._after:
            callback()

    def concerned(self) -> set[UUID]:
        """The accounts and fairs that were to be told of it."""
        return {key for concerned in self._concerned for key in concerned()}

    def over(self) -> None:
        """Let go of the callbacks: they know the work, and a ring of a whole batch is dear to find as garbage."""
        self._after.clear()
        self._concerned.clear()


class Works:
    """Opens units of work and reads on one database by one clock."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.doubted: Callable[[Collection[UUID]], None] = _nothing
        """Told of accounts and fairs about which something may have been committed that nobody was told of (W4)."""
        self._sql = load_queries(__package__)

    @asynccontextmanager
    async def begin(self, *, planned: Planned = "once") -> AsyncIterator[Work]:
        """BEGIN … COMMIT, then the callbacks; an exception in the body rolls back and nothing is announced."""
        work: Work | None = None
        decided = False
        try:
            async with self.database.transaction() as connection:
                if planned != "once":
                    await connection.execute(self._sql[planned])
                work = Work(connection, self.clock.now())
                yield work
                decided = True
            work.committed()
        except BaseException:
            if work is not None and decided and (concerned := work.concerned()):
                self.doubted(concerned)
            raise
        finally:
            if work is not None:
                work.over()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Work]:
        """For one statement that writes and may be done twice: it is a transaction by itself, three round trips in one, and nobody
        knows whether it was committed when its connection breaks."""
        async with self.database.reader() as connection:
            yield Work(connection, self.clock.now())

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Work]:
        """A connection for reads without a transaction around them."""
        async with self.database.reader() as connection:
            yield Work(connection, self.clock.now())


def _nothing(_: Collection[UUID]) -> None:
    """Nobody is there to find out."""
