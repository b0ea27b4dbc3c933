"""The limit of `bench.commit`: as `bench.bare_commit`, but a hundred messages a transaction, in three statements over `unnest`.

python -m bench.bare_batched DSN SECONDS
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from uuid import uuid4

import asyncpg
import uvloop

from fairwire_server.database.queries import parse_queries

SQL = Path(__file__).with_name("bare_commit.sql")
CONNECTIONS = 2
BATCH = 100


async def write(
    pool: asyncpg.Pool[asyncpg.Record], sql: dict[str, str], chats: list[asyncpg.Record], until: float
) -> int:
    """Batches over these conversations, until the time is over; how many messages."""
    number = 0
    async with pool.acquire() as connection:
        while time.perf_counter() < until:
            ids = [chat["id"] for chat in chats]
            async with connection.transaction():
                rows = await connection.fetch(sql["conversations"], ids)
                seqs = [row["last_seq"] for row in rows]
                taken = [row["id"] for row in rows]
                await connection.execute(sql["batch_events"], taken, seqs)
                senders, cids = [row["buyer_id"] for row in rows], [uuid4() for _ in rows]
                await connection.execute(sql["messages"], taken, seqs, senders, cids, "hello, what is the price?")
            number += len(ids)
    return number


async def main(dsn: str, seconds: float) -> None:
    """Write for so many seconds and say how much."""
    sql = parse_queries(SQL.read_text("utf-8"), SQL.name)
    async with asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        chats = await pool.fetch(sql["chats"])
        parts = [chats[at : at + BATCH] for at in range(0, BATCH * CONNECTIONS, BATCH)]
        print("began 0.0.0.0:0", flush=True)
        until = time.perf_counter() + seconds
        wrote = await asyncio.gather(*(write(pool, sql, part, until) for part in parts))
        print(f"wrote {sum(wrote)} ", flush=True)
        await asyncio.sleep(60)  # until killed, so that what it used can still be read


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], float(sys.argv[2])))
