"""Admission: how many sockets are brought up to date at once, so that a storm of reconnects is served at the rate of the database
and everybody who is live already hardly notices (W13, W14).

Each hello needs a place while its account and its first state are read. There are so many that they fill the statements that they
share, and no more; who finds none waits in line. Whoever would wait too long is turned away with the moment at which its turn will
come: these moments are as far apart as places become free, so that those turned away do not come back together either.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from fairwire_protocol.errors import Unavailable
from fairwire_server.clock import Clock

__all__ = ["Admission"]

FIRST_GUESS_S: Final = 0.02
WEIGHT: Final = 0.05
"""Of the newest stay in the mean of all."""


class Admission:
    """`parallel` places, and a line that nobody shall stand in for longer than `patience_s` seconds."""

    def __init__(self, clock: Clock, *, parallel: int, patience_s: float) -> None:
        self._clock = clock
        self._parallel = parallel
        self._patience_s = patience_s
        self._taken = 0
        self._line: deque[asyncio.Future[None]] = deque()
        self._stay_s = FIRST_GUESS_S
        self._promised = 0.0

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._line)

    async def enter(self) -> Callable[[], None]:
        """Take a place, waiting for it if there are others. Answers how to give it back; a second time does nothing.

        Raises `Unavailable` with `retry_after_ms` when the line is too long.
        """
        if self._taken >= self._parallel:
            await self._stand_in_line()
        else:
            self._taken += 1
        began = self._clock.monotonic()
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self._stay_s += (self._clock.monotonic() - began - self._stay_s) * WEIGHT
                self._pass_on()

        return leave

    async def _stand_in_line(self) -> None:
        pace_s = self._stay_s / self._parallel
        wait_s = (len(self._line) + 1) * pace_s
        now = self._clock.monotonic()
        if wait_s > self._patience_s:
            self._promised = max(self._promised, now + wait_s) + pace_s
            raise Unavailable(retry_after_ms=int((self._promised - now) * 1000) + 1)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()  # the place came in the very moment of giving up
            raise

    def _pass_on(self) -> None:
        """The place goes to the first in line who still waits."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._taken -= 1
