"""PostgreSQL stands still for longer than a lease while workers hold what they have claimed (N4).

Its processes are stopped for a moment; meanwhile the clock that leases are measured by goes on. Of what the workers hold, half leaves
before its lease is over, with an outcome that nobody can write down, and half is still in their hands when PostgreSQL answers again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from fairwire_protocol.errors import Unavailable
from fairwire_server.database.pool import Database
from fairwire_server.meetings.records import BookingFact
from fairwire_server.notices.claiming import LEASE_S
from fairwire_server.notices.outcomes import LOST_AFTER_S, Ended
from fairwire_server.notices.parcels import Parcel
from tests.faults.test_database import frozen, migrated
from tests.harness.quiet import quiet_log
from tests.harness.until import until
from tests.notices.draining import Both, Counting, Worker, make_worker
from tests.notices.world import DAY, World

MEETINGS: Final = 12
HELD: Final = 2 * MEETINGS
"""Two people are told of each that it is assigned."""


@pytest.fixture(autouse=True)
def faults() -> Iterator[list[str]]:
    """What was logged as an error: nothing, at the end."""
    with quiet_log() as faults:
        yield faults


@dataclass(slots=True)
class Hands:
    """Holds the first parcels that come: every other one until `early` is set, the rest until `late` is."""

    came: list[UUID] = field(default_factory=list)
    early: asyncio.Event = field(default_factory=asyncio.Event)
    late: asyncio.Event = field(default_factory=asyncio.Event)

    async def hold(self, parcel: Parcel) -> None:
        """What comes later, again or anew, is not held."""
        self.came.append(parcel.reference)
        if len(self.came) <= HELD:
            await (self.early if len(self.came) % 2 else self.late).wait()

    @property
    def held(self) -> Sequence[UUID]:
        """What leaves late, if at all."""
        return self.came[1:HELD:2]


@dataclass(slots=True)
class Office:
    """Two workers at rest over a PostgreSQL that may stand still."""

    world: World
    channels: Sequence[Counting]
    workers: Sequence[Worker]
    unwritten: asyncio.Event
    """Set when outcomes could not be written."""

    def told_that_something_is_due(self) -> bool:
        """A hint may come while a worker looks, and here no time passes in which it would look again."""
        for worker in self.workers:
            worker.lanes.hint()
        return True

    @property
    def left(self) -> list[UUID]:
        """What has left, and as often."""
        return [one.parcel.reference for channel in self.channels for one in channel.left]


def _noting(worker: Worker, unwritten: asyncio.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    write = worker.outcomes.write

    async def noted(ended: Sequence[Ended]) -> None:
        try:
            await write(ended)
        except Unavailable:
            unwritten.set()
            raise

    monkeypatch.setattr(worker.outcomes, "write", noted)


@asynccontextmanager
async def office(url: str, hands: Hands, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """Running until it ends. The workers soon give up waiting for PostgreSQL."""
    async with AsyncExitStack() as stack:
        patient = await stack.enter_async_context(await Database.open(url, min_size=1, max_size=4))
        hasty = await stack.enter_async_context(await Database.open(url, min_size=1, max_size=10, command_timeout=1.0))
        world, unwritten = await World(patient).open(), asyncio.Event()
        channels = [Counting("email", world.clock, behave=hands.hold) for _ in range(2)]
        workers = [make_worker(World(hasty, world.clock), [channel]) for channel in channels]
        for worker in workers:
            _noting(worker, unwritten, monkeypatch)
            running = asyncio.ensure_future(worker.lanes.run())
            stack.push_async_callback(asyncio.wait, {running})
            stack.callback(running.cancel)
        yield Office(world, channels, workers, unwritten)


@pytest.mark.parametrize("seconds", [2 * LEASE_S, LEASE_S + 2 * LOST_AFTER_S], ids=["lease", "given up"])
async def test_what_workers_hold_while_postgres_stands_still_is_neither_lost_nor_sent_twice_unflagged_n4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    hands = Hands()
    async with (
        migrated(tmp_path) as engine,
        office(engine.dsn(), hands, monkeypatch) as fair,
    ):
        world, begin = fair.world, fair.world.clock.now()
        team = await world.team("overseas")
        for number in range(MEETINGS):
            booking = await world.request(team, await world.buyer(), begin + 2 * DAY + number * timedelta(hours=1))
            await world.assign(booking, team.sales)
        await until(lambda: fair.told_that_something_is_due() and len(hands.came) == HELD)
        async with frozen(engine):
            hands.early.set()
            await until(lambda: len(fair.left) == HELD // 2)
            await fair.unwritten.wait()
            world.clock.advance(seconds)
        subjects = {notice["id"]: notice["subject_id"] for notice in await _assigned(world)}
        cancelled = world.bookings[subjects[hands.held[0]]]
        await until(lambda: _cancelled(world, cancelled))
        before = Counter(fair.left)
        hands.late.set()
        await Both(world, fair.workers).go(world.clock.now() + timedelta(minutes=5))
        late = [one for one in Counter(fair.left) - before if subjects.get(one) == cancelled.id]
        assert not late, "sent after the acknowledgement"
        _judge(fair.left, await _assigned(world), cancelled.id, given_up=seconds > LEASE_S + LOST_AFTER_S)


async def _cancelled(world: World, booking: BookingFact) -> bool:
    """By a client that sends the same again when it is told to."""
    try:
        await world.cancel(booking)
    except Unavailable:
        return False
    return True


async def _assigned(world: World) -> list[dict[str, Any]]:
    return [one for one in await world.notices() if one["kind"] == "assigned" and one["channel"] == "email"]


def _judge(left: Sequence[UUID], notices: Sequence[dict[str, Any]], cancelled: UUID, *, given_up: bool) -> None:
    """Everybody was told, and twice only where it says so; while nobody had given an attempt up, its late outcome has counted."""
    times = Counter(left)
    assert len(notices) == HELD
    for one in notices:
        if one["subject_id"] != cancelled:
            assert one["state"] == "sent", one
            assert times[one["id"]] >= 1, "said, not sent"
        assert one["state"] in {"sent", "skipped"}, one
        assert times[one["id"]] <= 1 + one["maybe_duplicate"], "sent twice, unflagged"
        assert given_up or not one["maybe_duplicate"], "an outcome was known"
