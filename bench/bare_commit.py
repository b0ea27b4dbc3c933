"""The reference of `bench.commit`: 16 asyncpg connections, each writing messages one by one, three statements and a COMMIT each.

    python -m bench.bare_commit DSN SECONDS

The rows are those of a message: the message, its conversation, both participants, both streams, and an event on each.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import uvloop

from fairwire_server.database.queries import parse_queries

SQL = Path(__file__).with_name("bare_commit.sql")
CONNECTIONS = 16


async def write(
    pool: asyncpg.Pool[asyncpg.Record], sql: dict[str, str], chats: list[asyncpg.Record], until: float
) -> int:
    """Messages of these chats, until then; how many."""
    async with pool.acquire() as connection:
        number = 0
        while time.perf_counter() < until:
            number += 1
            chat = chats[number % len(chats)]
            ids: list[UUID] = [chat["buyer_id"], chat["holder_id"]]
            async with connection.transaction():
                seq = await connection.fetchval(sql["conversation"], chat["id"])
                await connection.execute(sql["events"], ids, chat["id"], seq)
                await connection.execute(
                    sql["message"], chat["id"], seq, ids[number % 2], uuid4(), "hello, what is the price?"
                )
        return number


async def main(dsn: str, seconds: float) -> None:
    """Write for so many seconds and say how much."""
    sql = parse_queries(SQL.read_text("utf-8"), SQL.name)
    async with asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        chats = await pool.fetch(sql["chats"])
        await asyncio.gather(
            *(write(pool, sql, chats[at::CONNECTIONS], time.perf_counter() + 0.3) for at in range(CONNECTIONS))
        )
        print("began 0.0.0.0:0", flush=True)
        until = time.perf_counter() + seconds
        wrote = await asyncio.gather(*(write(pool, sql, chats[at::CONNECTIONS], until) for at in range(CONNECTIONS)))
        print(f"wrote {sum(wrote)} ", flush=True)
        await asyncio.sleep(60)  # until killed, so that what it used can still be read


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], float(sys.argv[2])))
