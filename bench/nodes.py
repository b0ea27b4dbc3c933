"""`make bench-nodes`: what the bus costs. The same people talk over one node, and over two with a Valkey between them.

    python -m bench.nodes [--pairs N] [--quick] [--json FILE]

200 pairs, a buyer and an exhibitor's account each, as in `bench.commit`, full profile, without the index. Of two nodes the buyers are
on one and the exhibitors on the other, so that every message crosses. One and two alternate, each with a PostgreSQL of its own, and
each time with new processes: two of the same code differ by a tenth for as long as they live. They are compared twice: while everybody
is answered at once, which is when one wants a second node (`nodes`), and at one steady rate for both, half of what one takes as found
at first (`nodes.half`), where two have half as many people each to share the work of a batch. All is processor time of the nodes for
1,000 messages delivered, two over one; Valkey's own and PostgreSQL's are figures of their own. At the end of each run the messages
stored are counted: as many as were acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final
from uuid import uuid4

import uvloop

from bench.commit import counted
from bench.common import Cores, database, fairwire, more_files, nodes, on_core, postmaster, process_tree, spent
from bench.pairs import Load, talk_of, talking
from bench.report import Options, Report, options, progress
from fairwire_server.bus.embedded import embedded_valkey
from fairwire_server.database.engine import EmbeddedEngine

TALKING: Final = 200
SECONDS: Final = 6.0
WARM_S: Final = 1.5
BOUND: Final = 1.25


@dataclass(frozen=True, slots=True)
class Place:
    """Where one node runs, or two with a bus between them."""

    engine: EmbeddedEngine
    folder: Path
    count: int
    url: str | None = None
    bus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds of processor time for 1,000 messages, and messages a second."""

    nodes: float
    database: float
    bus: float
    per_s: float


@dataclass(slots=True)
class Samples:
    """Of one place, a run each; and the messages of all runs."""

    busy: list[Sample] = field(default_factory=list)
    half: list[Sample] = field(default_factory=list)
    rows: int = 0
    accepted: int = 0


async def run(cores: Cores, at: Place, seconds: float, rate: float | None, found: Samples) -> None:
    """New nodes, and new people on them who talk as fast as they are answered, and then at that rate."""
    settings: dict[str, object] = {"search_index": False, "beat_interval_s": 3600}
    if at.url is not None:
        settings["redis_url"] = at.url
    async with nodes(cores, at.count, at.folder, fairwire(at.engine, at.folder, **settings)) as served:
        dsn, pids = at.engine.dsn(), [one.pid for one in served]
        load = await talking(served[0], dsn, uuid4().hex, TALKING, talk_of("full"), others=served[-1])
        found.busy.append(await stretch(at, load, pids, seconds, None))
        if rate is not None:
            found.half.append(await stretch(at, load, pids, seconds, rate))
        rows, _ = await counted(dsn, load)
        found.rows += rows
        found.accepted += load.accepted


async def stretch(at: Place, load: Load, pids: Sequence[int], seconds: float, rate: float | None) -> Sample:
    """Let the pairs talk, and measure."""

    def used() -> list[float]:
        return [spent(*pids), spent(*process_tree(postmaster(at.folder))), spent(*at.bus)]

    load.begin(rate)
    await asyncio.sleep(WARM_S)
    accepted, began, before = load.accepted, time.perf_counter(), used()
    await asyncio.sleep(seconds)
    after, messages, took = used(), load.accepted - accepted, time.perf_counter() - began
    await load.end()
    own, database, bus = ((now - then) / messages * 1000 for then, now in zip(before, after, strict=True))
    return Sample(own, database, bus, messages / took)


async def bench(chosen: Options) -> int:
    """The whole run."""
    random.seed(2026)
    more_files()
    report, cores = Report(chosen), Cores.of_machine()
    os.sched_setaffinity(0, {cores.load})
    seconds = 3.0 if chosen.quick else SECONDS
    first, one, two = Samples(), Samples(), Samples()
    async with AsyncExitStack() as stack:
        before = set(process_tree(os.getpid()))
        with on_core(cores.server):
            url = await stack.enter_async_context(embedded_valkey())
        bus = tuple(set(process_tree(os.getpid())) - before)
        single = Place(*await stack.enter_async_context(database(cores.server)), 1)
        double = Place(*await stack.enter_async_context(database(cores.server)), 2, url, bus)
        progress("what one node takes")
        await run(cores, single, seconds, None, first)
        rate = first.busy[0].per_s / 2
        for number in range(chosen.pairs):
            progress(f"pair {number + 1} of {chosen.pairs}")
            await run(cores, double, seconds, rate, two)
            await run(cores, single, seconds, rate, one)
    for name, found in (("two", two), ("one", one)):
        equal = "yes" if found.rows == found.accepted else "NO"
        report.say(f"nodes.{name}.rows", found.rows, "messages", acknowledged=str(found.accepted), equal=equal)
        report.say(f"nodes.{name}.half.rate", median(each.per_s for each in found.half), "messages/s")
        report.say(f"nodes.{name}.rate", median(each.per_s for each in found.busy), "messages/s")
    report.say("nodes.bus", median(each.bus for each in two.busy), "s_per_1000")
    for what, ours, reference in (("nodes.half", two.half, one.half), ("nodes", two.busy, one.busy)):
        of = ([each.database for each in ours], [each.database for each in reference])
        report.pairs(f"{what}.database", "s_per_1000", *of, "one_node")
        most = BOUND if what == "nodes" else None
        report.pairs(
            what, "s_per_1000", [each.nodes for each in ours], [each.nodes for each in reference], "one_node", most=most
        )
    return report.headline()


def main() -> int:
    """The bench, from its command line."""
    return uvloop.run(bench(options(__doc__, pairs=5)))


if __name__ == "__main__":
    raise SystemExit(main())
