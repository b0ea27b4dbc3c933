"""Rate limits (W12): bursts, refill, separate buckets, bounded memory."""

from __future__ import annotations

from collections.abc import Hashable
from typing import get_args

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from fairwire_protocol.errors import FairwireError
from fairwire_protocol.operations import RateClass
from fairwire_server.doors.limits import ACCOUNT_RATES, Limits, Rate
from tests.doors.service import CHAT, running
from tests.harness.clock import ManualClock


def limits(clock: ManualClock, per_second: float, burst: int, *, factor: float = 1.0, keys_max: int = 100) -> Limits:
    """Limits with one class."""
    return Limits(clock, rates={"send": Rate(per_second, burst)}, factor=factor, keys_max=keys_max)


def wait(checked: Limits, key: Hashable = "a") -> int:
    """0 if the call went through, else the milliseconds to wait."""
    try:
        checked.check(key, "send")
    except FairwireError as error:
        return error.retry_after_ms or 0
    return 0


def test_every_class_has_a_rate() -> None:
    assert set(ACCOUNT_RATES) == set(get_args(RateClass))


def test_a_burst_goes_through_then_one_per_interval() -> None:
    clock = ManualClock()
    checked = limits(clock, 10, 5)
    assert [wait(checked) for _ in range(6)] == [0, 0, 0, 0, 0, 100]
    clock.advance(0.1)
    assert [wait(checked), wait(checked)] == [0, 100]
    clock.advance(60)
    assert [wait(checked) for _ in range(6)] == [0, 0, 0, 0, 0, 100]


def test_waiting_as_told_is_enough_and_asking_meanwhile_costs_nothing() -> None:
    clock = ManualClock()
    checked = limits(clock, 3, 1)
    assert wait(checked) == 0
    told = [wait(checked) for _ in range(100)]
    assert told == [334] * 100
    clock.advance(0.334)
    assert wait(checked) == 0


def test_keys_do_not_share_a_bucket() -> None:
    checked = limits(ManualClock(), 1, 1)
    assert wait(checked, "a") == 0
    assert wait(checked, "b") == 0
    assert wait(checked, "a") > 0


@pytest.mark.parametrize(("factor", "through"), [(0.0, 50), (2.0, 10), (0.5, 2), (0.01, 1)])
def test_the_factor_scales_and_zero_turns_off(factor: float, through: int) -> None:
    checked = limits(ManualClock(), 1, 5, factor=factor)
    assert sum(wait(checked) == 0 for _ in range(50)) == through


def test_memory_stays_bounded_whatever_comes() -> None:
    clock = ManualClock()
    checked = limits(clock, 1, 5, keys_max=100)
    for number in range(10_000):
        wait(checked, number)
    held = checked._classes["send"]
    assert len(held._young) + len(held._old) <= 200


def test_a_bucket_outlives_the_turn_of_generations() -> None:
    clock = ManualClock()
    checked = limits(clock, 1, 4)
    assert wait(checked, "first") == 0
    clock.advance(3.9)
    assert [wait(checked, "a") for _ in range(4)] == [0, 0, 0, 0]
    clock.advance(0.1)
    assert wait(checked, "b") == 0  # a new key, and the time is up: a new generation
    assert wait(checked, "a") == 900


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), max_size=150))
def test_two_generations_decide_as_one_table_would(calls: list[tuple[str, int]]) -> None:
    """Dropping the older generation forgets nothing that would still matter."""
    clock = ManualClock()
    checked = limits(clock, 1, 4)
    full_at: dict[str, float] = {}
    for key, tenths in calls:
        clock.advance(tenths / 10)
        now = clock.monotonic()
        due = max(full_at.get(key, now), now)
        allowed = due - now <= 3 + 1e-9
        if allowed:
            full_at[key] = due + 1
        assert (wait(checked, key) == 0) is allowed


async def test_a_call_over_the_rate_is_told_when_to_come_back_and_counted() -> None:
    """W12, at the door: 429, Retry-After, before the body is read."""
    async with running(factor=0.001) as door:  # every burst is 1
        async with door.client.put(f"/v1/t/{CHAT}", json={}) as answer:
            assert answer.status == 200
        async with door.client.put(f"/v1/t/{CHAT}", data=b"{") as answer:
            error = (await answer.json())["error"]
            assert (answer.status, error["code"]) == (429, "rate_limited")
            assert int(answer.headers["Retry-After"]) * 1000 >= error["retry_after_ms"]
        assert door.metrics.rate_limited == {"command": 1}
        door.clock.advance(error["retry_after_ms"] / 1000)
        async with door.client.put(f"/v1/t/{CHAT}", json={}) as answer:
            assert answer.status == 200


async def test_calls_without_a_token_count_by_address() -> None:
    async with running(factor=0.005) as door, ClientSession(door.url) as stranger:  # one sign-in
        async with stranger.post("/v1/open", json={"chat": str(CHAT)}) as answer:
            assert answer.status == 200
        async with stranger.post("/v1/open", json={"chat": str(CHAT)}) as answer:
            assert answer.status == 429
