"""The database's clock: the one that workers on several machines share (N4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from fairwire_server.database.queries import load_queries
from fairwire_server.database.work import Work

__all__ = ["Present", "database_time", "own_time"]

Present = Callable[[Work], Awaitable[datetime]]
"""The present instant of whoever decides what is due."""


def database_time() -> Present:
    """Asked for each claim: a worker's own clock may be wrong."""
    sql = load_queries(__package__)["present"]

    async def present(work: Work) -> datetime:
        at: datetime = await work.connection.fetchval(sql)
        return at

    return present


async def own_time(work: Work) -> datetime:
    """The clock that was passed in, where it is everybody's: in tests, which move it."""
    return work.now
