"""Admission: places, the line, and when those turned away are to come back (W13, W14)."""

from __future__ import annotations

import asyncio

import pytest

from fairwire_protocol.errors import Unavailable
from fairwire_server.doors.admission import FIRST_GUESS_S, Admission
from tests.harness.clock import ManualClock


async def test_places_are_given_in_the_order_of_coming_and_given_back_once() -> None:
    admission = Admission(ManualClock(), parallel=2, patience_s=10)
    first, second = await admission.enter(), await admission.enter()
    third, fourth = asyncio.create_task(admission.enter()), asyncio.create_task(admission.enter())
    await asyncio.sleep(0)
    assert admission.waiting == 2
    first()
    first()
    await asyncio.sleep(0)
    assert (third.done(), fourth.done(), admission.waiting) == (True, False, 1)
    second()
    await fourth
    assert admission.waiting == 0


async def test_whoever_would_wait_too_long_is_told_a_moment_of_its_own() -> None:
    clock = ManualClock()
    admission = Admission(clock, parallel=1, patience_s=FIRST_GUESS_S * 2)
    await admission.enter()
    waiting = [asyncio.create_task(admission.enter()) for _ in range(2)]
    await asyncio.sleep(0)
    told = []
    for _ in range(50):
        with pytest.raises(Unavailable) as refused:
            await admission.enter()
        assert refused.value.retry_after_ms is not None
        told.append(refused.value.retry_after_ms)
    assert told == sorted(set(told)), "nobody comes back with another"
    assert told[0] > FIRST_GUESS_S * 2000
    pace = (told[-1] - told[0]) / (len(told) - 1)
    assert pace == pytest.approx(FIRST_GUESS_S * 1000, rel=0.1), "as fast as places become free"
    for one in waiting:
        one.cancel()


async def test_the_pace_follows_how_long_places_are_kept() -> None:
    clock = ManualClock()
    admission = Admission(clock, parallel=1, patience_s=0)
    for _ in range(200):
        leave = await admission.enter()
        clock.advance(1.0)
        leave()
    await admission.enter()
    with pytest.raises(Unavailable) as refused:
        await admission.enter()
    assert refused.value.retry_after_ms == pytest.approx(2000, rel=0.05)


async def test_whoever_gives_up_in_line_costs_nobody_a_place() -> None:
    admission = Admission(ManualClock(), parallel=1, patience_s=10)
    leave = await admission.enter()
    gone, next_ = asyncio.create_task(admission.enter()), asyncio.create_task(admission.enter())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    leave()
    (await next_)()
    (await admission.enter())()
    late, waits = asyncio.create_task(admission.enter()), asyncio.create_task(admission.enter())
    await asyncio.sleep(0)
    (await late)()
    waits.cancel()  # in the very turn in which the place is its own
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    (await admission.enter())()
    assert admission.waiting == 0, "everybody who wanted a place has had it"
