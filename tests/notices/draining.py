"""Draining a small fair in virtual time: real lanes over channels that keep what they are given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from fairwire_server.clock import Clock
from fairwire_server.compose.noticing import notice_subjects
from fairwire_server.database.present import Present, own_time
from fairwire_server.database.work import Works
from fairwire_server.jobs.hints import Hints
from fairwire_server.jobs.lanes import Lanes
from fairwire_server.meetings.calendar import Calendars, Party
from fairwire_server.meetings.links import Links
from fairwire_server.meetings.notice_store import MeetingNoticeStore
from fairwire_server.meetings.own_links import OwnLinks
from fairwire_server.meetings.rooms_store import RoomStore
from fairwire_server.notices.claiming import Claims
from fairwire_server.notices.fall_over import FallOver
from fairwire_server.notices.outcomes import Outcomes
from fairwire_server.notices.parcels import Channel, ChannelKind, Mail, Parcel, Sms, Taken, TryLater
from fairwire_server.notices.planning import Planning
from fairwire_server.notices.receipts import TakingIn
from fairwire_server.notices.rendering import Rendering
from fairwire_server.notices.rules import Budget
from fairwire_server.notices.store import NoticeStore
from fairwire_server.notices.unsubscribe import Unsubscribing
from tests.harness.until import until
from tests.notices.world import World

__all__ = ["Both", "Counting", "Left", "Passing", "Worker", "draining", "make_worker", "passing"]

Behaviour = Callable[[Parcel], Awaitable[None]]
SLEEPERS = 4
"""Of one worker at rest: the app's lane, email's, SMS's, and the sweeper."""


@dataclass(frozen=True, slots=True)
class Left:
    """A parcel that left, and when."""

    parcel: Mail | Sms
    at: datetime


@dataclass(slots=True)
class Counting:
    """A provider that takes everything, unless `behave` does otherwise; keeps what it took."""

    kind: ChannelKind
    clock: Clock
    name: str = ""
    rate: float = 1e6
    behave: Behaviour | None = None
    left: list[Left] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = self.name or f"test-{self.kind}"

    async def send(self, parcel: Parcel, may_leave: Callable[[], bool] | None = None) -> Taken:
        """Take it."""
        if self.behave is not None:
            await self.behave(parcel)
        if may_leave is not None and not may_leave():
            raise TryLater("lease_over")
        self.left.append(Left(parcel, self.clock.now()))
        return Taken(provider=self.name, reference=parcel.reference.hex, segments=1)

    def of(self, notice: UUID) -> list[Left]:
        """Every time that notice left here."""
        return [one for one in self.left if one.parcel.reference == notice]


@dataclass(slots=True)
class Worker:
    """A worker's parts, over the world's database, by a clock of its own."""

    claims: Claims
    outcomes: Outcomes
    lanes: Lanes
    taking_in: TakingIn
    rendering: Rendering


def make_worker(
    world: World, channels: Sequence[Channel], *, clock: Clock | None = None, present: Present | None = None
) -> Worker:
    """As compose makes it. `clock` is the worker's own; what is due is decided by `present`, the world's clock."""
    clock = clock or world.clock
    works, store = Works(world.database, clock), NoticeStore()
    present = present or own_time
    hints = Hints(world.database, clock, tells=False)
    planning = Planning(store, hints, present)
    fall_over = FallOver(store, planning, hints)
    links = Links(lambda use: use.ljust(32, b"k"), "https://fair.example")
    subjects = notice_subjects(OwnLinks(RoomStore(), links), Calendars(Party("Fair", "fair@fair.example")))
    claims = Claims(
        works, store, world.streams, fall_over, subjects, present, worker=uuid4(), budget=Budget(),
    )  # fmt: skip
    outcomes = Outcomes(works, store, fall_over, present)
    unsubscribing = Unsubscribing(works, store, lambda use: use.ljust(32, b"k"), "https://fair.example")
    rendering = Rendering(unsubscribing.address, "https://fair.example")
    lanes = Lanes(claims, outcomes, rendering, channels, clock)
    hints.heard = lanes.hint
    taking_in = TakingIn(works, store, fall_over, MeetingNoticeStore().keep, present)
    return Worker(claims, outcomes, lanes, taking_in, rendering)


class Passing:
    """Moves the clock while a worker runs."""

    def __init__(self, world: World, worker: Worker) -> None:
        self.world = world
        self.worker = worker

    async def rest(self) -> None:
        """Until nothing more can be done before time moves on."""
        self.worker.lanes.hint()
        for _ in range(20):  # a hint wakes sleepers in the loop's next turns
            await asyncio.sleep(0)
        await until(self._at_rest, 30.0)

    async def go(self, to: datetime) -> None:
        """Time passes until then, instant by instant at which something falls due."""
        await self.rest()
        while (now := self.world.clock.now()) < to:
            [row] = await self.world.fetch(
                "SELECT min(due_at) FILTER (WHERE due_at > $1 AND state = 'planned') AS due,"
                " bool_or(state = 'planned' AND due_at <= $1 AND useless_at > $1) AS put_off,"
                " bool_or(state = 'claimed') AS claimed FROM notice WHERE state IN ('planned', 'claimed')",
                now,
            )
            due = min(row["due"] or to, to)
            if row["put_off"]:  # a provider that pauses, or a machine so busy that a claim was given up
                due = min(due, now + timedelta(seconds=1))
            elif row["claimed"]:
                due = min(due, now + timedelta(seconds=5))
            self.world.clock.advance((due - now).total_seconds())
            await self.rest()

    def _at_rest(self) -> bool:
        lanes = self.worker.lanes
        return self.world.clock.sleeping >= SLEEPERS and lanes.under_way == 0


class Both(Passing):
    """Two workers beside each other."""

    def __init__(self, world: World, workers: Sequence[Worker]) -> None:
        super().__init__(world, workers[0])
        self._workers = workers

    def _at_rest(self) -> bool:
        idle = all(worker.lanes.under_way == 0 for worker in self._workers)
        return idle and self.world.clock.sleeping >= SLEEPERS * len(self._workers)


class Draining(Passing):
    """The same over two counting channels."""

    def __init__(self, world: World, email: Counting, sms: Counting, worker: Worker) -> None:
        super().__init__(world, worker)
        self.email = email
        self.sms = sms

    @property
    def left(self) -> list[Left]:
        """Everything that left, in order of time."""
        return sorted([*self.email.left, *self.sms.left], key=lambda one: one.at)


@asynccontextmanager
async def passing(world: World, *channels: Channel) -> AsyncIterator[Passing]:
    """A worker over these channels."""
    worker = make_worker(world, channels)
    running = asyncio.ensure_future(worker.lanes.run())
    try:
        yield Passing(world, worker)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def draining(
    world: World, *, email: Behaviour | None = None, sms: Behaviour | None = None
) -> AsyncIterator[Draining]:
    """A worker over two counting channels."""
    mails, shorts = Counting("email", world.clock, behave=email), Counting("sms", world.clock, behave=sms)
    async with passing(world, mails, shorts) as over:
        yield Draining(world, mails, shorts, over.worker)
