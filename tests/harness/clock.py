"""A clock that tests move: nothing here passes by itself, so a test of ten minutes takes none."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

__all__ = ["ManualClock"]

START = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)


class ManualClock:
    """A `Clock` whose time moves by `advance` alone, or, with `jumps=True`, also to the end of whatever sleeps."""

    def __init__(self, start: datetime = START, *, jumps: bool = False) -> None:
        self._start = start
        self._elapsed = 0.0
        self._jumps = jumps
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._slept = asyncio.Event()

    def now(self) -> datetime:
        """The instant it shows, in UTC."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Seconds advanced so far."""
        return self._elapsed

    def boottime(self) -> float:
        """The same: nothing here stops while time goes on."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Returns once time was advanced by `seconds`; at once when it jumps."""
        if self._jumps or seconds <= 0:
            self._elapsed += max(0.0, seconds)
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), woken))
        self._slept.set()
        await woken

    @property
    def sleeping(self) -> int:
        """How many wait in `sleep`."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    async def until_sleeping(self, count: int = 1) -> None:
        """Returns once that many wait in `sleep`; however long their work before takes."""
        while self.sleeping < count:
            self._slept.clear()
            await self._slept.wait()

    def advance(self, seconds: float) -> None:
        """Move on, and wake whoever is due in the order of their times; they run when the caller next awaits."""
        self._elapsed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)

    async def pass_(self, seconds: float) -> None:
        """`advance`, then let everybody who was woken run as far as it can without I/O."""
        self.advance(seconds)
        for _ in range(20):
            await asyncio.sleep(0)
