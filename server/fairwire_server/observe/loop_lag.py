"""How late the event loop runs: a task that sleeps and looks how much later it woke (W11: deadlines move with it)."""

from __future__ import annotations

import asyncio
from typing import Final

from fairwire_server.clock import Clock
from fairwire_server.observe.metrics import Metrics

__all__ = ["ALIVE_S", "LoopLag"]

EVERY_S: Final = 0.25
ALIVE_S: Final = 5.0
"""A loop that is later than this is not healthy."""


class LoopLag:
    """Samples the lag until cancelled. `lag` is what it was last, or how long the present sample is overdue, if that is more."""

    def __init__(self, clock: Clock, metrics: Metrics, *, every: float = EVERY_S) -> None:
        self._clock = clock
        self._metrics = metrics
        self._every = every
        self._due: float | None = None
        self._last = 0.0

    @property
    def lag(self) -> float:
        """Seconds the loop is behind."""
        overdue = 0.0 if self._due is None else self._clock.monotonic() - self._due
        return max(self._last, overdue, 0.0)

    async def run(self) -> None:
        """Sample for ever; a task of the composition root."""
        while True:
            self._due = self._clock.monotonic() + self._every
            await self._clock.sleep(self._every)
            self._last = max(0.0, self._clock.monotonic() - self._due)
            self._metrics.loop_lag_seconds = self._last
            self._metrics.loop_lag.observe(self._last)
            await asyncio.sleep(0)
