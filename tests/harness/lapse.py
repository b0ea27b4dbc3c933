"""The clock of a test's database, moved: processes that ask PostgreSQL what time it is are told what the test says.

A function `clock_timestamp()` of the test's own comes before the built-in one in the database's search path, so real processes on a
real engine live through a day in an instant. What they measure by their own clocks, such as leases, passes as it does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import asyncpg

from fairwire_server.jobs.hints import CHANNEL

__all__ = ["Lapse", "lapse"]


class Lapse:
    """How far the database's clock is ahead."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection

    async def now(self) -> datetime:
        """What processes are told."""
        at: datetime = await self._connection.fetchval("SELECT clock_timestamp()")
        return at

    async def pass_(self, time: timedelta) -> None:
        """So much time passes, and workers look what has fallen due."""
        await self._connection.execute("UPDATE lapse.passed SET time = time + $1", time)
        await self._connection.execute(f"NOTIFY {CHANNEL}")


@asynccontextmanager
async def lapse(url: str) -> AsyncIterator[Lapse]:
    """For connections made from now on, this one too."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_MAKE)
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET search_path = lapse, public, pg_catalog')
    finally:
        await connection.close()
    connection = await asyncpg.connect(url)
    try:
        yield Lapse(connection)
    finally:
        await connection.close()


_MAKE = """
CREATE SCHEMA lapse;
CREATE TABLE lapse.passed (time interval NOT NULL);
INSERT INTO lapse.passed VALUES ('0');
CREATE FUNCTION lapse.clock_timestamp() RETURNS timestamptz LANGUAGE sql
    RETURN pg_catalog.clock_timestamp() + (SELECT time FROM lapse.passed);
"""
