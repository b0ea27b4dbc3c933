"""`make bench-connect`: how many sockets become live per second: access token, first state, live.

    python -m bench.connect [--pairs N] [--quick] [--json FILE]

1,000 buyers with 50 contacts and 5 open chats of 20 messages each, and 200 buyers with 300 contacts, connect 64 at a time: upgrade,
hello with a token, the whole snapshot, `live`. Then all are cut. `per_core` is what the server does in a second of its own
processor time, which is what a core gives when nothing else is short; `wall` is what was seen here, with PostgreSQL on the
generator's core. PostgreSQL's processor time for each is a figure of its own.

The first figures are of a server that keeps no first state, so that each is read, decided and encoded: what an account costs that
comes for the first time since the node started, or since something changed for it. Those under `again` are of one with room for
all of them, where each account has been before and nothing has changed since: a restarted client, a second device, a storm of
reconnects without positions. The bound is held against both.

The reference is `bench.bare_idle`, aiohttp that upgrades, takes the hello and answers one frame: no token, no state.
"""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import Final

import uvloop

from bench.common import SERVE, Cores, Meter, Served, database, fairwire, more_files, postmaster, serving
from bench.contacts import contacts
from bench.crowd import Crowd, Member, hello
from bench.people import people
from bench.report import Options, Report, options, progress

FEW: Final = (1_000, 50, 5)
MANY: Final = (200, 300, 5)
MESSAGES: Final = 20
AT_ONCE: Final = 64
LEAST: Final = {50: 1500.0, 300: 600.0}
ROOM: Final = 512 * 1024 * 1024
"""For the first states of all of them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Some hundred connections."""

    per_core: float
    wall: float
    server_ms: float
    database_ms: float
    generator: float


def connecting(served: Served, members: list[Member], passes: int, first: int | None = None) -> Sample:
    """Let all of them connect so many times."""
    crowd, meter = Crowd(served.host, served.port), Meter(served.pid, first)
    wall = server = database_ = own = 0.0
    for _ in range(passes):
        meter.read()
        crowd.join(members, AT_ONCE)
        used = meter.read()
        wall, server, database_, own = wall + used.wall, server + used.server, database_ + used.database, own + used.own
        crowd.cut(members)
        crowd.settle(0.7)
    count = passes * len(members)
    return Sample(count / server, count / wall, 1000 * server / count, 1000 * database_ / count, own / wall)


async def bench(chosen: Options) -> int:
    """The whole run."""
    cores = Cores.of_machine()
    more_files()
    report = Report(chosen)
    os.sched_setaffinity(0, {cores.load})
    samples: dict[str, list[Sample]] = defaultdict(list)
    bare: list[Sample] = []
    passes = chosen.few(3, 1)
    async with AsyncExitStack() as stack:
        engine, folder = await stack.enter_async_context(database(cores.load))
        progress("the contacts")
        crowds: dict[int, list[Member]] = {}
        for buyers, each, open_chats in (FEW, MANY):
            cast = await people(engine.dsn(), f"connect{each}", buyers=buyers, exhibitors=400)
            await contacts(
                engine.dsn(), cast["buyer"], cast["main"], each=each, open_chats=open_chats, messages=MESSAGES
            )
            crowds[each] = [Member(hello(one.token, "bench")) for one in cast["buyer"]]
        reference = await stack.enter_async_context(serving(cores, ["-m", "bench.bare_idle"], "bare at", folder))
        first = postmaster(folder)
        for number in range(chosen.pairs):
            progress(f"pair {number + 1} of {chosen.pairs}")
            for again, room in (("", 0), (".again", ROOM)):
                # Without the index: the messages were written past the server, which would index them now.
                environment = fairwire(
                    engine,
                    folder,
                    beat_interval_s=3600,
                    beat_answer_s=3500,
                    presence_grace_s=1,
                    search_index=False,
                    first_states_bytes=room,
                )
                async with serving(cores, SERVE, "running at", folder, **environment) as served:
                    for members in crowds.values():
                        connecting(served, members, 1)
                    for each, members in crowds.items():
                        samples[f"{each}{again}"].append(connecting(served, members, passes, first))
            bare.append(connecting(reference, [Member(hello("", "bench")) for _ in crowds[50]], passes))
    for each in (300, 50):
        for again in (".again", ""):
            tell(report, each, f"connect.{each}{again}", samples[f"{each}{again}"], bare)
    return report.headline()


def tell(report: Report, each: int, name: str, mine: list[Sample], bare: list[Sample]) -> None:
    """The lines of one size."""
    report.generator(f"{name}.generator", max(one.generator for one in mine))
    report.say(f"{name}.cpu.server", median(one.server_ms for one in mine), "ms_each")
    report.say(f"{name}.cpu.database", median(one.database_ms for one in mine), "ms_each")
    report.pairs(f"{name}.wall", "sockets/s", [one.wall for one in mine], [one.wall for one in bare], "bare_aiohttp")
    rates = [one.per_core for one in mine]
    report.pairs(f"{name}.beside_bare", "sockets/s_per_core", rates, [one.per_core for one in bare], "bare_aiohttp")
    report.floor(f"{name}.per_core", rates, "sockets/s", LEAST[each])


def main() -> int:
    """The bench, from its command line."""
    return uvloop.run(bench(options(__doc__, pairs=5)))


if __name__ == "__main__":
    raise SystemExit(main())
