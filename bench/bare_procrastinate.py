"""procrastinate running no-op jobs: `python -m bench.bare_procrastinate DSN COUNT`. Prints jobs a second."""

from __future__ import annotations

import asyncio
import sys
import time

import procrastinate


async def main(dsn: str, count: int) -> None:
    """Install, fill, drain with thirty at once."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))

    @app.task(name="nothing")
    async def nothing() -> None:
        """No work at all."""

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for _ in range(0, count, 500):
            await nothing.batch_defer_async(*[{}] * 500)
        began = time.perf_counter()
        await app.run_worker_async(wait=False, concurrency=30, listen_notify=False, install_signal_handlers=False)
        print(count / (time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
