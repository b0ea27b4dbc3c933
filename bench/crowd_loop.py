"""A crowd on an asyncio loop, beside people who talk there: its epoll is one more descriptor that the loop listens to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench.crowd import Crowd

__all__ = ["listening"]

AT_A_TIME: Final = 48
"""Events of the crowd between two turns of the loop, so that who talks there is not kept waiting."""
TICK_S: Final = 0.01


@contextmanager
def listening(crowd: Crowd) -> Iterator[None]:
    """Inside, the loop takes in what the crowd gets."""
    loop = asyncio.get_running_loop()
    loop.add_reader(crowd.fileno(), lambda: crowd.step(0, AT_A_TIME))
    clock = loop.create_task(_clock(crowd))
    try:
        yield
    finally:
        clock.cancel()
        loop.remove_reader(crowd.fileno())


async def _clock(crowd: Crowd) -> None:
    """Who waits for an instant is not woken by a descriptor."""
    while True:
        await asyncio.sleep(TICK_S)
        crowd.step(0, 1)
