"""`make bench-idle`: what a socket that only waits costs the server in memory.

    python -m bench.idle [--sockets N] [--pairs N]

Each run starts a server, opens 500 sockets to warm it up, and then 5,000 more, each of an account of its own that signs in with
its token, gets its first state and becomes live; all answer two beats. The figure is what the server's resident memory grew by
from the first beat-answered 500 to the last, per socket. The reference is `bench.bare_idle`, measured alike.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Final

import uvloop

from bench.common import Cores, Served, database, fairwire, headline, more_files, ratio_line, say, serving
from bench.people import people
from bench.wire import Wire, connect_all

SOCKETS: Final = 5000
WARM: Final = 500
PAIRS: Final = 5
BOUND_KIB: Final = 25.0
BEAT_S: Final = 3.0
SERVE: Final = ("-m", "fairwire_server", "serve")


def resident_kib(pid: int) -> int:
    """The process's resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


async def per_socket(served: Served, tokens: Sequence[str]) -> tuple[float, float]:
    """KiB that each socket after the warm ones costs, and how many became live per second."""
    wires = await connect_all(served, tokens[:WARM], Wire)
    await asyncio.sleep(2 * BEAT_S + 1)
    before = resident_kib(served.pid)
    began = time.perf_counter()
    wires += await connect_all(served, tokens[WARM:], Wire)
    rate = (len(tokens) - WARM) / (time.perf_counter() - began)
    await asyncio.sleep(2 * BEAT_S + 1)
    grown = resident_kib(served.pid) - before
    assert not any(wire.transport.is_closing() for wire in wires), "a socket was closed meanwhile"
    for wire in wires:
        wire.transport.abort()
    return grown / (len(tokens) - WARM), rate


async def bench(sockets: int, pairs: int) -> None:
    """The whole run."""
    cores = Cores.of_machine()
    more_files()
    headline()
    os.sched_setaffinity(0, {cores.load})
    mine: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    async with AsyncExitStack() as stack:
        engine, folder = await stack.enter_async_context(database(cores))
        cast = await people(engine.dsn(), "idle", buyers=WARM + sockets)
        tokens = [one.token for one in cast["buyer"]]
        environment = fairwire(engine, folder, beat_interval_s=BEAT_S, beat_answer_s=BEAT_S * 0.9, drain_s=0)
        for _ in range(pairs):
            async with serving(cores, SERVE, "running at", folder, **environment) as served:
                mine.append(await per_socket(served, tokens))
            async with serving(cores, ["-m", "bench.bare_idle"], "bare at", folder) as served:
                bare.append(await per_socket(served, tokens))
    say(
        "idle.connect",
        median(rate for _, rate in mine),
        "sockets/s",
        against="bare_aiohttp",
        reference=median(r for _, r in bare),
    )
    ratio_line(
        "idle.memory", "KiB/socket", [kib for kib, _ in mine], [kib for kib, _ in bare], "bare_aiohttp", sockets=sockets
    )
    worst = max(kib for kib, _ in mine)
    say("idle", worst, "KiB/socket", ratio=worst / BOUND_KIB, against=f"bound_{BOUND_KIB:g}_KiB", worst_of=pairs)


def main() -> None:
    """The bench, from its command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=SOCKETS)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    chosen = parser.parse_args()
    uvloop.run(bench(chosen.sockets, chosen.pairs))


if __name__ == "__main__":
    main()
