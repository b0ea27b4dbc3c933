"""Hints in a rush: the first is heard at once, the others together (N5)."""

from __future__ import annotations

import asyncio

from fairwire_server.clock import SystemClock
from fairwire_server.database.pool import Database
from fairwire_server.jobs.hints import GATHER_S, Hints
from tests.harness.until import until


async def test_a_rush_is_heard_at_once_and_once_more_n5(database: Database) -> None:
    loop = asyncio.get_running_loop()
    hints, heard = Hints(database, SystemClock(), tells=False), list[float]()
    hints.heard = lambda: heard.append(loop.time())
    began = loop.time()
    for _ in range(50):
        hints()
    await until(lambda: len(heard) == 1)
    while loop.time() < began + GATHER_S / 2:  # others commit meanwhile
        hints()
        await asyncio.sleep(0)
    await until(lambda: len(heard) == 2)
    assert heard[1] - heard[0] >= GATHER_S * 0.99
    assert loop.time() - began < 5
