"""`make bench-presence`: 1,000 changes of presence a second among 15,000 accounts, each with 50 others on screen.

    python -m bench.presence [--accounts N] [--changes N] [--pairs N] [--quick] [--json FILE]

Half of the accounts are buyers, who watch 50 exhibitors each, half are the exhibitors' main accounts, who watch the 50 buyers they
chat with. Each change is a call, `presence.set`, of an account taken at random, and is seen by about 50 others. The figure is the
server's processor time, calls included, in percent of its core. The reference is `bench.bare_write`: a bare loop that writes as
many frames of the mean size, in one burst a second as the server does; its share of a core is what the writing alone costs.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.resources import files
from statistics import median
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import msgspec
import uvloop

from bench.common import SERVE, Cores, Meter, Served, database, fairwire, more_files, serving, spent
from bench.crowd import Crowd, Member, hello
from bench.drained import Drained
from bench.idle import watching
from bench.people import Person, people
from bench.report import Options, Report, options, progress
from bench.wire import masked
from fairwire_server.database.queries import parse_queries

ACCOUNTS: Final = 15_000
CHANGES: Final = 1_000
ON_SCREEN: Final = 50
WINDOW_S: Final = 8.0
TICK_S: Final = 0.01
BARE_ROUNDS: Final = 5
BOUND: Final = 40.0
STATES: Final = ("busy", "away", "online")


@dataclass(slots=True)
class Seen:
    """What the members were told."""

    frames: int = 0
    states: int = 0
    size: int = 0

    def take(self, data: bytes) -> None:
        """A live member received this: an answer to its own change, or news of others, or both."""
        frames = data.count(b"\xa1t\xa8presence")
        if frames:
            self.frames += frames
            self.states += data.count(b"\xa5state")
            self.size += len(data)


@dataclass(frozen=True, slots=True)
class Sample:
    """A stretch."""

    percent: float
    bare_percent: float
    changes: float
    frames: float
    states: float
    generator: float


def changing(crowd: Crowd, members: Sequence[Member], per_s: int, seconds: float) -> int:
    """Let members change at that rate; how many did."""
    began, done = time.perf_counter(), 0
    shown: dict[int, int] = {}
    while (now := time.perf_counter() - began) < seconds:
        while done < now * per_s:
            number = random.randrange(len(members))
            shown[number] = (shown.get(number, -1) + 1) % len(STATES)
            args = {"state": STATES[shown[number]]}
            call = {"t": "call", "cid": str(uuid4()), "op": "presence.set", "args": args}
            members[number].say(masked(msgspec.msgpack.encode(call)))
            done += 1
        crowd.step(TICK_S)
    return done


def stretch(
    served: Served, crowd: Crowd, members: Sequence[Member], bare: Drained, per_s: int, seconds: float
) -> Sample:
    """Ours for some seconds, then the bare loop with as many frames."""
    changing(crowd, members, per_s, 2)
    seen, meter = Seen(), Meter(served.pid)
    crowd.on_data = seen.take
    done = changing(crowd, members, per_s, seconds)
    used = meter.read()
    crowd.settle(1.5)  # what changed last is told with the next second
    crowd.on_data = None
    frames, size = seen.frames / used.wall, max(8, seen.size // max(1, seen.frames))
    count, before = min(len(members), round(frames)), spent(bare.pid)
    for _ in range(BARE_ROUNDS):
        bare.round(f"0 {count} {size} 1", count, size)
    bare_percent = 100 * (spent(bare.pid) - before) / BARE_ROUNDS * frames / count
    return Sample(
        100 * used.server / used.wall, bare_percent, done / used.wall, frames, seen.states / used.wall, used.generator
    )


async def crowded(served: Served, dsn: str, accounts: int) -> tuple[Crowd, list[Member]]:
    """Buyers and main accounts, each with 50 of the others on screen."""
    half = accounts // 2
    cast = await people(dsn, "presence", buyers=half, exhibitors=half)
    homes = [one.exhibitor for one in cast["main"] if one.exhibitor is not None]
    await chats(dsn, cast["buyer"], homes)
    watched: list[list[UUID]] = [[] for _ in homes]
    for number, one in enumerate(cast["buyer"], 1):  # as bench/contacts.sql spreads them
        for k in range(1, ON_SCREEN + 1):
            watched[(number * 7 + k) % half].append(one.id)
    members = [
        Member(hello(one.token, "b"), [watching("exhibitor", random.sample(homes, ON_SCREEN))]) for one in cast["buyer"]
    ]
    members += [
        Member(hello(one.token, "m"), [watching("account", of[:50])])
        for one, of in zip(cast["main"], watched, strict=True)
    ]
    crowd = Crowd(served.host, served.port)
    progress(f"{accounts} sockets join, {ON_SCREEN} on screen each")
    crowd.join(members)
    return crowd, members


async def chats(dsn: str, buyers: Sequence[Person], homes: Sequence[UUID]) -> None:
    """Conversations alone: they are what lets a main account watch a buyer (W10)."""
    sql = parse_queries(files("bench").joinpath("contacts.sql").read_text("utf-8"), "contacts.sql")
    progress(f"{len(buyers) * ON_SCREEN} conversations")
    connection = await asyncpg.connect(dsn)
    await connection.execute("SET session_replication_role = replica")
    fair = await connection.fetchval("SELECT fair_id FROM account WHERE id = $1", buyers[0].id)
    await connection.execute(sql["chats"], fair, [one.id for one in buyers], list(homes), ON_SCREEN)
    await connection.execute(sql["statistics"])
    await connection.close()


async def bench(chosen: Options) -> int:
    """The whole run."""
    cores = Cores.of_machine()
    random.seed(2026)
    more_files()
    report = Report(chosen)
    os.sched_setaffinity(0, {cores.load})
    accounts = chosen.chosen.accounts or chosen.few(ACCOUNTS, 3_000)
    changes = chosen.chosen.changes or CHANGES * accounts // ACCOUNTS
    async with AsyncExitStack() as stack:
        engine, folder = await stack.enter_async_context(database(cores.load))
        environment = fairwire(engine, folder, beat_interval_s=3600, beat_answer_s=3500, command_timeout_s=30)
        served = await stack.enter_async_context(serving(cores, SERVE, "running at", folder, **environment))
        crowd, members = await crowded(served, engine.dsn(), accounts)
        command = ["-m", "bench.bare_write", str(accounts)]
        bare = Drained(await stack.enter_async_context(serving(cores, command, "bare at", folder)), accounts)
        samples = []
        for number in range(chosen.pairs):
            progress(f"stretch {number + 1} of {chosen.pairs}")
            samples.append(stretch(served, crowd, members, bare, changes, chosen.few(int(WINDOW_S), 4)))
        bare.end()
        if crowd.lost:
            raise RuntimeError(f"{crowd.lost} sockets were closed meanwhile")
    report.generator("presence.generator", max(one.generator for one in samples))
    report.say("presence.changes", median(one.changes for one in samples), "changes/s", accounts=accounts)
    report.say("presence.seen", median(one.states for one in samples), "states/s")
    report.say("presence.frames", median(one.frames for one in samples), "frames/s")
    percent = [one.percent for one in samples]
    report.say("presence.each", median(one.percent / 100 / one.changes for one in samples) * 1e6, "us/change")
    report.pairs("presence.beside_bare", "%", percent, [one.bare_percent for one in samples], "bare_write_same_frames")
    report.bound("presence", percent, "%", BOUND, accounts=accounts, on_screen=ON_SCREEN)
    return report.headline()


def main() -> int:
    """The bench, from its command line."""
    own = (
        ("--accounts", {"type": int, "help": "accounts online (default 15000, quick 3000)"}),
        ("--changes", {"type": int, "help": "changes a second (default a fifteenth of the accounts)"}),
    )
    return uvloop.run(bench(options(__doc__, pairs=5, add=own)))


if __name__ == "__main__":
    raise SystemExit(main())
