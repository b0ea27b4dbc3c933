"""`make bench-announce`: an announcement to 15,000 sockets while people chat.

    python -m bench.announce [--sockets N] [--pairs N] [--quick] [--json FILE]

The organiser of a fair with 15,000 sockets announces (an event of 256 bytes, as in bench.fanout); the figure is the time from the
call until the last socket has it, COMMIT included. 50 pairs in another fair talk all the while, each twice a second; `chat.p99` is
from send to the event at the other person, of what arrives between an announcement and 0.3 s after its last delivery. Server and
PostgreSQL share a core. The reference is `bench.bare_write`, a loop of `os.write` over as many sockets.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import Final

import uvloop

from bench.common import SERVE, Cores, Meter, database, fairwire, more_files, postmaster, serving
from bench.crowd_loop import listening
from bench.drained import Drained
from bench.fanout import Ours, fair
from bench.pairs import Load, p99_ms, talk_of, talking
from bench.report import Options, Report, options, progress

SOCKETS: Final = 15_000
TALKING: Final = 50
PER_S: Final = 100.0
ROUNDS: Final = 6
AFTER_S: Final = 0.3
BOUND_MS: Final = 400.0
BOUND_CHAT_MS: Final = 250.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Some announcements: the median time to the last socket, and what the chats noticed."""

    last_ms: float
    chat_ms: float
    calm_ms: float
    generator: float


async def announcing(full: Ours, load: Load, rounds: int, pids: tuple[int, int]) -> Sample:
    """Announce now and then while people talk."""
    crowd, meanwhile, calm, lasts = full.crowd, list[float](), list[float](), list[float]()
    with listening(crowd):
        load.begin(PER_S)
        meter = Meter(*pids)
        for _ in range(rounds):
            load.latencies.clear()
            await asyncio.sleep(1)
            calm += load.latencies
            load.latencies.clear()
            wanted, began = crowd.bytes + full.sockets * full.size, time.perf_counter()
            full.organiser.announce(full.text)
            async with asyncio.timeout(20):
                while crowd.bytes < wanted:  # noqa: ASYNC110  # the crowd knows no loop
                    await asyncio.sleep(0.001)
            lasts.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(AFTER_S)
            meanwhile += load.latencies
            full.organiser.listen()
        used = meter.read()
        await load.end()
    return Sample(median(lasts), p99_ms(meanwhile), p99_ms(calm), used.generator)


async def bench(chosen: Options) -> int:
    """The whole run."""
    cores = Cores.of_machine()
    random.seed(2026)
    more_files()
    report = Report(chosen)
    os.sched_setaffinity(0, {cores.load})
    sockets = chosen.chosen.sockets or chosen.few(SOCKETS, 3_000)
    samples, bare = list[Sample](), list[float]()
    async with AsyncExitStack() as stack:
        engine, folder = await stack.enter_async_context(database(cores.server))
        environment = fairwire(engine, folder, beat_interval_s=3600, beat_answer_s=3500)
        served = await stack.enter_async_context(serving(cores, SERVE, "running at", folder, **environment))
        load = await talking(served, engine.dsn(), "talk", TALKING, talk_of("plain"))
        full = await fair(served, engine.dsn(), "full", sockets)
        full.crowd.unit = full.size
        command = ["-m", "bench.bare_write", str(sockets)]
        write = Drained(await stack.enter_async_context(serving(cores, command, "bare at", folder)), sockets)
        for number in range(chosen.pairs):
            progress(f"pair {number + 1} of {chosen.pairs}")
            samples.append(await announcing(full, load, chosen.few(ROUNDS, 3), (served.pid, postmaster(folder))))
            rounds = [write.round(f"0 {sockets} {full.size} 1", sockets, full.size)[0] for _ in range(ROUNDS)]
            bare.append(1000 * median(rounds))
        report.say("announce.witnessed", full.check(), "frames", in_order="yes")
        write.end()
    report.generator("announce.generator", max(one.generator for one in samples))
    report.say("announce.calm.p99", median(one.calm_ms for one in samples), "ms", at=PER_S)
    report.bound("announce.chat.p99", [one.chat_ms for one in samples], "ms", BOUND_CHAT_MS, at=PER_S)
    lasts = [one.last_ms for one in samples]
    report.pairs("announce.beside_bare", "ms", lasts, bare, "bare_write", sockets=sockets)
    report.bound("announce", lasts, "ms", BOUND_MS, sockets=sockets)
    return report.headline()


def main() -> int:
    """The bench, from its command line."""
    own = (("--sockets", {"type": int, "help": "sockets that hear it (default 15000, quick 3000)"}),)
    return uvloop.run(bench(options(__doc__, pairs=5, add=own)))


if __name__ == "__main__":
    raise SystemExit(main())
