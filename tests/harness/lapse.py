"""The clock of a test's database, moved: processes that ask PostgreSQL what time it is are told what the test says.

A function `clock_timestamp()` of the test's own comes before the built-in one in the database's search path, so real processes on a
real engine live through a day in an instant. What they measure by their own clocks, such as leases, passes as it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from fairwire_server.jobs.hints import CHANNEL

__all__ = ["Lapse"]

TRIES: Final = 10


class Lapse:
    """How far the clock of a database is ahead, for connections made after `begin`."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def begin(self) -> None:
        """No time has passed yet."""
        async with self._connection() as connection:
            await connection.execute(_MAKE)
            name = await connection.fetchval("SELECT current_database()")
            await connection.execute(f'ALTER DATABASE "{name}" SET search_path = lapse, public, pg_catalog')

    async def now(self) -> datetime:
        """What processes are told."""
        async with self._connection() as connection:
            at: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return at

    async def pass_(self, time: timedelta) -> None:
        """So much time passes, and workers look what has fallen due."""
        async with self._connection() as connection:
            await connection.execute("UPDATE lapse.passed SET time = time + $1", time)
            await connection.execute(f"NOTIFY {CHANNEL}")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """One each time, for engines come and go. One that has just thawed first turns away whoever has come meanwhile."""
        connection = await self._connected()
        try:
            yield connection
        finally:
            await connection.close()

    async def _connected(self) -> asyncpg.Connection[asyncpg.Record]:
        for _ in range(TRIES - 1):
            try:
                return await asyncpg.connect(self._url)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.2)  # another process is waited for, and nobody says when it is there
        return await asyncpg.connect(self._url)


_MAKE = """
CREATE SCHEMA lapse;
CREATE TABLE lapse.passed (time interval NOT NULL);
INSERT INTO lapse.passed VALUES ('0');
CREATE FUNCTION lapse.clock_timestamp() RETURNS timestamptz LANGUAGE sql
    RETURN pg_catalog.clock_timestamp() + (SELECT time FROM lapse.passed);
"""
