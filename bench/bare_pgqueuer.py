"""pgqueuer running no-op jobs: `python -m bench.bare_pgqueuer DSN COUNT`. Prints jobs a second, from the first claim to the last."""

from __future__ import annotations

import sys
import time
from datetime import timedelta

import asyncpg
import uvloop
from pgqueuer import AsyncpgDriver, PgQueuer
from pgqueuer.models import Job
from pgqueuer.types import QueueExecutionMode


async def main(dsn: str, count: int) -> None:
    """Install, fill, drain."""
    connection = await asyncpg.connect(dsn)
    queue = PgQueuer(AsyncpgDriver(connection))
    await queue.qm.queries.install()

    @queue.entrypoint("nothing")
    async def nothing(job: Job) -> None:
        """No work at all."""

    for _ in range(0, count, 1000):
        await queue.qm.queries.enqueue(["nothing"] * 1000, [b""] * 1000, [0] * 1000)
    began = time.perf_counter()
    await queue.qm.run(dequeue_timeout=timedelta(seconds=1), batch_size=500, mode=QueueExecutionMode.drain)
    print(count / (time.perf_counter() - began), flush=True)
    await connection.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
