"""`make bench-slots`: a fair's slots planned, 26,000 exhibitors × 25 a day × 10 days, and then an exhibitor's open ones read.

    python -m bench.slots [--exhibitors N] [--quick] [--json FILE]

Most are planned by one statement for each fifty exhibitors, as an import would; the last two hundred by the real handler of
`slots.create_batch`, one command each, in this process. Then `slots.open` and `slots.list` are called for exhibitors picked at
random over the whole table, one call at a time, as a client would meet them on an idle server. PostgreSQL has a core of its own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from statistics import median, quantiles
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import uvloop

from bench.common import Cores, database
from bench.people import Person, people
from bench.report import Options, Report, options, progress
from fairwire_protocol.operations import slots as operations
from fairwire_server.accounts.callers import Callers
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.store import AccountStore
from fairwire_server.clock import SystemClock
from fairwire_server.context import Context
from fairwire_server.database.pool import Database
from fairwire_server.database.queries import parse_queries
from fairwire_server.database.work import Works
from fairwire_server.meetings.slot_store import SlotStore
from fairwire_server.meetings.slots import Slots
from fairwire_server.meetings.waiting_store import WaitingStore
from fairwire_server.streams.service import Streams
from fairwire_server.streams.store import StreamStore

EXHIBITORS: Final = 26_000
AT_ONCE: Final = 50
BY_HANDLER: Final = 200
OPEN_MS: Final = 20.0
DAYS: Final = 10


async def planned(connection: asyncpg.Connection[asyncpg.Record], homes: Sequence[UUID], base: datetime) -> float:
    """Slots of these exhibitors; seconds."""
    sql = parse_queries(files("bench").joinpath("slots.sql").read_text("utf-8"), "slots.sql")
    began = time.perf_counter()
    for at in range(0, len(homes), AT_ONCE):
        await connection.execute(sql["plan"], homes[at : at + AT_ONCE], base)
        if at % 2000 == 0:
            progress(f"{at} of {len(homes)} exhibitors after {time.perf_counter() - began:.0f} s")
    took = time.perf_counter() - began
    await connection.execute(sql["analyze"])
    return took


async def timed(calls: Sequence[Callable[[], Awaitable[object]]]) -> list[float]:
    """Milliseconds of each call."""
    found = []
    for call in calls:
        began = time.perf_counter()
        await call()
        found.append(1000 * (time.perf_counter() - began))
    return found


class Handlers:
    """The real handlers on the bench's database."""

    def __init__(self, works: Works) -> None:
        self._works = works
        store = AccountStore()
        self._callers = Callers(store)
        streams = Streams(StreamStore(), lambda _: None)
        self.slots = Slots(
            works, Commands(works, self._callers, store), SlotStore(), WaitingStore(), streams, batch_max=1000
        )

    async def caller(self, person: Person) -> Caller:
        """As a door finds it."""
        async with self._works.read() as work:
            return await self._callers.find(work, person.id)

    def context(self) -> Context:
        """Of one call."""
        return Context(cid=uuid4(), correlation="bench", address="")


async def bench(chosen: Options) -> int:
    """The whole run."""
    random.seed(2026)
    report = Report(chosen)
    exhibitors = chosen.few(chosen.chosen.exhibitors, 500)
    base = (datetime.now(UTC) + timedelta(days=2)).replace(hour=1, minute=0, second=0, microsecond=0)
    async with AsyncExitStack() as stack:
        engine, _ = await stack.enter_async_context(database(Cores.of_machine().server))
        cast = await people(engine.dsn(), "plan", buyers=1, exhibitors=exhibitors)
        mains, [buyer] = cast["main"], cast["buyer"]
        homes = [main.exhibitor for main in mains if main.exhibitor]
        connection = await asyncpg.connect(engine.dsn())
        stack.push_async_callback(connection.close)
        by_handler = mains[-min(BY_HANDLER, exhibitors // 5) :]
        took = await planned(connection, homes[: -len(by_handler)], base)
        pool = await stack.enter_async_context(
            await Database.open(engine.dsn(), min_size=2, max_size=4, command_timeout=60)
        )
        handlers = Handlers(Works(pool, SystemClock()))
        callers = [await handlers.caller(main) for main in by_handler]
        first, last = base.date().isoformat(), (base + timedelta(days=DAYS - 1)).date().isoformat()
        request = operations.CreateSlots(first=first, last=last, start="09:00", end="21:30")
        created = await timed([
            lambda caller=caller: handlers.slots.create_batch(caller, handlers.context(), request)  # type: ignore[misc]
            for caller in callers
        ])  # fmt: skip
        sql = parse_queries(files("bench").joinpath("slots.sql").read_text("utf-8"), "slots.sql")
        size = await connection.fetchrow(sql["size"])
        assert size is not None
        reader = await handlers.caller(buyer)
        picked = random.sample(homes, min(1000, len(homes)))
        opened = await timed([
            lambda home=home: handlers.slots.open(reader, handlers.context(), operations.OpenSlots(exhibitor=home, limit=100))  # type: ignore[misc]
            for home in picked
        ])  # fmt: skip
        listed = await timed([
            lambda caller=caller: handlers.slots.list(caller, handlers.context(), operations.ListSlots(limit=100))  # type: ignore[misc]
            for caller in callers
        ])  # fmt: skip
    rows = int(size["slots"])
    report.say("slots.table", rows, "slots", bytes_each=size["bytes"] / rows)
    report.say("slots.planned", (rows - 250 * len(created)) / took, "slots/s", seconds=took)
    report.say("slots.by_handler", 250 * 1000 / median(created), "slots/s", a_batch_ms=median(created))
    report.say("slots.list.p95", quantiles(listed, n=20)[18], "ms")
    report.say("slots.open.p50", median(opened), "ms")
    report.bound("slots.open.p95", [quantiles(opened, n=20)[18]], "ms", OPEN_MS, at=rows)
    return report.headline()


def main() -> int:
    """The bench, from its command line."""
    own = (("--exhibitors", {"type": int, "default": EXHIBITORS, "help": "how many plan (default 26,000, quick 500)"}),)
    return uvloop.run(bench(options(__doc__, pairs=1, add=own)))


if __name__ == "__main__":
    raise SystemExit(main())
