"""`make bench-booking`: the race for seats, 4,000 requests over 32 sockets, beside a bare loop of inserts.

    python -m bench.booking [--pairs N] [--quick] [--json FILE]

Every socket is a buyer with two requests on their way: the one whose answer is awaited, and the one after it. Half of what it asks for
overlaps a slot that it has just asked for, and some slots are full before their turn comes (`bench.wishes`); a third or more succeed.
Each success is a pending booking with its card in the chat, events to the buyer and to the exhibitor's main account, and its notices
planned, committed before it is answered. Latency is from sending to the answer. A last round has one request on its way on each socket.

Server and PostgreSQL share a core; the generator has the other. The reference has the server's place: `bench.bare_booking` runs
the same wishes over 32 connections against a table that has nothing but an exclusion constraint. A round of each is taken in turn.
At the end overlaps and overfull slots are counted, and the bookings stored: as many as were granted.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import uvloop

from bench.common import SERVE, Cores, Meter, Served, database, fairwire, logged, more_files, postmaster, serving
from bench.pairs import p99_ms
from bench.people import people
from bench.report import Options, Report, options, progress
from bench.wire import Frame, Wire, connect_all
from bench.wishes import BUYERS, COLLEAGUES, EXHIBITORS, HOURS, Wish, wishes
from fairwire_server.database.queries import parse_queries

P99_MS: Final = 100.0
LEAST: Final = 0.5
AGAINST: Final = "bare_exclusion_inserts_32"
LEAST_GRANTED: Final = 0.3
IN_FLIGHT: Final = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """A round of ours."""

    per_s: float
    codes: Counter[str]
    latencies: Sequence[float]
    server_cpu: float
    """Seconds per 1,000 requests."""
    database_cpu: float
    generator: float


class Booker(Wire):
    """A buyer's socket: asks for one slot after another, with some requests on their way."""

    def __init__(self, token: str, device: str) -> None:
        super().__init__(token, device)
        self.on_frame = self._frame
        self.codes: Counter[str] = Counter()
        self.latencies: list[float] = []
        self._left: list[str] = []
        self._asked: dict[str, tuple[str, float]] = {}
        """By cid: the slot, and when it was asked for first."""
        self._done: asyncio.Future[None]

    async def book(self, slots: Sequence[str], in_flight: int) -> None:
        """Ask for these in order, at most so many at a time, the next one once one is answered."""
        self._left = list(reversed(slots))
        self.codes.clear()
        self.latencies.clear()
        self._done = asyncio.get_running_loop().create_future()
        for _ in range(in_flight):
            self._next()
        await self._done

    def _next(self) -> None:
        if self._left:
            cid = str(uuid4())
            self._asked[cid] = (self._left.pop(), time.perf_counter())
            self._send(cid)
        elif not self._asked:
            self._done.set_result(None)

    def _send(self, cid: str) -> None:
        self.call(cid, "bookings.request", {"slot": self._asked[cid][0], "topic": "price and delivery"})

    def _frame(self, frame: Frame) -> None:
        if frame.cid not in self._asked or frame.t == "event":
            return
        if frame.t == "error" and frame.retry_after_ms:
            self.codes["put_off"] += 1  # temporary: again with the same cid (W7)
            asyncio.get_running_loop().call_later(frame.retry_after_ms / 1000, self._send, frame.cid)
            return
        _, sent_at = self._asked.pop(frame.cid)
        self.latencies.append(time.perf_counter() - sent_at)
        self.codes[str(frame.code) if frame.t == "error" else "granted"] += 1
        self._next()


class Rounds:
    """The fair in which rounds are run: each has slots of its own, so that no round meets another's bookings."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], exhibitors: Sequence[UUID]) -> None:
        self.sql = parse_queries(files("bench").joinpath("booking.sql").read_text("utf-8"), "booking.sql")
        self.connection = connection
        self._exhibitors = exhibitors
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._begins = [today + timedelta(days=1 + 7 * number) for number in range(100)]

    async def slots(self, number: int) -> list[list[str]]:
        """What each buyer asks for in a round whose slots are made by this."""
        base = self._begins[number]
        rows = await self.connection.fetch(self.sql["slots"], self._exhibitors, base, HOURS)
        ids = {
            Wish(self._exhibitors.index(row["exhibitor_id"]), round((row["starts_at"] - base).total_seconds() / 1800)): row["id"]
            for row in rows
        }  # fmt: skip
        return [[str(ids[wish]) for wish in own] for own in wishes(number)]

    async def count(self, what: str) -> int:
        """A count over all rounds."""
        return int(await self.connection.fetchval(self.sql[what]))


async def round_of_ours(
    bookers: Sequence[Booker], slots: Sequence[Sequence[str]], served: Served, postmaster: int, in_flight: int
) -> Sample:
    """4,000 requests, as fast as they are answered."""
    meter, began = Meter(served.pid, postmaster), time.perf_counter()
    await asyncio.gather(*(booker.book(own, in_flight) for booker, own in zip(bookers, slots, strict=True)))
    took, used = time.perf_counter() - began, meter.read()
    codes = sum((booker.codes for booker in bookers), Counter())
    latencies = [one for booker in bookers for one in booker.latencies]
    thousands = len(latencies) / 1000
    return Sample(
        len(latencies) / took, codes, latencies, used.server / thousands, used.database / thousands, used.generator
    )


async def round_of_reference(cores: Cores, dsn: str, folder: Path, postmaster: int, number: int) -> tuple[float, float]:
    """The same wishes by the bare loop: requests per second by its own clock, and processor seconds per 1,000."""
    async with serving(cores, ["-m", "bench.bare_booking", dsn, str(number)], "began", folder) as served:
        meter = Meter(served.pid, postmaster)
        async with asyncio.timeout(120):
            while "granted" not in (text := logged(folder)):  # noqa: ASYNC110  # another process says it
                await asyncio.sleep(0.02)
        used = meter.read()
    count = sum(map(len, wishes(number)))
    return count / float(text.rpartition("took ")[2].split()[0]), 1000 * (used.server + used.database) / count


async def bench(chosen: Options) -> int:
    """The whole run."""
    more_files()
    report, cores = Report(chosen), Cores.of_machine()
    os.sched_setaffinity(0, {cores.load})
    ours: list[Sample] = []
    bare: list[tuple[float, float]] = []
    warm: list[Sample] = []
    async with AsyncExitStack() as stack:
        engine, folder = await stack.enter_async_context(database(cores.server))
        dsn, first = engine.dsn(), postmaster(folder)
        cast = await people(dsn, "race", buyers=BUYERS, exhibitors=EXHIBITORS, colleagues=COLLEAGUES)
        connection = await asyncpg.connect(dsn)
        stack.push_async_callback(connection.close)
        rounds = Rounds(connection, [main.exhibitor for main in cast["main"] if main.exhibitor])
        await connection.execute(rounds.sql["bare_table"])
        served = await stack.enter_async_context(
            serving(cores, SERVE, "running at", folder, **fairwire(engine, folder, beat_interval_s=3600))
        )
        bookers = await connect_all(served, [buyer.token for buyer in cast["buyer"]], Booker)
        for number in range(chosen.pairs + 1):  # the first round opens the chats and is not counted
            progress(f"round {number} of {chosen.pairs}")
            sample = await round_of_ours(bookers, await rounds.slots(number), served, first, IN_FLIGHT)
            reference = await round_of_reference(cores, dsn, folder, first, number)
            if number:
                ours.append(sample)
                bare.append(reference)
            else:
                warm.append(sample)
        single = await round_of_ours(bookers, await rounds.slots(chosen.pairs + 1), served, first, 1)
        counted = {what: await rounds.count(what) for what in ("double_booked", "over_capacity", "live")}
    tell(report, ours, bare, warm[0], single, counted)
    return report.headline()


def tell(
    report: Report,
    ours: Sequence[Sample],
    bare: Sequence[tuple[float, float]],
    warm: Sample,
    single: Sample,
    counted: dict[str, int],
) -> None:
    """The lines."""
    granted = sum(sample.codes["granted"] for sample in [warm, *ours, single])
    report.generator("booking.generator", max(sample.generator for sample in ours))
    report.say("booking.overlaps", counted["double_booked"], "pairs", wanted="0")
    report.say("booking.overfull", counted["over_capacity"], "slots", wanted="0")
    report.say(
        "booking.rows", counted["live"], "bookings", granted=str(granted), equal="yes" if counted["live"] == granted else "NO"
    )  # fmt: skip
    codes = sum((sample.codes for sample in ours), Counter())
    share = [sample.codes["granted"] / len(sample.latencies) for sample in ours]
    report.floor(
        "booking.granted", share, "of_all", LEAST_GRANTED, **{key: codes[key] for key in codes if key != "granted"}
    )
    report.say("booking.cpu.server", median(sample.server_cpu for sample in ours), "s_per_1000")
    report.say("booking.cpu.database", median(sample.database_cpu for sample in ours), "s_per_1000")
    cpu = [sample.server_cpu + sample.database_cpu for sample in ours]
    report.pairs("booking.cpu.beside_bare", "s_per_1000", cpu, [one for _, one in bare], AGAINST)
    report.say("booking.first_round", warm.per_s, "requests/s", includes="a_new_chat_for_each_pair")
    report.say("booking.one_at_a_time", single.per_s, "requests/s", p99_ms=f"{p99_ms(single.latencies):.0f}")
    report.bound("booking.p99", [p99_ms(sample.latencies) for sample in ours], "ms", P99_MS)
    rates = [sample.per_s for sample in ours]
    report.pairs("booking", "requests/s", rates, [one for one, _ in bare], AGAINST, least=LEAST)


def main() -> int:
    """The bench, from its command line."""
    return uvloop.run(bench(options(__doc__, pairs=5)))


if __name__ == "__main__":
    raise SystemExit(main())
