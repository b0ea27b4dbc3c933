"""Batches in flight: one is decided at a time, and what comes meanwhile is the next one.

The next one begins when the one before has only its COMMIT left, or, while few are waiting, when that is over too and a moment has
passed since it began: a batch costs nearly as much for one as for ten, and many small ones would make everybody wait for the
processor. A batch that is held up, by a row that somebody else has locked, does not hold up the others for long: after a moment the
next one begins beside it, without those whose rows it may hold. Whoever else of this process takes such rows says so, and nobody is
put into a batch that would wait for them. Who comes alone does not wait.

`Flights` says when; `Batches` says how they end: every item gets its outcome, whatever happens. A batch that fails is decided again
one by one, so that nobody pays for another's fault; when a commit's outcome is unknown all of it gets a temporary error, and a retry
with the same cid finds out (W7).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar
from uuid import UUID

from fairwire_protocol.errors import Unavailable
from fairwire_server.database.errors import OutcomeUnknown

__all__ = ["Asked", "Batches", "Flight", "Flights", "Pace", "fail", "succeed"]


class Asked(Protocol):
    """An item of a batch, whose asker waits for its outcome."""

    @property
    def outcome(self) -> asyncio.Future[Any]:
        """What it is answered."""


T = TypeVar("T")
AskedT = TypeVar("AskedT", bound=Asked)
BATCH: Final = 128
WAITING: Final = 4096
"""Whoever would be one more waiting is told to come again."""
IN_FLIGHT: Final = 4
"""At most: those that commit, and those beside one that is held up."""
PATIENCE_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Pace:
    """While fewer than `few` are waiting, a batch begins after the COMMIT of the one before, and `apart_s` seconds after it began."""

    few: int
    apart_s: float


@dataclass(slots=True, eq=False)
class Flight(Generic[T]):
    """A batch on its way."""

    items: Sequence[T]
    held_up_at: float
    """The loop's time from which on it counts as held up, deciding or in its COMMIT."""
    deciding: bool = True


class Flights(Generic[T]):
    """Gathers items and hands them to `settle` in batches; `rows` names what an item needs locked, as far as others need the same."""

    def __init__(
        self,
        settle: Callable[[Sequence[T], Flight[T]], Awaitable[None]],
        rows: Callable[[T], Collection[UUID]],
        pace: Pace,
    ) -> None:
        self._settle = settle
        self._rows = rows
        self._pace = pace
        self._flying: set[Flight[T]] = set()
        self._held: Counter[UUID] = Counter()
        self._came = asyncio.Event()
        self._stuck = False
        self._began = -pace.apart_s
        self._turned: asyncio.Future[None] | None = None
        self.waiting: list[T] = []

    def add(self, item: T) -> None:
        """Into the next batch that may have it."""
        self.waiting.append(item)
        self._came.set()
        if self._stuck or len(self.waiting) == self._pace.few:
            self._turn()

    def decided(self, flight: Flight[T]) -> None:
        """Only COMMIT is left of it, or nothing: the next one may begin."""
        flight.deciding = False
        flight.held_up_at = asyncio.get_running_loop().time() + PATIENCE_S
        self._turn()

    @contextmanager
    def holding(self, rows: Collection[UUID]) -> Iterator[None]:
        """In the body somebody else may have these rows: items that need them wait for its end, and no batch waits for them."""
        self._held.update(rows)
        try:
            yield
        finally:
            self._held -= Counter(rows)
            self._turn()

    def _turn(self) -> None:
        if self._turned is not None and not self._turned.done():
            self._turned.set_result(None)

    async def run(self) -> None:
        """Send batches off until cancelled. `settle` must not raise."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._came.wait()
                self._came.clear()
                while self.waiting:
                    await self._may_begin()
                    if not self._take_off(group):  # all of it belongs to those in flight, or is held
                        self._stuck = True
                        await self._change()
                        self._stuck = False

    def _take_off(self, group: asyncio.TaskGroup) -> bool:
        """The next batch, if there is one now; nothing of it stays here, or its messages would until the next one."""
        if not (batch := self._next_batch()):
            return False
        self._began = asyncio.get_running_loop().time()
        flight = Flight(batch, self._began + PATIENCE_S)
        self._flying.add(flight)
        group.create_task(self._fly(flight))
        return True

    async def _fly(self, flight: Flight[T]) -> None:
        try:
            await self._settle(flight.items, flight)
        finally:
            self._flying.discard(flight)
            self.decided(flight)

    async def _may_begin(self) -> None:
        """Return once nobody decides or who does is held up, and there is room; for few, nobody commits either, nor has just begun."""
        while True:
            now = asyncio.get_running_loop().time()
            few = len(self.waiting) < self._pace.few
            left = max((flight.held_up_at - now for flight in self._flying if flight.deciding or few), default=0.0)
            if len(self._flying) >= IN_FLIGHT:
                await self._change()
            elif left > 0:
                await self._change(left)
            elif few and (early := self._began + self._pace.apart_s - now) > 0:
                await self._change(early)
            else:
                return

    async def _change(self, within: float | None = None) -> None:
        """Return once a flight is decided or over, rows are let go or, being stuck, an item has come; or after `within` seconds."""
        loop = asyncio.get_running_loop()
        self._turned = turned = loop.create_future()
        timer = None if within is None else loop.call_later(within, self._turn)
        try:
            await turned
        finally:
            if timer is not None:
                timer.cancel()

    def _next_batch(self) -> list[T]:
        """Who has waited longest, without those whose rows may be held."""
        busy = {row for flight in self._flying for item in flight.items for row in self._rows(item)} | self._held.keys()
        batch: list[T] = []
        rest: list[T] = []
        for item in self.waiting:
            if len(batch) >= BATCH or not busy.isdisjoint(self._rows(item)):
                rest.append(item)
                busy.update(self._rows(item))  # nobody overtakes it who needs the same
            else:
                batch.append(item)
        self.waiting = rest
        return batch


class Batches(Generic[AskedT]):
    """Items decided in batches by `commit`, which answers those it decides; `meant` says what an item alone is told of an error.

    `run` must be running, once per process.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[AskedT], Flight[AskedT]], Awaitable[None]],
        rows: Callable[[AskedT], Collection[UUID]],
        meant: Callable[[Exception], Exception],
        pace: Pace,
    ) -> None:
        self._commit = commit
        self._meant = meant
        self._flights = Flights(self._settle, rows, pace)
        self.decided = self._flights.decided
        self.holding = self._flights.holding

    def ask(self, item: AskedT) -> asyncio.Future[Any]:
        """The item's outcome. Cancelled, it takes no answer any more; the batch goes on."""
        if len(self._flights.waiting) >= WAITING:
            raise Unavailable(retry_after_ms=1000)
        self._flights.add(item)
        return item.outcome

    async def run(self) -> None:
        """Send batches off until cancelled; what waits then gets a temporary error."""
        try:
            await self._flights.run()
        finally:
            for item in self._flights.waiting:
                fail(item, Unavailable("draining"))

    async def _settle(self, batch: Sequence[AskedT], flight: Flight[AskedT]) -> None:
        try:
            await self._commit(batch, flight)
        except OutcomeUnknown as error:
            for item in batch:
                fail(item, error)
        except asyncio.CancelledError:
            for item in batch:
                fail(item, Unavailable("draining"))
            raise
        except Exception as error:
            if len(batch) > 1:
                for item in batch:
                    await self._settle([item], flight)
            else:
                fail(batch[0], self._meant(error))


def succeed(item: Asked, reply: object) -> None:
    """Answer it, unless nobody waits any more."""
    if not item.outcome.done():
        item.outcome.set_result(reply)


def fail(item: Asked, error: Exception) -> None:
    """As `succeed`, with an error."""
    if not item.outcome.done():
        item.outcome.set_exception(error)
        item.outcome.exception()  # retrieved: the asker may have gone away
