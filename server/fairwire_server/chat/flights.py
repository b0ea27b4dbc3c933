"""Batches in flight: one is decided at a time, and what comes meanwhile is the next one.

The next one begins when the one before has only its COMMIT left. A batch that is held up, by a row that somebody else has locked,
does not hold up the others for long: after a moment the next one begins beside it, without those whose rows it may hold. Who comes
alone does not wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from uuid import UUID

__all__ = ["Flight", "Flights"]

T = TypeVar("T")
BATCH: Final = 128
IN_FLIGHT: Final = 4
"""At most: those that commit, and those beside one that is held up."""
PATIENCE_S: Final = 0.05


@dataclass(slots=True, eq=False)
class Flight(Generic[T]):
    """A batch on its way."""

    items: Sequence[T]
    held_up_at: float
    """The loop's time from which on it counts as held up."""
    deciding: bool = True


class Flights(Generic[T]):
    """Gathers items and hands them to `settle` in batches; `home` names whose rows an item needs."""

    def __init__(self, settle: Callable[[Sequence[T], Flight[T]], Awaitable[None]], home: Callable[[T], UUID]) -> None:
        self._settle = settle
        self._home = home
        self._flying: set[Flight[T]] = set()
        self._came = asyncio.Event()
        self._turned: asyncio.Future[None] | None = None
        self.waiting: list[T] = []

    def add(self, item: T) -> None:
        """Into the next batch that may have it."""
        self.waiting.append(item)
        self._came.set()

    def decided(self, flight: Flight[T]) -> None:
        """Only COMMIT is left of it, or nothing: the next one may begin."""
        flight.deciding = False
        if self._turned is not None and not self._turned.done():
            self._turned.set_result(None)

    async def run(self) -> None:
        """Send batches off until cancelled. `settle` must not raise."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._came.wait()
                self._came.clear()
                while self.waiting:
                    await self._may_begin()
                    if batch := self._next_batch():
                        flight = Flight(batch, asyncio.get_running_loop().time() + PATIENCE_S)
                        self._flying.add(flight)
                        group.create_task(self._fly(flight))
                    else:  # all of it belongs to those in flight
                        await self._change()

    async def _fly(self, flight: Flight[T]) -> None:
        try:
            await self._settle(flight.items, flight)
        finally:
            self._flying.discard(flight)
            self.decided(flight)

    async def _may_begin(self) -> None:
        """Return once nobody decides, or who does is held up; and there is room."""
        while True:
            now = asyncio.get_running_loop().time()
            left = max((flight.held_up_at - now for flight in self._flying if flight.deciding), default=0.0)
            if len(self._flying) >= IN_FLIGHT:
                await self._change()
            elif left > 0:
                await self._change(left)
            else:
                return

    async def _change(self, within: float | None = None) -> None:
        """Return once a flight is decided or over, or after `within` seconds."""
        self._turned = turned = asyncio.get_running_loop().create_future()
        await asyncio.wait([turned], timeout=within)

    def _next_batch(self) -> list[T]:
        """Who has waited longest, without those whose rows may be held."""
        busy = {self._home(item) for flight in self._flying for item in flight.items}
        batch: list[T] = []
        rest: list[T] = []
        for item in self.waiting:
            (rest if len(batch) >= BATCH or self._home(item) in busy else batch).append(item)
        self.waiting = rest
        return batch
