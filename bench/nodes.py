"""`make bench-nodes`: what the bus costs. The same people talk over one node, and over two with a Valkey between them.

    python -m bench.nodes [--pairs N] [--rate R] [--quick] [--json FILE]

100 pairs, a buyer and an exhibitor's account each, talk at a steady rate, the same over both: half of what one node takes, as found in
the same run, for a node that is busier than that wants a second one, and one that is idle has nobody to share the work of a batch
with. Of two nodes the buyers are on one and the exhibitors on the other, so that every message crosses. Stretches of one and of two
alternate, each with a PostgreSQL of its own. `nodes` is the processor time of the nodes for 1,000 messages delivered, two over one;
Valkey's own and PostgreSQL's are figures of their own. At the end the messages stored are counted: as many as were acknowledged.
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

from bench.commit import SERVE, counted
from bench.common import (
    Cores,
    Served,
    database,
    fairwire,
    more_files,
    on_core,
    postmaster,
    process_tree,
    serving,
    spent,
)
from bench.pairs import Load, talk_of, talking
from bench.report import Options, Report, options, progress
from fairwire_server.bus.embedded import embedded_valkey

TALKING: Final = 100
SECONDS: Final = 8.0
BOUND: Final = 1.25


@dataclass(frozen=True, slots=True)
class Side:
    """One node, or two, with people who talk over it."""

    load: Load
    dsn: str
    nodes: tuple[int, ...]
    database: int
    bus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds of processor time for 1,000 messages."""

    nodes: float
    database: float
    bus: float
    per_s: float


async def side(stack: AsyncExitStack, cores: Cores, url: str | None, bus: tuple[int, ...]) -> Side:
    """Everything that runs, and the people on it."""
    engine, folder = await stack.enter_async_context(database(cores.server))
    settings: dict[str, object] = {"search_index": False, "beat_interval_s": 3600}
    if url is not None:
        settings["redis_url"] = url
    environment = fairwire(engine, folder, **settings)
    served: list[Served] = []
    for core in (cores.server, cores.load)[: 1 if url is None else 2]:
        pinned = Cores(server=core, load=cores.load)
        served.append(await stack.enter_async_context(serving(pinned, SERVE, "running at", folder, **environment)))
    load = await talking(served[0], engine.dsn(), "talk", TALKING, talk_of("full"), others=served[-1])
    return Side(load, engine.dsn(), tuple(one.pid for one in served), postmaster(folder), bus)


async def stretch(one: Side, seconds: float, rate: float) -> Sample:
    """Let the pairs talk, and measure."""
    one.load.begin(rate)
    await asyncio.sleep(1.0)
    accepted = one.load.accepted
    before = [spent(*one.nodes), spent(*process_tree(one.database)), spent(*one.bus)]
    await asyncio.sleep(seconds)
    used = [spent(*one.nodes), spent(*process_tree(one.database)), spent(*one.bus)]
    messages = one.load.accepted - accepted
    await one.load.end()
    nodes, stored, bus = ((after - earlier) / messages * 1000 for earlier, after in zip(before, used, strict=True))
    return Sample(nodes, stored, bus, messages / seconds)


async def limit(one: Side, seconds: float) -> float:
    """Messages a second when all pairs talk as fast as they are answered."""
    one.load.begin(None)
    await asyncio.sleep(1.0)
    accepted, began = one.load.accepted, time.perf_counter()
    await asyncio.sleep(seconds)
    rate = (one.load.accepted - accepted) / (time.perf_counter() - began)
    await one.load.end()
    return rate


async def bench(chosen: Options) -> int:
    """The whole run."""
    random.seed(2026)
    more_files()
    report, cores = Report(chosen), Cores.of_machine()
    os.sched_setaffinity(0, {cores.load})
    seconds = 3.0 if chosen.quick else SECONDS
    async with AsyncExitStack() as stack:
        before = set(process_tree(os.getpid()))
        with on_core(cores.server):
            url = await stack.enter_async_context(embedded_valkey())
        bus = tuple(set(process_tree(os.getpid())) - before)
        progress("one node, and two, and people for both")
        single = await side(stack, cores, None, ())
        double = await side(stack, cores, url, bus)
        rate = chosen.chosen.rate
        if rate is None:
            most = await limit(single, seconds)
            report.say("nodes.limit", most, "messages/s", of="one_node")
            rate = most / 2
        samples: list[tuple[Sample, Sample]] = []
        for number in range(chosen.pairs):
            progress(f"pair {number + 1} of {chosen.pairs}")
            samples.append((await stretch(double, seconds, rate), await stretch(single, seconds, rate)))
        await asyncio.sleep(1.0)
        for name, one in (("two", double), ("one", single)):
            rows, _ = await counted(one.dsn, one.load)
            equal = "yes" if rows == one.load.accepted else "NO"
            report.say(f"nodes.{name}.rows", rows, "messages", acknowledged=str(one.load.accepted), equal=equal)
    ours, reference = [two for two, _ in samples], [one for _, one in samples]
    report.say("nodes.rate.two", median(two.per_s for two in ours), "messages/s")
    report.say("nodes.rate.one", median(one.per_s for one in reference), "messages/s")
    report.say("nodes.bus", median(two.bus for two in ours), "s_per_1000")
    report.pairs(
        "nodes.database", "s_per_1000", [two.database for two in ours], [one.database for one in reference], "one_node"
    )
    report.pairs(
        "nodes", "s_per_1000", [two.nodes for two in ours], [one.nodes for one in reference], "one_node", most=BOUND
    )
    return report.headline()


def main() -> int:
    """The bench, from its command line."""
    own = (("--rate", {"type": float, "help": "messages a second of all pairs (default: half of one node's limit)"}),)
    return uvloop.run(bench(options(__doc__, pairs=5, add=own)))


if __name__ == "__main__":
    raise SystemExit(main())
