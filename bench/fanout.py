"""`make bench-fanout`: one committed announcement to 1,000 sockets through the real hub, one in flight.

    python -m bench.fanout [--sockets N] [--pairs N]

The organiser calls `fair.announce` on a socket; the figure is the time until 1,000 authenticated sockets have the announcement's
frame, less the time of the same call in a fair with one socket, which is what the call and its COMMIT cost: so it is the
fan-out of a committed announcement and not the disk. The reference is `bench.bare_fanout`, to which the same generator sends a
byte, all and one likewise; rounds of both alternate. `end_to_end` leaves the commit in.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import Final
from uuid import uuid4

import uvloop

from bench.common import (
    BUSY,
    PAIRS,
    Cores,
    Served,
    database,
    fairwire,
    headline,
    more_files,
    ratio_line,
    say,
    serving,
    spent,
)
from bench.people import people
from bench.wire import Frame, Wire, connect_all

TARGET: Final = 0.7
BODY: Final = 256
ROUNDS: Final = 60
SETTLE_S: Final = 1.5
FAIR_EVENT: Final = b"\xa4fair\xa3pos"


class Counter(asyncio.Protocol):
    """What all receiving sockets share: frames counted by their size, nothing decoded. A beat in between is not counted."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.count = 0
        self.wanted = 0
        self.done: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        self.count += 1 if len(data) == self.size else data.count(FAIR_EVENT)
        if self.count >= self.wanted and self.done is not None and not self.done.done():
            self.done.set_result(None)

    async def expect(self, count: int, start: Callable[[], None]) -> float:
        """Seconds from `start` until that many frames more have come."""
        self.wanted = self.count + count
        self.done = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        start()
        async with asyncio.timeout(20):
            await self.done
        took = time.perf_counter() - began
        assert self.count == self.wanted, f"{self.count - self.wanted} frames too many"
        return took


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two servers: how to reach all of its sockets and how to reach one."""

    pid: int
    counter: Counter
    sockets: int
    to_all: Callable[[], None]
    to_one: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """What one side of a pair has shown."""

    fan_out_s: float
    end_to_end_s: float
    commit_s: float
    cpu_s: float
    generator: float


@dataclass(slots=True)
class Rounds:
    """The rounds of one side in one pair: how long each took, and the CPU that its server and the generator used."""

    side: Side
    lone: list[float] = field(default_factory=list)
    full: list[float] = field(default_factory=list)
    lone_cpu: float = 0.0
    full_cpu: float = 0.0
    generator: float = 0.0

    async def one(self) -> None:
        """A round to a single socket."""
        cpu = spent(self.side.pid)
        self.lone.append(await self.side.counter.expect(1, self.side.to_one))
        self.lone_cpu += spent(self.side.pid) - cpu

    async def all(self) -> None:
        """A round to all of them."""
        cpu, own = spent(self.side.pid), time.process_time()
        self.full.append(await self.side.counter.expect(self.side.sockets, self.side.to_all))
        self.full_cpu += spent(self.side.pid) - cpu
        self.generator += time.process_time() - own

    def sample(self) -> Sample:
        """What they show."""
        return Sample(
            fan_out_s=median(self.full) - median(self.lone),
            end_to_end_s=median(self.full),
            commit_s=median(self.lone),
            cpu_s=(self.full_cpu - self.lone_cpu) / len(self.full),
            generator=self.generator / sum(self.full),
        )


async def pair(ours: Side, reference: Side, rounds: int) -> tuple[Sample, Sample]:
    """Rounds of both in turn, so that each meets the machine as the other left it."""
    both = Rounds(ours), Rounds(reference)
    for _ in range(rounds):
        for side in both:
            await side.one()
        for side in both:
            await side.all()
    return both[0].sample(), both[1].sample()


async def ours(served: Served, dsn: str, sockets: int) -> Side:
    """Two fairs on the real server: one with all the sockets, one with a single one."""
    organisers: list[Wire] = []
    crowds: list[list[Wire]] = []
    for code, count in (("full", sockets), ("lone", 1)):
        cast = await people(dsn, code, buyers=count)
        crowds.append(await connect_all(served, [one.token for one in cast["buyer"]], Wire))
        organisers += await connect_all(served, [cast["organiser"][0].token], Wire)
    _, empty = await _measured(organisers[0], "")
    text = "x" * (BODY - empty - 1)
    size, body = await _measured(organisers[0], text)
    assert body == BODY, body
    await asyncio.sleep(SETTLE_S)
    counter = Counter(size)
    for crowd in crowds:
        for wire in crowd:
            wire.transport.set_protocol(counter)

    def announcing(organiser: Wire) -> Callable[[], None]:
        return lambda: organiser.call(str(uuid4()), "fair.announce", {"title": "Fair", "text": text})

    return Side(served.pid, counter, sockets, announcing(organisers[0]), announcing(organisers[1]))


async def _measured(organiser: Wire, text: str) -> tuple[int, int]:
    """The size of an announcement's WebSocket frame, and of the event in it."""
    seen: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
    organiser.on_frame = lambda frame: None if frame.t != "event" else seen.set_result(frame)
    organiser.call(str(uuid4()), "fair.announce", {"title": "Fair", "text": text})
    frame = await seen
    organiser.on_frame = lambda _: None
    body = len(bytes(frame.body))
    # {t: event, stream: fair, pos: 3 bytes, body}, behind a WebSocket head of four bytes
    return 4 + 1 + 2 + 6 + 7 + 5 + 4 + 3 + 5 + body, body


async def bare(served: Served, sockets: int, size: int) -> Side:
    """The reference with as many sockets; the first takes what goes to one."""
    counter = Counter(size)
    loop = asyncio.get_running_loop()
    for _ in range(sockets):
        await loop.create_connection(lambda: counter, served.host, served.port)
    control, _ = await loop.create_connection(asyncio.Protocol, served.host, served.port)
    return Side(served.pid, counter, sockets, lambda: control.write(b"a"), lambda: control.write(b"1"))


async def bench(sockets: int, pairs: int) -> None:
    """The whole run."""
    cores = Cores.of_machine()
    more_files()
    headline()
    os.sched_setaffinity(0, {cores.load})
    async with AsyncExitStack() as stack:
        engine, folder = await stack.enter_async_context(database(cores))
        environment = fairwire(engine, folder, beat_interval_s=3600, beat_answer_s=3500)
        command = ["-m", "fairwire_server", "serve"]
        served = await stack.enter_async_context(serving(cores, command, "running at", folder, **environment))
        own = await ours(served, engine.dsn(), sockets)
        reference = await stack.enter_async_context(
            serving(cores, ["-m", "bench.bare_fanout", str(own.counter.size)], "bare at", folder)
        )
        other = await bare(reference, sockets, own.counter.size)
        await pair(own, other, 20)
        samples = [await pair(own, other, ROUNDS) for _ in range(pairs)]
    report(samples, sockets)


def report(samples: list[tuple[Sample, Sample]], sockets: int) -> None:
    """The lines."""
    mine, bare_ = [one for one, _ in samples], [other for _, other in samples]
    against = "bare_uvloop"
    say("fanout.commit", median(one.commit_s for one in mine) * 1000, "ms", includes="call,COMMIT,one_socket")
    for name, side in (("ours", mine), ("reference", bare_)):
        share = max(one.generator for one in side)
        say(f"fanout.generator.{name}", share, "of_its_core", counts="no" if share > BUSY else "yes")
    cpu = ratio_line(
        "fanout.cpu", "us_per_delivery", [one.cpu_s / sockets * 1e6 for one in mine],
        [one.cpu_s / sockets * 1e6 for one in bare_], against,
    )  # fmt: skip
    say("fanout.cpu.efficiency", 1 / cpu, "of_reference")
    ratio_line(
        "fanout.end_to_end", "deliveries/s", [sockets / one.end_to_end_s for one in mine],
        [sockets / one.end_to_end_s for one in bare_], against,
    )  # fmt: skip
    ratio_line(
        "fanout", "deliveries/s", [sockets / one.fan_out_s for one in mine], [sockets / one.fan_out_s for one in bare_],
        against, TARGET,
    )  # fmt: skip


def main() -> None:
    """The bench, from its command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    chosen = parser.parse_args()
    uvloop.run(bench(chosen.sockets, chosen.pairs))


if __name__ == "__main__":
    main()
