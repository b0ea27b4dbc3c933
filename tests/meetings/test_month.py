"""One month of a fair at small scale in virtual time: every notice accounted for (N1–N4, N9, M12).

Buyers book, exhibitors assign, meetings are moved, given to others and called off, people want quiet; zones change to winter time, the
clock of the machine is set forward and back, providers have their moments. What was due is reckoned from the bookings alone.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fairwire_server.channels.build import Channels
from fairwire_server.notices.parcels import Parcel, Sms, TryLater, Undeliverable
from fairwire_server.notices.sms_catalogue import default_catalogue
from tests.harness.node import running_node
from tests.meetings.month import LeapingClock, Month
from tests.notices.draining import Counting

FIRST = datetime(2026, 10, 23, 12, 0, tzinfo=UTC)
"""Two days before Europe's summer time ends; America's ends a week later, Lord Howe's half hour has begun."""


async def test_every_notice_of_some_days_is_accounted_for_n4(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await _faults(database_url, tmp_path, monkeypatch, days=3, acts=14, seed=5) == []


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_every_notice_of_a_month_is_accounted_for_n4(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    assert await _faults(database_url, tmp_path, monkeypatch, days=31, acts=24, seed=seed) == []


async def _faults(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, days: int, acts: int, seed: int
) -> list[object]:
    print(f"seed {seed}")
    rng, moods, clock = random.Random(seed), random.Random(seed), LeapingClock(FIRST)

    async def moody(parcel: Parcel) -> None:
        if moods.random() < 0.03:
            raise TryLater("busy")
        if isinstance(parcel, Sms) and moods.random() < 0.03:
            raise Undeliverable("no_such_number")

    channels = [Counting("email", clock, behave=moody), Counting("sms", clock, behave=moody)]
    made = Channels(by_kind={one.kind: one for one in channels}, catalogue=default_catalogue("https://fair.example"))
    monkeypatch.setattr("fairwire_server.compose.node.build_channels", lambda *_: made)
    async with running_node(url, folder, clock) as running:
        month = Month(running, clock, channels, rng)
        await month.begin(buyers=8)
        for day in range(days):
            for hours in sorted(rng.choices(range(24), k=acts // 2)):
                await month.go(FIRST + timedelta(days=day, hours=hours, minutes=rng.choice([7, 52])))
                await month.something()
                await month.something()
            await month.leap()
        await month.go(clock.now() + timedelta(days=7))
        print(dict(month.done), {one.kind: len(one.left) for one in channels})
        return await month.faults()
