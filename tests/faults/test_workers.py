"""Real workers die by SIGKILL at every point of a notice's life: nothing is lost, and nothing is sent twice unless it says so (N4).

A node takes bookings; workers are processes of their own, on a PostgreSQL whose clock the test moves, with a real mail server and a
real message centre. One worker is made to die somewhere, its lease passes, and others finish what it left.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.office import Office, office
from tests.harness.mortal import POINTS
from tests.harness.server import ServerProcess
from tests.harness.smtp import Behaviour
from tests.harness.until import until

HANDED = "handed"
"""The provider has it and has not answered: killed from outside."""


async def test_kill_9_of_a_worker_loses_no_notice_and_repeats_none_unflagged_n4(
    database_url: str, tmp_path: Path
) -> None:
    async with office(database_url, tmp_path) as fair:
        await fair.book(2)
        await _handed_over_and_killed(fair)
        survivor = await fair.worker()
        for kind, point in (("reminder_day", "taken"), ("reminder_soon", "claimed"), (None, "writing")):
            await fair.a_lease_passes()
            await fair.settled()
            async with survivor.frozen():
                mortal = await fair.mortal(point)
                await (fair.until_due(kind) if kind else fair.book(1))
                assert await mortal.ended() == -signal.SIGKILL
        await fair.a_lease_passes()
        await fair.worker()
        await fair.to_the_end()
        told = await fair.judge()
        assert told["flagged", "assigned"]
        assert told["flagged", "reminder_soon"]
        assert told["unknown", "reminder_day"]
        assert not told["flagged", "reminder_day"]


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_kill_9_of_workers_fifty_times_n4(database_url: str, tmp_path: Path) -> None:
    """Wherever they are when they have come to a point some times; a second worker stands still meanwhile, or works beside."""
    seed = random.SystemRandom().randrange(10**6)
    rng, deaths = random.Random(seed), Counter[str]()
    async with office(database_url, tmp_path, smtp_rate=20, sms_rate=20) as fair:
        survivor = await fair.worker()
        for _ in range(50):
            point = rng.choice([*POINTS, HANDED])
            deaths[point] += 1
            if point == HANDED:
                async with survivor.frozen():
                    await fair.book(2)
                    await _handed_over_and_killed(fair)
            elif rng.random() < 0.5:
                async with survivor.frozen():
                    await _dies(fair, await fair.mortal(point, rng.randint(1, 3)), rng)
            else:
                await _dies(fair, await fair.mortal(point, rng.randint(1, 3)), rng)
            await fair.a_lease_passes()
            await fair.settled()
        await fair.worker()
        await fair.to_the_end()
        print(f"seed {seed}: {dict(deaths)}; {dict(await fair.judge())}")


async def _dies(fair: Office, worker: ServerProcess, rng: random.Random) -> None:
    """Something falls due until it has come to its point."""
    ended = asyncio.ensure_future(worker.ended())
    while not ended.done():
        await fair.something_falls_due(rng)
        await asyncio.wait({ended}, timeout=1.0)
    assert await ended == -signal.SIGKILL, worker.said


async def _handed_over_and_killed(fair: Office) -> None:
    """The mail server keeps a mail and says nothing; then its worker is gone."""
    fair.sink.behave(at_data=Behaviour.MUTE)
    before, worker = len(fair.sink.mails), await fair.worker()
    await until(lambda: len(fair.sink.mails) > before, 20)
    await worker.kill()
    fair.sink.behave()
