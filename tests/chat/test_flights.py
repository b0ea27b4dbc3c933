"""Batches in flight: what gathers, what goes beside, and that one held up holds up nobody for long (W7, W8)."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from fairwire_protocol.errors import Refused
from fairwire_server.chat.flights import BATCH, Batches, Flight, Flights, Pace, fail
from tests.harness.until import until

Item = tuple[str, int] | tuple[str, int, int]
FEW = 16
"""A name, and the rows that it needs."""


class Field:
    """Where flights go: each batch stays until it is let go, in two steps."""

    def __init__(self, apart_s: float) -> None:
        self.batches: list[list[Item]] = []
        self.flights = Flights(self._settle, lambda item: [UUID(int=row) for row in item[1:]], Pace(FEW, apart_s))
        self._gates: list[tuple[asyncio.Event, asyncio.Event]] = []
        self._came = asyncio.Condition()

    async def _settle(self, batch: Sequence[Item], flight: Flight[Item]) -> None:
        decided, over = asyncio.Event(), asyncio.Event()
        self.batches.append(list(batch))
        self._gates.append((decided, over))
        async with self._came:
            self._came.notify_all()
        await decided.wait()
        self.flights.decided(flight)
        await over.wait()

    async def until(self, count: int) -> None:
        """Return once so many batches have taken off."""
        async with asyncio.timeout(10), self._came:
            await self._came.wait_for(lambda: len(self.batches) >= count)

    def decide(self, number: int) -> None:
        """Let a batch decide; its commit is still to come."""
        self._gates[number][0].set()

    def land(self, number: int) -> None:
        """Let a batch end."""
        self.decide(number)
        self._gates[number][1].set()


@asynccontextmanager
async def field(apart_s: float = 0.01) -> AsyncIterator[Field]:
    one = Field(apart_s)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(one.flights.run())
        try:
            yield one
        finally:
            running.cancel()


async def test_one_alone_does_not_wait_and_what_comes_meanwhile_goes_together() -> None:
    async with field() as one:
        one.flights.add(("a", 1))
        await one.until(1)
        for number in range(FEW):
            one.flights.add((f"b{number}", 10 + number))
        one.decide(0)  # its commit is still under way
        await one.until(2)
        assert one.batches == [[("a", 1)], [(f"b{number}", 10 + number) for number in range(FEW)]]


async def test_few_wait_for_the_commit_before_them_but_not_for_long() -> None:
    async with field() as one:
        one.flights.add(("a", 1))
        await one.until(1)
        one.flights.add(("b", 2))
        one.decide(0)
        for _ in range(5):
            await asyncio.sleep(0)
            assert len(one.batches) == 1
        one.flights.add(("c", 3))
        one.land(0)
        await one.until(2)
        one.flights.add(("d", 4))
        one.decide(1)
        await one.until(3)  # after a moment, although that commit takes for ever
        assert one.batches == [[("a", 1)], [("b", 2), ("c", 3)], [("d", 4)]]


async def test_few_gather_for_a_moment_after_a_batch_and_many_do_not() -> None:
    async with field(apart_s=3600.0) as one:
        one.flights.add(("alone", 1))
        await one.until(1)
        one.land(0)
        for number in range(FEW - 1):
            one.flights.add((f"few {number}", 10 + number))
            for _ in range(5):
                await asyncio.sleep(0)
            assert len(one.batches) == 1
        one.flights.add(("many", 9))
        await one.until(2)
        assert len(one.batches[1]) == FEW


async def test_a_batch_has_an_end_and_the_order_is_that_of_coming() -> None:
    async with field() as one:
        one.flights.add(("first", 0))
        await one.until(1)
        for number in range(BATCH + 2):
            one.flights.add(("more", 1 + number))
        one.land(0)
        await one.until(2)
        one.land(1)
        await one.until(3)
        assert [len(batch) for batch in one.batches] == [1, BATCH, 2]
        assert [item for batch in one.batches[1:] for item in batch] == [("more", 1 + n) for n in range(BATCH + 2)]


async def test_one_held_up_holds_up_only_its_own_for_long() -> None:
    async with field() as one:
        one.flights.add(("held", 1))
        await one.until(1)
        one.flights.add(("its own", 1))
        one.flights.add(("another", 2))
        await one.until(2)  # after a moment, although the first decides for ever
        assert one.batches == [[("held", 1)], [("another", 2)]]
        one.land(1)
        one.land(0)
        await one.until(3)
        assert one.batches[2] == [("its own", 1)]


async def test_whoever_needs_any_row_of_a_batch_in_flight_waits_for_its_commit_m4() -> None:
    """Begun beside it, it would wait for the row's lock, and all of its batch with it."""
    async with field() as one:
        one.flights.add(("slot and buyer", 1, 2))
        await one.until(1)
        one.flights.add(("same buyer", 3, 2))
        one.flights.add(("neither", 5, 6))
        one.decide(0)
        await one.until(2)
        assert one.batches[1] == [("neither", 5, 6)]
        one.decide(1)
        one.land(0)
        await one.until(3)
        assert one.batches[2] == [("same buyer", 3, 2)]


async def test_nobody_overtakes_who_needs_the_same_row() -> None:
    """Else a request may be passed by for as long as its buyer asks for other slots."""
    async with field() as one:
        one.flights.add(("slot", 1, 2))
        await one.until(1)
        one.flights.add(("same slot", 1, 3))
        one.flights.add(("its buyer again", 4, 3))
        one.flights.add(("neither", 5, 6))
        one.decide(0)
        await one.until(2)
        assert one.batches[1] == [("neither", 5, 6)]
        one.land(0)
        one.land(1)
        await one.until(3)
        assert one.batches[2] == [("same slot", 1, 3), ("its buyer again", 4, 3)]


class _Asked:
    def __init__(self) -> None:
        self.outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()


async def test_what_was_refused_needs_no_collector() -> None:
    """An error that knows the frame that knows the item that knows the error: at a rush that is what the collector is busy with."""

    async def refuse(batch: Sequence[_Asked], _: Flight[_Asked]) -> None:
        for one in batch:
            fail(one, Refused("slot_full"))

    batches: Batches[_Asked] = Batches(refuse, lambda _: (), lambda error: error, Pace(FEW, 0.01))
    gc.disable()
    try:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(batches.run())
            asked = [_Asked()]
            known = weakref.ref(asked[0])
            with pytest.raises(Refused):
                await batches.ask(asked.pop())
            with pytest.raises(Refused):
                await batches.ask(_Asked())  # the last batch is remembered
            await until(lambda: known() is None)
            running.cancel()
    finally:
        gc.enable()


async def test_there_are_never_more_than_four_in_flight() -> None:
    async with field() as one:
        for number in range(5):
            one.flights.add(("x", number))
            if number < 4:
                await one.until(number + 1)
                one.decide(number)
        await asyncio.sleep(0)
        assert len(one.batches) == 4
        one.land(2)
        await one.until(5)


async def test_what_somebody_else_holds_waits_for_that_alone_and_the_others_for_nothing() -> None:
    async with field() as one:
        with one.flights.holding([UUID(int=1)]):
            one.flights.add(("held", 1))
            await asyncio.sleep(0)
            one.flights.add(("another", 2))
            await one.until(1)
            one.land(0)
        await one.until(2)
        assert one.batches == [[("another", 2)], [("held", 1)]]
