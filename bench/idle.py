"""`make bench-idle`: what a socket that only waits costs the server, in memory and in processor time.

    python -m bench.idle [--sockets N] [--pairs N] [--quick] [--json FILE]

A run starts a server and opens 500 sockets to warm it up; then 15,000 more, each of an account of its own that signs in with its
token, gets its first state, becomes live and watches the presence of 20 exhibitors, taken at random from 2,000. All answer their
beats. `idle.memory` is what the server's resident memory grew by, per socket. The reference is `bench.bare_idle`, a bare aiohttp
server, with as many sockets that have said hello and know nobody.

`idle.cpu` is what the server uses of its core while nothing happens but beats, at the interval of 25 s that is the default, over a
whole interval. PostgreSQL has the generator's core. A full run takes some ten minutes, most of them connecting.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import Final
from uuid import UUID, uuid4

import msgspec
import uvloop

from bench.common import SERVE, Cores, Meter, Served, database, fairwire, more_files, postmaster, resident_kib, serving
from bench.crowd import Crowd, Member, hello
from bench.people import people
from bench.report import Options, Report, options, progress
from bench.wire import masked

SOCKETS: Final = 15_000
WARM: Final = 500
EXHIBITORS: Final = 2_000
WATCHED: Final = 20
BOUND_KIB: Final = 20.0
BOUND_CPU: Final = 5.0
BEAT_S: Final = 25.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A run."""

    kib: float
    per_s: float
    cpu_percent: float
    generator: float


def watching(kind: str, ids: list[UUID]) -> bytes:
    """A call that watches these subjects."""
    subjects = [{"kind": kind, "id": str(one)} for one in ids]
    call = {"t": "call", "cid": str(uuid4()), "op": "presence.watch", "args": {"subjects": subjects}}
    return masked(msgspec.msgpack.encode(call))


def per_socket(served: Served, members: list[Member], idle_s: float, meter: Meter) -> Sample:
    """What each socket after the warm ones costs."""
    crowd = Crowd(served.host, served.port, attentive=True)
    crowd.join(members[:WARM])
    crowd.settle(2)
    before = resident_kib(served.pid)
    took = crowd.join(members[WARM:])
    crowd.settle(2)
    meter.read()
    crowd.settle(idle_s)
    used = meter.read()
    count = len(members) - WARM
    sample = Sample(
        (resident_kib(served.pid) - before) / count, count / took, 100 * used.server / used.wall, used.generator
    )
    if crowd.lost:
        raise RuntimeError(f"{crowd.lost} sockets were closed meanwhile")
    crowd.cut(members)
    return sample


async def bench(chosen: Options) -> int:
    """The whole run."""
    cores, chance = Cores.of_machine(), random.Random(2026)
    more_files()
    report = Report(chosen)
    os.sched_setaffinity(0, {cores.load})
    sockets = chosen.chosen.sockets or chosen.few(SOCKETS, 2_000)
    mine: list[Sample] = []
    bare: list[Sample] = []
    async with AsyncExitStack() as stack:
        engine, folder = await stack.enter_async_context(database(cores.load))
        cast = await people(engine.dsn(), "idle", buyers=WARM + sockets, exhibitors=EXHIBITORS)
        homes = [one.exhibitor for one in cast["main"] if one.exhibitor is not None]
        watches = [watching("exhibitor", chance.sample(homes, WATCHED)) for _ in cast["buyer"]]
        hellos = [hello(one.token, "bench") for one in cast["buyer"]]
        environment = fairwire(engine, folder, beat_interval_s=BEAT_S, drain_s=0)
        for number in range(chosen.pairs):
            progress(f"pair {number + 1} of {chosen.pairs}: ours")
            async with serving(cores, SERVE, "running at", folder, **environment) as served:
                members = [Member(first, [watch]) for first, watch in zip(hellos, watches, strict=True)]
                mine.append(per_socket(served, members, BEAT_S, Meter(served.pid, postmaster(folder))))
            progress(f"pair {number + 1} of {chosen.pairs}: bare aiohttp")
            async with serving(cores, ["-m", "bench.bare_idle"], "bare at", folder) as served:
                bare.append(per_socket(served, [Member(first) for first in hellos], 1, Meter(served.pid)))
            time.sleep(1)  # noqa: ASYNC251  # ports and PostgreSQL come to rest
    tell(report, mine, bare, sockets)
    return report.headline()


def tell(report: Report, mine: list[Sample], bare: list[Sample], sockets: int) -> None:
    """The lines."""
    report.say(
        "idle.joined",
        median(one.per_s for one in mine),
        "sockets/s",
        beside="20_watched_each_and_PostgreSQL_on_the_other_core",
    )
    report.generator("idle.generator", max(one.generator for one in mine))
    report.say("idle.cpu.each", median(one.cpu_percent for one in mine) / 100 / (sockets + WARM) * 1e6, "us/s")
    report.bound("idle.cpu", [one.cpu_percent for one in mine], "%", BOUND_CPU, sockets=sockets)
    kib = [one.kib for one in mine]
    report.pairs("idle.memory.beside_bare", "KiB", kib, [one.kib for one in bare], "bare_aiohttp", sockets=sockets)
    report.bound("idle.memory", kib, "KiB", BOUND_KIB, sockets=sockets)


def main() -> int:
    """The bench, from its command line."""
    own = (("--sockets", {"type": int, "help": "sockets beyond the warm ones (default 15000, quick 2000)"}),)
    return uvloop.run(bench(options(__doc__, pairs=5, add=own)))


if __name__ == "__main__":
    raise SystemExit(main())
