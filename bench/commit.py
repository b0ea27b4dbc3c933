"""`make bench-commit`: the commit path, 200 talking pairs on real sockets, beside a bare asyncpg loop.

    python -m bench.commit [--seconds S] [--pairs N] [--profile plain|full]

Every pair is a buyer and an exhibitor's account in one conversation, each on a socket; whoever receives a message answers it, so
that one message is on its way in each pair. Then the same pairs talk at half the rate that was reached, which is where latency
means something: from the send to the event at the *other* person.

* plain: short Latin texts, nothing acknowledged, no search index (FAIRWIRE_SEARCH_INDEX=false).
* full: 60 % Chinese texts of 6 to 60 characters, each acknowledged and read (a client has one `chat.read` per chat under way and
  then sends the newest), and indexed.

Server and PostgreSQL share a core; the generator has the other. The reference, `bench.bare_commit`, has the server's place: it
writes the same rows in one transaction per message over 16 connections, without a socket, a check or an answer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Final, Literal

import asyncpg
import uvloop

from bench.common import (
    BUSY,
    Cores,
    Served,
    database,
    fairwire,
    headline,
    logged,
    more_files,
    process_tree,
    ratio_line,
    say,
    serving,
    spent,
)
from bench.pairs import Load, Pair, Talk, talk_of
from bench.people import people
from bench.wire import connect_all

PAIRS: Final = 5
TALKING: Final = 200
SECONDS: Final = 8.0
SERVE: Final = ("-m", "fairwire_server", "serve")
Profile = Literal["plain", "full"]


@dataclass(frozen=True, slots=True)
class Sample:
    """A stretch of talking, or of the reference's writing."""

    per_s: float
    server_cpu: float
    """Seconds per 1,000 messages."""
    database_cpu: float
    latencies: tuple[float, ...] = ()
    generator: float = 0.0

    @property
    def cpu(self) -> float:
        """Server and database."""
        return self.server_cpu + self.database_cpu


@dataclass(frozen=True, slots=True)
class Meter:
    """The processor time of a serving process and of PostgreSQL."""

    server: int
    postmaster: int

    def read(self) -> tuple[float, float]:
        """Seconds so far."""
        return spent(self.server), spent(*process_tree(self.postmaster))


async def stretch(load: Load, meter: Meter, seconds: float, per_s: float | None = None) -> Sample:
    """Let the pairs talk, and measure."""
    load.begin(per_s)
    await asyncio.sleep(0.5)
    load.latencies.clear()
    accepted, own, began = load.accepted, time.process_time(), time.perf_counter()
    server, database_ = meter.read()
    await asyncio.sleep(seconds)
    server_after, database_after = meter.read()
    took, thousands = time.perf_counter() - began, (load.accepted - accepted) / 1000
    own = (time.process_time() - own) / took
    latencies = tuple(load.latencies)
    await load.end()
    return Sample(
        1000 * thousands / took,
        (server_after - server) / thousands,
        (database_after - database_) / thousands,
        latencies,
        own,
    )


async def reference(cores: Cores, dsn: str, folder: Path, postmaster: int, seconds: float) -> Sample:
    """One stretch of the bare loop."""
    command = ["-m", "bench.bare_commit", dsn, str(seconds)]
    async with serving(cores, command, "began", folder) as served:
        meter = Meter(served.pid, postmaster)
        server, database_ = meter.read()
        began = time.perf_counter()
        await asyncio.sleep(seconds)
        server_after, database_after = meter.read()
        took = time.perf_counter() - began
        async with asyncio.timeout(30):
            while "wrote" not in (text := logged(folder)):  # noqa: ASYNC110  # another process says it
                await asyncio.sleep(0.05)
    count = int(text.rpartition("wrote ")[2].split()[0])
    # The loop's own clock gives its rate; the CPU is read over the same stretch, which began a moment later.
    rate = count / seconds
    return Sample(rate, (server_after - server) / rate / took * 1000, (database_after - database_) / rate / took * 1000)


async def prepared(served: Served, dsn: str, code: str, talk: Talk) -> Load:
    """Live sockets of pairs that have a conversation, opened through the door."""
    cast = await people(dsn, code, buyers=TALKING, exhibitors=TALKING)
    make = talk.wire
    mains = await connect_all(served, [one.token for one in cast["main"]], make)
    buyers = await connect_all(served, [one.token for one in cast["buyer"]], make)
    load = Load(talk)
    for buyer, main, home in zip(buyers, mains, cast["main"], strict=True):
        load.pairs.append(Pair(load, buyer, main, await buyer.opened(str(home.exhibitor))))
    return load


async def profile(name: Profile, pairs: int, seconds: float) -> None:
    """One profile, from an empty database."""
    cores = Cores.of_machine()
    async with AsyncExitStack() as stack:
        engine, folder = await stack.enter_async_context(database(cores))
        postmaster = int(next(folder.rglob("postmaster.pid")).read_text().split()[0])
        plain = name == "plain"
        environment = fairwire(engine, folder, search_index=not plain, **({"beat_interval_s": 3600} if plain else {}))
        served = await stack.enter_async_context(serving(cores, SERVE, "running at", folder, **environment))
        talk = talk_of(name)
        load = await prepared(served, engine.dsn(), "talk", talk)
        await bare_rows(engine.dsn())
        meter = Meter(served.pid, postmaster)
        await stretch(load, meter, 3)
        await reference(cores, engine.dsn(), folder, postmaster, 2)
        both = []
        for _ in range(pairs):
            ours = await stretch(load, meter, seconds)
            both.append((ours, await reference(cores, engine.dsn(), folder, postmaster, seconds)))
        half = await stretch(load, meter, seconds, median(ours.per_s for ours, _ in both) / 2)
        await asyncio.sleep(1.5)  # markers and the index come after
        rows, indexed = await counted(engine.dsn(), load)
    report(name, both, half, load, rows, indexed)


async def bare_rows(dsn: str) -> None:
    """Conversations for the reference, in a fair of its own."""
    await people(dsn, "bare", buyers=TALKING, exhibitors=TALKING)
    connection = await asyncpg.connect(dsn)
    sql = Path(__file__).with_name("bare_rows.sql").read_text("utf-8")
    await connection.execute(sql)
    await connection.close()


async def counted(dsn: str, load: Load) -> tuple[int, int]:
    """How many messages of the pairs are stored, and how many of them are indexed."""
    chats = [pair.conversation for pair in load.pairs]
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetchval(
        "SELECT count(*) FROM message WHERE conversation_id = ANY ($1::text[]::uuid[])", chats
    )
    indexed = await connection.fetchval(
        "SELECT count(*) FROM message_search WHERE conversation_id = ANY ($1::text[]::uuid[])", chats
    )
    await connection.close()
    return int(rows), int(indexed)


def report(name: str, both: list[tuple[Sample, Sample]], half: Sample, load: Load, rows: int, indexed: int) -> None:
    """The lines of one profile."""
    ours, bare = [one for one, _ in both], [other for _, other in both]
    share = max(one.generator for one in [*ours, half])
    say(f"commit.{name}.generator", share, "of_its_core", counts="no" if share > BUSY else "yes")
    say(
        f"commit.{name}.rows",
        rows,
        "messages",
        acknowledged=load.accepted,
        equal="yes" if rows == load.accepted else "NO",
        put_off=load.put_off,
        indexed=indexed,
    )
    for what, sample in (("saturated", ours[-1]), ("half", half)):
        cuts = quantiles(sample.latencies, n=100)
        say(f"commit.{name}.{what}.p50", cuts[49] * 1000, "ms", at=sample.per_s)
        say(f"commit.{name}.{what}.p99", cuts[98] * 1000, "ms", at=sample.per_s)
    say(f"commit.{name}.cpu.server", median(one.server_cpu for one in ours), "s_per_1000")
    say(f"commit.{name}.cpu.database", median(one.database_cpu for one in ours), "s_per_1000")
    against = "bare_asyncpg_16"
    ratio_line(f"commit.{name}.cpu", "s_per_1000", [one.cpu for one in ours], [one.cpu for one in bare], against)
    ratio_line(f"commit.{name}", "messages/s", [one.per_s for one in ours], [one.per_s for one in bare], against)


async def bench(profiles: list[Profile], pairs: int, seconds: float) -> None:
    """The whole run."""
    random.seed(2026)
    more_files()
    headline()
    cores = Cores.of_machine()
    os.sched_setaffinity(0, {cores.load})
    for name in profiles:
        await profile(name, pairs, seconds)


def main() -> None:
    """The bench, from its command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--profile", choices=["plain", "full"])
    chosen = parser.parse_args()
    uvloop.run(bench([chosen.profile] if chosen.profile else ["plain", "full"], chosen.pairs, chosen.seconds))


if __name__ == "__main__":
    main()
