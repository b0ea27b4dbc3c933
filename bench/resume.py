"""`make bench-resume`: a storm of reconnects. 5,000 sockets are cut at once, each comes back and has missed 20 events.

    python -m bench.resume [--sockets N] [--pairs N] [--quick] [--json FILE]

Each of the 5,000 has an account of its own. All connections are reset in the same moment; their clients wait up to half a second,
as W14 has it, and come back with `hello.resume` from a position 20 events behind. One that is turned away obeys `retry_after_ms`.
The storm is over when the last one is live; every one must have been sent exactly 20 events. Meanwhile 50 pairs in another fair
talk, each twice a second, and their p99 from send to the event at the other person is what others notice of the storm; `calm` is
the same without. Server and PostgreSQL share a core. The reference is `bench.bare_idle`, aiohttp that takes the hello and answers
one frame: no token, no log.

`resume.queries` counts statements with pg_stat_statements over 500 resumes on a server that does nothing else: those that read the
log, and all of them; it is one and the same that says whose token a hello brings.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.resources import files
from statistics import median
from typing import Final

import asyncpg
import uvloop

from bench.common import SERVE, Cores, Meter, Served, database, fairwire, more_files, postmaster, serving
from bench.contacts import contacts
from bench.crowd import Crowd, Member, hello
from bench.crowd_loop import listening
from bench.pairs import Load, p99_ms, talk_of, talking
from bench.people import Person, people
from bench.report import Options, Report, options, progress
from fairwire_server.database.queries import parse_queries

SOCKETS: Final = 5_000
MISSED: Final = 20
TALKING: Final = 50
PER_S: Final = 100.0
CALM_S: Final = 4.0
JITTER_S: Final = 0.5
COUNTED: Final = 500
BOUND_S: Final = 8.0
BOUND_P99_MS: Final = 500.0
STATEMENTS: Final = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track_utility": "off"}


@dataclass(frozen=True, slots=True)
class Sample:
    """A storm."""

    seconds: float
    turned_away: int
    cpu_s: float
    database_s: float
    generator: float
    p99_ms: float = 0.0
    calm_ms: float = 0.0


async def storm(
    crowd: Crowd, members: Sequence[Member], pids: tuple[int, ...], load: Load | None, calm_s: float
) -> Sample:
    """Cut everybody and wait until the last one is back."""
    calm = 0.0
    with listening(crowd):
        if load is not None:
            load.begin(PER_S)
            await asyncio.sleep(calm_s)
            calm = p99_ms(load.latencies)
            load.latencies.clear()
        meter, began = Meter(*pids), time.perf_counter()
        crowd.cut(members)
        for member in members:
            crowd.delay(member, random.uniform(0, JITTER_S))
        async with asyncio.timeout(120):
            while crowd.joining:  # noqa: ASYNC110  # the crowd knows no loop
                await asyncio.sleep(0.005)
        took, used = time.perf_counter() - began, meter.read()
        if load is not None:
            await load.end()
    turned_away = sum(member.turned_away for member in members)
    noticed = 0.0 if load is None else p99_ms(load.latencies)
    if load is not None:
        load.latencies.clear()
    return Sample(took, turned_away, used.server, used.database, used.generator, noticed, calm)


async def resuming(dsn: str, buyers: Sequence[Person]) -> list[Member]:
    """Members whose hello asks for the last 20 events."""
    sql, connection = queries(), await asyncpg.connect(dsn)
    rows = await connection.fetch(sql["standing"], [one.id for one in buyers])
    await connection.close()
    members = []
    for one, row in zip(buyers, rows, strict=True):
        resume = {
            "account": {"epoch": row["epoch"], "pos": row["pos"] - MISSED},
            "fair": {"epoch": row["fair_epoch"], "pos": row["fair_pos"]},
        }
        members.append(Member(hello(one.token, "bench", resume)))
    return members


def queries() -> dict[str, str]:
    """This bench's own."""
    return parse_queries(files("bench").joinpath("resume.sql").read_text("utf-8"), "resume.sql")


async def counted(dsn: str, crowd: Crowd, members: Sequence[Member]) -> tuple[float, float]:
    """Statements that read the log, and all of them, for each of these when they come back."""
    sql, connection = queries(), await asyncpg.connect(dsn)
    await connection.execute(sql["statements"])
    before = {row["query"]: row["calls"] for row in await connection.fetch(sql["counted"])}
    crowd.cut(members)
    crowd.join(members)
    rows = await connection.fetch(sql["counted"])
    await connection.close()
    grown = {row["query"]: row["calls"] - before.get(row["query"], 0) for row in rows}
    often: dict[str, int] = {query: calls for query, calls in grown.items() if calls >= len(members) // 64}
    for query, calls in often.items():
        progress(f"{calls / len(members):.2f} each: {' '.join(query.split())[:100]}")
    logs = sum(calls for query, calls in often.items() if "account_event" in query)
    return logs / len(members), sum(often.values()) / len(members)


def checked(members: Sequence[Member]) -> int:
    """Every one has been sent what it missed, once."""
    wrong = sum(member.events != MISSED for member in members)
    if wrong:
        raise RuntimeError(f"{wrong} were not sent exactly {MISSED} events")
    return len(members) * MISSED


async def bench(chosen: Options) -> int:
    """The whole run."""
    cores, mine, bare = Cores.of_machine(), list[Sample](), list[Sample]()
    random.seed(2026)
    more_files()
    report = Report(chosen)
    os.sched_setaffinity(0, {cores.load})
    sockets = chosen.chosen.sockets or chosen.few(SOCKETS, 1_000)
    async with AsyncExitStack() as stack:
        engine, folder = await stack.enter_async_context(database(cores.server, STATEMENTS))
        dsn, first = engine.dsn(), postmaster(folder)
        progress("the contacts")
        cast = await people(dsn, "storm", buyers=sockets, exhibitors=400)
        await contacts(dsn, cast["buyer"], cast["main"], each=1, open_chats=1, messages=MISSED, events=True)
        environment = fairwire(engine, folder, beat_interval_s=3600, beat_answer_s=3500, search_index=False)
        served = await stack.enter_async_context(serving(cores, SERVE, "running at", folder, **environment))
        reference = await stack.enter_async_context(serving(cores, ["-m", "bench.bare_idle"], "bare at", folder))
        load = await talking(served, dsn, "talk", TALKING, talk_of("plain"))
        members, others = await resuming(dsn, cast["buyer"]), [Member(hello("", "bench")) for _ in range(sockets)]
        crowd, other = joined(served, members), joined(reference, others)
        statements = await counted(dsn, crowd, members[:COUNTED])
        for number in range(chosen.pairs):
            progress(f"storm {number + 1} of {chosen.pairs}")
            mine.append(await storm(crowd, members, (served.pid, first), load, chosen.few(int(CALM_S), 2)))
            checked(members)
            bare.append(await storm(other, others, (reference.pid,), None, 0))
            await asyncio.sleep(1)
    report.say("resume.events", MISSED * sockets * chosen.pairs, "events", complete="yes")
    report.say("resume.queries.with_hello", statements[1], "statements", of="a_whole_hello")
    report.bound("resume.queries", [statements[0]], "statements", 1.0, of="the_log")
    tell(report, mine, bare, sockets)
    return report.headline()


def joined(served: Served, members: list[Member]) -> Crowd:
    """All of them live, for the first time."""
    progress(f"{len(members)} sockets join")
    crowd = Crowd(served.host, served.port)
    crowd.join(members)
    return crowd


def tell(report: Report, mine: list[Sample], bare: list[Sample], sockets: int) -> None:
    """The lines."""
    report.generator("resume.generator", max(one.generator for one in mine))
    report.say("resume.turned_away", median(one.turned_away for one in mine), "times", sockets=sockets)
    report.say("resume.cpu.server", median(1000 * one.cpu_s / sockets for one in mine), "ms_each")
    report.say("resume.cpu.database", median(1000 * one.database_s / sockets for one in mine), "ms_each")
    report.say("resume.calm.p99", median(one.calm_ms for one in mine), "ms", at=PER_S)
    report.bound("resume.chat.p99", [one.p99_ms for one in mine], "ms", BOUND_P99_MS, at=PER_S)
    times = [one.seconds for one in mine]
    report.pairs("resume.beside_bare", "s", times, [one.seconds for one in bare], "bare_aiohttp", sockets=sockets)
    report.bound("resume", times, "s", BOUND_S, sockets=sockets, missed=MISSED)


def main() -> int:
    """The bench, from its command line."""
    own = (("--sockets", {"type": int, "help": "how many are cut (default 5000, quick 1000)"}),)
    return uvloop.run(bench(options(__doc__, pairs=5, add=own)))


if __name__ == "__main__":
    raise SystemExit(main())
