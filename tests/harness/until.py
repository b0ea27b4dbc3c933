"""Waiting for what another process or node does, where nothing tells when: asked again and again, within a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["until"]

PAUSE_S = 0.01


async def until(holds: Callable[[], Awaitable[bool] | bool], within: float = 10.0) -> float:
    """Return once it holds, with the seconds that took; fails after `within`."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        held = holds()
        if held if isinstance(held, bool) else await held:
            return loop.time() - began
        assert loop.time() - began < within, f"not within {within} s: {holds}"
        await asyncio.sleep(PAUSE_S)  # somebody else's doing is waited for, and nobody says when it is done
