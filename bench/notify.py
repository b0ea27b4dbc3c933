"""`make bench-notify`: a fair's reminders falling due in one minute, claimed, re-checked, rendered and handed over.

    python -m bench.notify [--notices N] [--pairs N] [--quick] [--json FILE]

50,000 notices are due at one instant: half are mails with text, HTML and a calendar object, half are short messages; half are T−15, half
T−24. One worker drains them into channels that make the bytes a provider would get and count them; then again, for mails, over real
SMTP; then two workers at once, whose parcels are compared: no notice may leave twice. Every run starts from the same rows.

The references run no-op jobs: pgqueuer and procrastinate, as many and fewer of them, on the same database in the same session.
Worker and reference have the server's core, PostgreSQL and the mail server the other.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
import uvloop

from bench.common import Cores, database, fairwire, on_core, serving
from bench.notify_worker import Done
from bench.people import people
from bench.report import Options, Report, options, progress
from fairwire_server.database.queries import parse_queries

NOTICES: Final = 50_000
LEAST: Final = 1_000.0
LEAST_SMTP: Final = 300.0
MOST_MIB: Final = 300.0


@dataclass(frozen=True, slots=True)
class Run:
    """Workers draining everything once."""

    per_s: float
    largest_mib: float
    twice: int
    ordered: bool


@dataclass(slots=True)
class Bench:
    """What every run needs."""

    cores: Cores
    folder: Path
    dsn: str
    environment: dict[str, str]
    count: int
    sql: dict[str, str]

    async def run(self, workers: int = 1, port: int | None = None) -> Run:
        """Fresh rows, then that many workers until nothing is left."""
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(self.sql["forget"])
            await connection.execute(self.sql["fall_due"], datetime.now(UTC))
            await connection.execute(self.sql["settled"])
            done = await self._drained(workers, port)
            row = await connection.fetchrow(self.sql["outcome"])
        finally:
            await connection.close()
        assert row is not None
        if row["sent"] != self.count or row["others"]:
            raise RuntimeError(f"{row['sent']} of {self.count} were sent, {row['others']} ended otherwise")
        left = Counter(reference for one in done for some in one.left.values() for reference in some)
        twice = sum(times - 1 for times in left.values()) + (row["attempts"] - 1)
        return Run(self.count / row["seconds"], max(one.largest_mib for one in done), twice, row["ordered"])

    async def _drained(self, workers: int, port: int | None) -> list[Done]:
        command = ["-m", "bench.notify_worker", str(self.count), *([str(port)] if port else [])]
        environment = {**os.environ, **self.environment}
        pipe = asyncio.subprocess.PIPE
        with on_core(self.cores.server):
            processes = [
                await asyncio.create_subprocess_exec(
                    sys.executable, *command, stdin=pipe, stdout=pipe, env=environment, limit=1 << 26
                )
                for _ in range(workers)
            ]
        for process in processes:
            assert process.stdout is not None
            await process.stdout.readline()
        answers = await asyncio.gather(*(process.communicate(b"\n") for process in processes))
        return [msgspec.json.decode(out.splitlines()[-1], type=Done) for out, _ in answers]

    async def reference(self, module: str, dsn: str, count: int) -> float:
        """Jobs a second of a reference."""
        with on_core(self.cores.server):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", module, dsn, str(count), stdout=asyncio.subprocess.PIPE
            )
        out, _ = await process.communicate()
        return float(out.splitlines()[-1])


async def bench(chosen: Options) -> int:
    """The whole run."""
    cores, report = Cores.of_machine(), Report(chosen)
    os.sched_setaffinity(0, {cores.load})
    count: int = chosen.chosen.notices or chosen.few(NOTICES, 4_000)
    async with AsyncExitStack() as stack:
        engine, folder = await stack.enter_async_context(database(cores.load))
        sql = parse_queries(files("bench").joinpath("notify.sql").read_text("utf-8"), "notify.sql")
        await _meetings(engine.dsn(), sql, count // 2)
        taker = await stack.enter_async_context(
            serving(Cores(cores.load, cores.load), ["-m", "bench.smtp_taker"], "taking at", folder)
        )
        one = Bench(cores, folder, engine.dsn(), fairwire(engine, folder), count, sql)
        alone: list[Run] = []
        queuer: list[float] = []
        crastinate: list[float] = []
        for number in range(chosen.pairs):
            progress(f"pair {number + 1} of {chosen.pairs}: ours, pgqueuer, procrastinate")
            alone.append(await one.run())
            queuer.append(await one.reference("bench.bare_pgqueuer", await _fresh(engine.dsn(), f"q{number}"), count))
            crastinate.append(
                await one.reference(
                    "bench.bare_procrastinate", await _fresh(engine.dsn(), f"p{number}"), max(1000, count // 25)
                )
            )
        progress("over SMTP")
        mails = [await one.run(port=taker.port) for _ in range(chosen.pairs)]
        progress("two workers")
        both = [await one.run(workers=2) for _ in range(chosen.pairs)]
    tell(report, alone, mails, both, queuer, crastinate)
    return report.headline()


def tell(
    report: Report,
    alone: Sequence[Run],
    mails: Sequence[Run],
    both: Sequence[Run],
    queuer: Sequence[float],
    crastinate: Sequence[float],
) -> None:
    """The lines."""
    report.bound("notify.memory", [one.largest_mib for one in alone], "MiB", MOST_MIB)
    report.bound("notify.twice", [1.0 + one.twice for one in [*alone, *mails, *both]], "times", 1.0)
    report.floor("notify.soon_first", [float(one.ordered) for one in [*alone, *mails]], "of_1", 1.0)
    report.say("notify.two_workers", sorted(one.per_s for one in both)[len(both) // 2], "notices/s")
    report.floor("notify.smtp", [one.per_s for one in mails], "notices/s", LEAST_SMTP, half="mails_over_SMTP")
    ours = [one.per_s for one in alone]
    report.pairs("notify.beside_procrastinate", "notices/s", ours, crastinate, "procrastinate_no-op")
    report.pairs("notify.beside_pgqueuer", "notices/s", ours, queuer, "pgqueuer_no-op")
    report.floor("notify.one_worker", ours, "notices/s", LEAST)


async def _meetings(dsn: str, sql: dict[str, str], count: int) -> None:
    progress(f"{count} meetings")
    cast = await people(dsn, "notify", buyers=count, exhibitors=count)
    connection = await asyncpg.connect(dsn, command_timeout=300)
    try:
        await connection.execute(sql["addresses"])
        fair = await connection.fetchval(sql["fair"])
        buyers, mains = [one.id for one in cast["buyer"]], [one.id for one in cast["main"]]
        homes = [one.exhibitor for one in cast["main"]]
        await connection.execute(sql["meetings"], fair, buyers, mains, homes, datetime.now(UTC))
    finally:
        await connection.close()


async def _fresh(dsn: str, name: str) -> str:
    """A database of the reference's own on the same PostgreSQL."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    return dsn.replace("/fairwire?", f"/{name}?", 1)


def main() -> int:
    """The bench, from its command line."""
    own = (("--notices", {"type": int, "help": "notices due at once (default 50000, quick 4000)"}),)
    return uvloop.run(bench(options(__doc__, pairs=3, quick=1, add=own)))


if __name__ == "__main__":
    raise SystemExit(main())
