"""The reference of `bench.booking`: 32 asyncpg connections, each inserting into a table with an exclusion constraint, one by one.

    python -m bench.bare_booking DSN ROUND

The same wishes as ours, and nothing but the constraint decides: no seats, no buyer looked at, nobody told.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import uvloop

from bench.wishes import BUYERS, Wish, wishes
from fairwire_server.database.queries import parse_queries

SQL = Path(__file__).with_name("booking.sql")


async def book(
    pool: asyncpg.Pool[asyncpg.Record], insert: str, buyer: UUID, base: datetime, own: Sequence[Wish]
) -> int:
    """One buyer's wishes; how many were granted."""
    granted = 0
    async with pool.acquire() as connection:
        for wish in own:
            starts_at = base + timedelta(minutes=30 * wish.half_hour)
            try:
                await connection.execute(insert, uuid4(), buyer, starts_at, starts_at + timedelta(hours=1))
            except asyncpg.ExclusionViolationError:
                continue
            granted += 1
    return granted


async def main(dsn: str, number: int) -> None:
    """One round, and how long it took."""
    sql = parse_queries(SQL.read_text("utf-8"), SQL.name)
    async with asyncpg.create_pool(dsn, min_size=BUYERS, max_size=BUYERS) as pool:
        print("began 0.0.0.0:0", flush=True)
        base, began = datetime(2030, 1, 1, tzinfo=UTC), time.perf_counter()
        granted = await asyncio.gather(*(book(pool, sql["bare_insert"], uuid4(), base, own) for own in wishes(number)))
        print(f"took {time.perf_counter() - began} granted {sum(granted)} ", flush=True)
        await asyncio.sleep(60)  # until killed


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
