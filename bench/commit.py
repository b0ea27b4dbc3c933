"""`make bench-commit`: the commit path, 200 talking pairs on real sockets, beside bare asyncpg loops.

    python -m bench.commit [--profile plain|full] [--nodes 2] [--seconds S] [--pairs N] [--quick] [--json FILE]

Every pair is a buyer and an exhibitor's account in one conversation, each on a socket; whoever receives a message answers it, so
that one message is on its way in each pair. The same pairs also talk at half the rate that they reach at first, which is where latency
means something: from the send to the event at the *other* person. That comes before the references, since PostgreSQL tidies up after
these for a while.

* plain: short Latin texts, nothing acknowledged, no search index (FAIRWIRE_SEARCH_INDEX=false).
* full: 60 % Chinese texts of 6 to 60 characters, each acknowledged and read (a client has one `chat.read` per chat under way and
  then sends the newest), and indexed.

Server and PostgreSQL share a core; the generator has the other. With `--nodes 2` a second server has that as well, with a Valkey
between the two: the buyers are on one and the exhibitors on the other, so that every message crosses. The references have the
server's place and no socket, check or answer, and a database of their own in the same PostgreSQL, since the server indexes every text
that it finds in its own:
`bench.bare_commit` writes the same rows in one transaction of three statements a message over 16 connections,
`bench.bare_batched` writes them a hundred messages a transaction, which is the limit of this database. A stretch of each is taken
in turn. At the end the messages stored are counted: as many as were acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Final, Literal

import asyncpg
import uvloop

from bench.common import Cores, Meter, database, fairwire, logged, more_files, nodes, on_core, postmaster, serving
from bench.pairs import Load, talk_of, talking
from bench.people import people
from bench.report import Options, Report, options, progress
from fairwire_server.bus.embedded import embedded_valkey
from fairwire_server.database.engine import EmbeddedEngine
from fairwire_server.database.migrate import migrate_database

TALKING: Final = 200
SECONDS: Final = 8.0
Profile = Literal["plain", "full"]
AGAINST: Final = "bare_asyncpg_16"
LEAST: Final[dict[Profile, float]] = {"plain": 1.3, "full": 0.8}
CPU_S: Final[dict[Profile, float]] = {"plain": 0.2, "full": 0.3}
P99_MS: Final = 50.0


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


async def stretch(load: Load, pids: Sequence[int], seconds: float, per_s: float | None = None) -> Sample:
    """Let the pairs talk, and measure."""
    load.begin(per_s)
    await asyncio.sleep(0.5)
    load.latencies.clear()
    accepted, meter = load.accepted, Meter(*pids)
    await asyncio.sleep(seconds)
    used, thousands = meter.read(), (load.accepted - accepted) / 1000
    latencies = tuple(load.latencies)
    await load.end()
    return Sample(
        1000 * thousands / used.wall, used.server / thousands, used.database / thousands, latencies, used.generator
    )


async def reference(cores: Cores, name: str, dsn: str, folder: Path, postmaster: int, seconds: float) -> Sample:
    """One stretch of a bare loop."""
    async with serving(cores, ["-m", f"bench.{name}", dsn, str(seconds)], "began", folder) as served:
        meter = Meter(served.pid, postmaster)
        await asyncio.sleep(seconds)
        used = meter.read()
        async with asyncio.timeout(30):
            while "wrote" not in (text := logged(folder)):  # noqa: ASYNC110  # another process says it
                await asyncio.sleep(0.05)
    # The loop's own clock gives its rate; the CPU is read over the same stretch, which began a moment later.
    rate = int(text.rpartition("wrote ")[2].split()[0]) / seconds
    return Sample(rate, used.server / rate / used.wall * 1000, used.database / rate / used.wall * 1000)


@dataclass(slots=True)
class Samples:
    """Of one profile: a pair's ours, bare loop and limit at the same place of each list."""

    ours: list[Sample] = field(default_factory=list)
    bare: list[Sample] = field(default_factory=list)
    batched: list[Sample] = field(default_factory=list)
    half: list[Sample] = field(default_factory=list)


async def profile(report: Report, name: Profile, count: int, pairs: int, seconds: float) -> None:
    """One profile, from an empty database."""
    cores = Cores.of_machine()
    async with AsyncExitStack() as stack:
        engine, folder = await stack.enter_async_context(database(cores.server))
        plain, dsn, first = name == "plain", engine.dsn(), postmaster(folder)
        settings: dict[str, object] = {"search_index": not plain}
        if plain:
            settings["beat_interval_s"] = 3600
        if count > 1:
            with on_core(cores.server):
                settings["redis_url"] = await stack.enter_async_context(embedded_valkey())
        served = await stack.enter_async_context(nodes(cores, count, folder, fairwire(engine, folder, **settings)))
        progress(f"{name}: {TALKING} pairs open their chats")
        load = await talking(served[0], dsn, "talk", TALKING, talk_of(name), others=served[-1])
        pids, samples = (served[0].pid, first, *(one.pid for one in served[1:])), Samples()
        await stretch(load, pids, 3)
        rate = (await stretch(load, pids, seconds)).per_s / 2
        for _ in range(pairs):
            progress(f"{name}: half of the load")
            samples.half.append(await stretch(load, pids, seconds, rate))
        bare = await bare_database(engine)
        await reference(cores, "bare_commit", bare, folder, first, 2)
        for number in range(pairs):
            progress(f"{name}: pair {number + 1} of {pairs}")
            samples.ours.append(await stretch(load, pids, seconds))
            samples.bare.append(await reference(cores, "bare_commit", bare, folder, first, seconds))
            samples.batched.append(await reference(cores, "bare_batched", bare, folder, first, seconds / 2))
        await asyncio.sleep(1.5)  # markers and the index come after
        rows, indexed = await counted(dsn, load)
    about = f"commit.{name}" if count == 1 else f"commit.two.{name}"
    report.say(
        f"{about}.rows", rows, "messages", acknowledged=str(load.accepted), equal="yes" if rows == load.accepted else "NO",
        put_off=str(load.put_off), indexed=str(indexed),
    )  # fmt: skip
    tell(report, about, name, samples)


async def bare_database(engine: EmbeddedEngine) -> str:
    """A database of the reference's own beside ours: the same tables, in which nobody looks for texts to index."""
    connection = await asyncpg.connect(engine.dsn())
    await connection.execute("CREATE DATABASE bare")
    await connection.close()
    dsn = engine.dsn("bare")
    await migrate_database(dsn)
    await people(dsn, "bare", buyers=TALKING, exhibitors=TALKING)
    connection = await asyncpg.connect(dsn)
    await connection.execute(Path(__file__).with_name("bare_rows.sql").read_text("utf-8"))
    await connection.close()
    return dsn


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


def tell(report: Report, about: str, name: Profile, samples: Samples) -> None:
    """The lines of one profile."""
    ours, bare, batched, half = samples.ours, samples.bare, samples.batched, samples.half
    plain = name == "plain"
    report.generator(f"{about}.generator", max(one.generator for one in [*ours, *half]))
    for what, some in (("saturated", ours), ("half", half)):
        cuts = [quantiles(sample.latencies, n=100) for sample in some]
        at = median(sample.per_s for sample in some)
        report.say(f"{about}.{what}.p50", median(cut[49] for cut in cuts) * 1000, "ms", at=at)
        p99 = [cut[98] * 1000 for cut in cuts]
        if what == "half" and not plain:
            report.bound(f"{about}.half.p99", p99, "ms", P99_MS, at=at)
        else:
            report.say(f"{about}.{what}.p99", median(p99), "ms", at=at)
    report.say(f"{about}.cpu.server", median(one.server_cpu for one in ours), "s_per_1000")
    report.say(f"{about}.cpu.database", median(one.database_cpu for one in ours), "s_per_1000")
    cpu = [one.cpu for one in ours]
    report.pairs(f"{about}.cpu.beside_bare", "s_per_1000", cpu, [one.cpu for one in bare], AGAINST)
    report.bound(f"{about}.cpu", cpu, "s_per_1000", CPU_S[name])
    rates = [one.per_s for one in ours]
    report.pairs(
        f"{about}.beside_batched",
        "messages/s",
        rates,
        [one.per_s for one in batched],
        "bare_asyncpg_batches_of_100",
    )
    report.pairs(about, "messages/s", rates, [one.per_s for one in bare], AGAINST, least=LEAST[name])


async def bench(chosen: Options) -> int:
    """The whole run."""
    random.seed(2026)
    more_files()
    report = Report(chosen)
    os.sched_setaffinity(0, {Cores.of_machine().load})
    names: tuple[Profile, ...] = ("full", "plain") if chosen.chosen.profile is None else (chosen.chosen.profile,)
    for name in names:
        seconds = min(chosen.chosen.seconds, 3.0) if chosen.quick else chosen.chosen.seconds
        await profile(report, name, chosen.chosen.nodes, chosen.pairs, seconds)
    return report.headline()


def main() -> int:
    """The bench, from its command line."""
    own = (
        ("--seconds", {"type": float, "default": SECONDS, "help": "length of a stretch (default 8, quick 3)"}),
        ("--profile", {"choices": ["plain", "full"], "help": "only this one"}),
        ("--nodes", {"type": int, "choices": [1, 2], "default": 1, "help": "how many serve (default 1)"}),
    )
    return uvloop.run(bench(options(__doc__, pairs=5, add=own)))


if __name__ == "__main__":
    raise SystemExit(main())
