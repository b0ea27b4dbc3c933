"""What a person is going to do, by time: everything done by itself has a random clock of its own, every answer a moment."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Mapping
from itertools import count

__all__ = ["Act", "Agenda"]

Act = Callable[[], object]


class Agenda:
    """Acts by the moment at which they are due. Knows no clock: every method takes `now`."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._heap: list[tuple[float, int, Act, float]] = []
        self._number = count()

    def start(self, rates: Mapping[str, float], acts: Mapping[str, Act], now: float) -> None:
        """Begin the clocks of all habits, each at a random point of its course."""
        for name, rate in rates.items():
            if name in acts:
                self._push(now + self._chance.expovariate(rate), acts[name], rate)

    def add(self, at: float, act: Act) -> None:
        """Once, at that moment."""
        self._push(at, act, 0.0)

    def next_at(self) -> float | None:
        """When there is something to do."""
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> Act | None:
        """What is due, the oldest first. A habit is entered again from now on, so that what was late is not caught up."""
        if not self._heap or self._heap[0][0] > now:
            return None
        _, _, act, rate = heapq.heappop(self._heap)
        if rate:
            self._push(now + self._chance.expovariate(rate), act, rate)
        return act

    def _push(self, at: float, act: Act, rate: float) -> None:
        heapq.heappush(self._heap, (at, next(self._number), act, rate))
