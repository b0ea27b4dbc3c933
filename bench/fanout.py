"""`make bench-fanout`: one committed announcement to 1,000 sockets through the real hub, beside bare loops that only write.

    python -m bench.fanout [--sockets N] [--many N] [--pairs N] [--quick] [--json FILE]

The organiser calls `fair.announce`; a round ends when every authenticated socket has its frame (an event of 256 bytes). The same
call in a fair with a single socket is what the call and its COMMIT cost; less that, it is the fan-out of a *committed*
announcement and not the disk. `end_to_end` leaves the commit in. The bare loop of `os.write` is likewise less what its order and
one socket take. Rounds of all sides alternate.

* `fanout.one`: one in flight, beside `bench.bare_write`, a loop of `os.write` over as many sockets.
* `fanout.four`: four calls in flight, which the hub may join, beside `bench.bare_fanout`, uvloop's `transport.write`, with one in
  flight; `fanout.four.beside_four` has four there too.
* `fanout.growth`: what a delivery costs at 10,000 sockets over what it costs at 1,000, in percent, less the same of the bare loop.

Server (and its PostgreSQL) and references share a core, the receivers have the other. Client acknowledgements are left out, as the
references have none. One socket in a hundred keeps what it gets; those are read at the end: every position, once, in order.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import Final
from uuid import uuid4

import msgspec
import uvloop

from bench.common import SERVE, Cores, Served, database, fairwire, more_files, serving, spent
from bench.crowd import WITNESS, Crowd, Member, hello
from bench.drained import Drained
from bench.people import people
from bench.report import Options, Report, options, progress
from bench.wire import Frame, frames_in, masked

BODY: Final = 256
ROUNDS: Final = 40
MANY_ROUNDS: Final = 16
SETTLE_S: Final = 0.5
APART_S: Final = 0.4
"""Longer than TCP's least retransmission timeout. A frame after that long is acknowledged by the receiver's kernel at once, on the core of
who writes; after sixteen in quick succession it is when the receiver reads, on the other core, and a write costs a quarter less.
Without a rest a bench has the thousand in the one state and the ten thousand in the other."""


class Organiser:
    """Who announces, in a fair with so many sockets."""

    def __init__(self, served: Served, token: str) -> None:
        self._crowd = Crowd(served.host, served.port)
        self._member = Member(hello(token, "organiser"))
        self._crowd.join([self._member])
        self.heard = self._crowd.witness(self._member)

    def announce(self, text: str, count: int = 1) -> None:
        """Call, so many times at once."""
        args = {"title": "Fair", "text": text}
        calls = (
            msgspec.msgpack.encode({"t": "call", "cid": str(uuid4()), "op": "fair.announce", "args": args})
            for _ in range(count)
        )
        self._member.say(b"".join(masked(call) for call in calls))

    def listen(self, timeout: float = 0.0) -> None:
        """Take in what has come."""
        self._crowd.step(timeout)


def measured(organiser: Organiser, text: str) -> tuple[int, int]:
    """The size of an announcement's WebSocket frame, and of the event in it."""
    organiser.heard.clear()
    organiser.announce(text)
    found: list[tuple[int, Frame]] = []
    until = time.perf_counter() + 10
    while not found and time.perf_counter() < until:
        organiser.listen(0.1)
        found = [(size, frame) for size, frame in frames_in(organiser.heard) if frame.t == "event"]
    size, frame = found[0]
    return size, len(bytes(frame.body))


@dataclass(slots=True)
class Ours:
    """A fair on the real server: its organiser, and all of its other sockets."""

    pid: int
    organiser: Organiser
    crowd: Crowd
    sockets: int
    size: int = 0
    text: str = ""
    heard: list[bytearray] = field(default_factory=list)

    def round(self, count: int = 1) -> tuple[float, float]:
        """Seconds until everybody has so many announcements more, and CPU seconds of taking them in."""
        self.organiser.heard.clear()
        cpu, began = time.process_time(), time.perf_counter()
        self.organiser.announce(self.text, count)
        self.crowd.drain(self.sockets * count, self.size)
        took = time.perf_counter() - began, time.process_time() - cpu
        self.organiser.listen()
        return took

    def check(self) -> int:
        """How many frames the witnesses have; raises if any position is missing, twice or out of order."""
        seen = 0
        for kept in self.heard:
            positions = [frame.pos for _, frame in frames_in(kept) if frame.t == "event"]
            assert positions == list(range(positions[0], positions[0] + len(positions))), "positions are not in order"
            seen += len(positions)
        return seen


async def fair(served: Served, dsn: str, code: str, sockets: int) -> Ours:
    """A new fair with so many sockets and an organiser."""
    progress(f"{sockets} sockets join the fair {code}")
    cast = await people(dsn, code, buyers=sockets)
    crowd = Crowd(served.host, served.port)
    members = [Member(hello(one.token, f"bench-{number}")) for number, one in enumerate(cast["buyer"])]
    crowd.join(members)
    ours = Ours(served.pid, Organiser(served, cast["organiser"][0].token), crowd, sockets)
    _, empty = measured(ours.organiser, "")
    ours.text = "x" * (BODY - empty - 1)
    ours.size, body = measured(ours.organiser, ours.text)
    assert body == BODY, body
    crowd.settle(SETTLE_S)
    ours.heard = [crowd.witness(member) for member in members[::WITNESS]]
    return ours


@dataclass(slots=True)
class Rounds:
    """How long the rounds of a side took, and the CPU that its server and the receivers used."""

    pid: int
    run: Callable[[], tuple[float, float]]
    walls: list[float] = field(default_factory=list)
    cpu: float = 0.0
    own: float = 0.0

    def one(self) -> None:
        """A round."""
        cpu = spent(self.pid)
        wall, own = self.run()
        self.cpu += spent(self.pid) - cpu
        self.walls.append(wall)
        self.own += own

    @property
    def wall(self) -> float:
        """Of a round, in the median."""
        return median(self.walls)

    @property
    def cpu_s(self) -> float:
        """The server's CPU of a round, in the mean."""
        return self.cpu / len(self.walls)

    @property
    def generator(self) -> float:
        """The receivers' share of their core."""
        return self.own / sum(self.walls)


def alternate(sides: dict[str, Rounds], rounds: int, rest: float = 0.0) -> dict[str, Rounds]:
    """Rounds of all sides in turn, so that each meets the machine as the others left it, and so many seconds of rest before.

    `warm` is not looked at: what is taken from a round must have found a server as awake as that round did.
    """
    for _ in range(rounds):
        time.sleep(rest)
        for side in sides.values():
            side.one()
    return sides


@dataclass(frozen=True, slots=True)
class Stage:
    """All sides."""

    full: Ours
    many: Ours
    lone: Ours
    write: Drained
    uvloop: Drained

    def pair(self, rounds: int) -> dict[str, Rounds]:
        """Everything at 1,000."""
        full, lone, write, uv = self.full, self.lone, self.write, self.uvloop
        size = full.size
        return alternate(
            {
                "warm": Rounds(lone.pid, lone.round),
                "commit": Rounds(lone.pid, lone.round),
                "one": Rounds(full.pid, full.round),
                "warm.write": Rounds(write.pid, lambda: write.round(f"0 1 {size} 1", 1, size)),
                "order": Rounds(write.pid, lambda: write.round(f"0 1 {size} 1", 1, size)),
                "write": Rounds(write.pid, lambda: write.round(f"0 {full.sockets} {size} 1", full.sockets, size)),
                "uvloop": Rounds(uv.pid, lambda: uv.round("a", full.sockets, size)),
                "commit4": Rounds(lone.pid, lambda: lone.round(4)),
                "four": Rounds(full.pid, lambda: full.round(4)),
                "uvloop4": Rounds(uv.pid, lambda: uv.round("aaaa", 4 * full.sockets, size)),
            },
            rounds,
        )

    def growth(self, rounds: int) -> dict[str, Rounds]:
        """1,000 beside 10,000, all at rest as people are between two announcements (`APART_S`)."""
        few, many, write, size = self.full.sockets, self.many.sockets, self.write, self.full.size
        return alternate(
            {
                "warm": Rounds(self.lone.pid, self.lone.round),
                "commit": Rounds(self.lone.pid, self.lone.round),
                "few": Rounds(self.full.pid, self.full.round),
                "many": Rounds(self.many.pid, self.many.round),
                "warm.write": Rounds(write.pid, lambda: write.round(f"0 1 {size} 1", 1, size)),
                "order": Rounds(write.pid, lambda: write.round(f"0 1 {size} 1", 1, size)),
                "write.few": Rounds(write.pid, lambda: write.round(f"0 {few} {size} 1", few, size)),
                "write.many": Rounds(write.pid, lambda: write.round(f"0 {many} {size} 1", many, size)),
            },
            rounds,
            APART_S,
        )


async def bench(chosen: Options) -> int:
    """The whole run."""
    cores = Cores.of_machine()
    more_files()
    report = Report(chosen)
    os.sched_setaffinity(0, {cores.load})
    sockets, many = chosen.chosen.sockets, chosen.chosen.many if not chosen.quick else 4 * chosen.chosen.sockets
    async with AsyncExitStack() as stack:
        engine, folder = await stack.enter_async_context(database(cores.server))
        environment = fairwire(engine, folder, beat_interval_s=3600, beat_answer_s=3500)
        served = await stack.enter_async_context(serving(cores, SERVE, "running at", folder, **environment))
        full, lone, wide = [
            await fair(served, engine.dsn(), code, n) for code, n in (("full", sockets), ("lone", 1), ("many", many))
        ]
        progress("the references")
        write = await stack.enter_async_context(
            serving(cores, ["-m", "bench.bare_write", str(many)], "bare at", folder)
        )
        uv = await stack.enter_async_context(
            serving(cores, ["-m", "bench.bare_fanout", str(full.size)], "bare at", folder)
        )
        stage = Stage(full, wide, lone, Drained(write, many), Drained(uv, sockets))
        stage.pair(10)
        pairs, growths = [], []
        for number in range(chosen.pairs):
            progress(f"pair {number + 1} of {chosen.pairs}")
            pairs.append(stage.pair(chosen.few(ROUNDS, 12)))
            growths.append(stage.growth(chosen.few(MANY_ROUNDS, 3)))
        seen = sum(ours.check() for ours in (full, wide, lone))
        stage.write.end()
        stage.uvloop.end()
    report.say("fanout.witnessed", seen, "frames", in_order="yes")
    tell_growth(report, growths, sockets, many)
    tell(report, pairs, sockets)
    return report.headline()


def tell(report: Report, pairs: list[dict[str, Rounds]], sockets: int) -> None:
    """The lines at 1,000."""

    def of(name: str, less: str = "", times: int = 1) -> list[float]:
        """Deliveries a second of a side in each pair, less what one socket takes."""
        return [times * sockets / (pair[name].wall - (pair[less].wall if less else 0)) for pair in pairs]

    report.say(
        "fanout.commit", median(pair["commit"].wall for pair in pairs) * 1000, "ms", includes="call,COMMIT,one_socket"
    )
    for name in ("one", "four", "write", "uvloop", "uvloop4"):
        report.generator(f"fanout.generator.{name}", max(pair[name].generator for pair in pairs))
    cpu = [(pair["one"].cpu_s - pair["commit"].cpu_s) / sockets * 1e6 for pair in pairs]
    write_cpu = [(pair["write"].cpu_s - pair["order"].cpu_s) / sockets * 1e6 for pair in pairs]
    report.pairs("fanout.one.cpu", "us_a_delivery", cpu, write_cpu, "bare_write")
    four_cpu = [(pair["four"].cpu_s - pair["commit4"].cpu_s) / sockets / 4 * 1e6 for pair in pairs]
    report.pairs("fanout.four.cpu", "us_a_delivery", four_cpu, write_cpu, "bare_write")
    report.pairs("fanout.uvloop", "deliveries/s", of("uvloop"), of("write", "order"), "bare_write")
    report.pairs("fanout.one.beside_uvloop", "deliveries/s", of("one", "commit"), of("uvloop"), "bare_uvloop")
    report.pairs("fanout.one.end_to_end", "deliveries/s", of("one"), of("write", "order"), "bare_write")
    report.pairs("fanout.four.end_to_end", "deliveries/s", of("four", times=4), of("uvloop"), "bare_uvloop")
    report.pairs(
        "fanout.four.beside_four", "deliveries/s", of("four", "commit4", 4), of("uvloop4", times=4), "bare_uvloop_four"
    )
    report.pairs("fanout.four", "deliveries/s", of("four", "commit4", 4), of("uvloop"), "bare_uvloop", least=2.6)
    report.pairs("fanout.one", "deliveries/s", of("one", "commit"), of("write", "order"), "bare_write", least=0.85)


def tell_growth(report: Report, pairs: list[dict[str, Rounds]], few: int, many: int) -> None:
    """What a delivery costs more among many."""

    def grown(of: Callable[[Rounds], float], small: str, large: str, one: str) -> list[float]:
        """In percent, each less what one socket takes."""
        return [
            100 * ((of(pair[large]) - of(pair[one])) / many / ((of(pair[small]) - of(pair[one])) / few) - 1)
            for pair in pairs
        ]

    ours = grown(lambda side: side.wall, "few", "many", "commit")
    bare = grown(lambda side: side.wall, "write.few", "write.many", "order")
    cpu = grown(lambda side: side.cpu_s, "few", "many", "commit")
    bare_cpu = grown(lambda side: side.cpu_s, "write.few", "write.many", "order")
    report.say("fanout.growth.ours", median(ours), "%", at=many)
    report.say("fanout.growth.bare_write", median(bare), "%", at=many)
    report.say("fanout.growth.cpu.ours", median(cpu), "%", at=many)
    report.say("fanout.growth.cpu.bare_write", median(bare_cpu), "%", at=many)
    for name in ("many", "write.many"):
        report.generator(f"fanout.generator.{name}", max(pair[name].generator for pair in pairs))
    report.bound("fanout.growth", [one - other for one, other in zip(ours, bare, strict=True)], "points", 5.0, at=many)


def main() -> int:
    """The bench, from its command line."""
    own = (
        ("--sockets", {"type": int, "default": 1000, "help": "sockets that hear an announcement (default 1000)"}),
        (
            "--many",
            {"type": int, "default": 10_000, "help": "sockets of the second fair (default 10000, quick 4 x --sockets)"},
        ),
    )
    return uvloop.run(bench(options(__doc__, pairs=7, add=own)))


if __name__ == "__main__":
    raise SystemExit(main())
