"""A unit of work: one transaction, the instant it happens at, and what to do once it is committed.

Services open it and nobody else. Whatever must not happen unless the transaction lasts — announcing events above all — is
registered with `on_commit` and runs after COMMIT has returned, in order, in the same task.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Literal

from fairwire_server.clock import Clock
from fairwire_server.database.pool import Connection, Database
from fairwire_server.database.queries import load_queries

__all__ = ["Planned", "Work", "Works"]

Planned = Literal["once", "by_index", "each_time"]
"""How the statements of a transaction are planned: `once` for each connection; `by_index`, likewise, for lists whose rows are found by
their keys, however small the tables are as yet; `each_time`, where the best plan depends on what is asked."""


class Work:
    """The open transaction. `connection` is for stores; `now` is the one instant of everything decided in it."""

    __slots__ = ("_after", "connection", "now")

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self._after: list[Callable[[], None]] = []

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Run `callback` after COMMIT; never, if the transaction does not last."""
        self._after.append(callback)

    def committed(self) -> None:
        """COMMIT has returned: run what waited for it."""
        for callback in self._after:
            callback()

    def over(self) -> None:
        """Let go of the callbacks: they know the work, and a ring of a whole batch is dear to find as garbage."""
        self._after.clear()


class Works:
    """Opens units of work and reads on one database by one clock."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self._sql = load_queries(__package__)

    @asynccontextmanager
    async def begin(self, *, planned: Planned = "once") -> AsyncIterator[Work]:
        """BEGIN … COMMIT, then the callbacks; an exception in the body rolls back and nothing is announced."""
        async with self.database.transaction() as connection:
            if planned != "once":
                await connection.execute(self._sql[planned])
            work = Work(connection, self.clock.now())
            try:
                yield work
            except BaseException:
                work.over()
                raise
        try:
            work.committed()
        finally:
            work.over()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Work]:
        """A connection for reads without a transaction around them."""
        async with self.database.reader() as connection:
            yield Work(connection, self.clock.now())
