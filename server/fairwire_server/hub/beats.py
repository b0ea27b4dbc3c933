"""Beats: one exchange that is heartbeat, position check and receipt (W11), and the end of tokens (W13).

Sockets are spread over as many slots as an interval has ticks, so that beats trickle instead of bursting. Time here is the hub's
own: a tick never advances it by more than twice its length, so that a loop that stood still does not take its sockets for dead.
"""

from __future__ import annotations

from typing import Final

from fairwire_protocol.errors import Close
from fairwire_protocol.frames import Beat
from fairwire_server.clock import Clock
from fairwire_server.hub.hub import Hub
from fairwire_server.hub.socket import Socket

__all__ = ["Beats"]

TICK_S: Final = 0.25
TOKEN_GRACE_S: Final = 30.0


class Beats:
    """Sends beats and closes who does not answer."""

    def __init__(self, hub: Hub, clock: Clock, *, interval_s: float, answer_s: float) -> None:
        self._hub = hub
        self._clock = clock
        self._answer_s = answer_s
        self._slots = max(1, round(interval_s / TICK_S))
        hub.spread(self._slots)
        self._answer_ticks = max(1, round(answer_s / TICK_S))
        self._tick = 0
        self.now = 0.0
        """The hub's time, in seconds since it started; `Socket.beat_at` is in it."""

    async def run(self) -> None:
        """Tick until cancelled."""
        before = self._clock.monotonic()
        while True:
            await self._clock.sleep(TICK_S)
            now = self._clock.monotonic()
            self.now += min(now - before, 2 * TICK_S)
            before = now
            self.tick()

    def tick(self) -> None:
        """Beat this tick's slot, look at the slot whose answers are due, and close whose token is over."""
        self._tick += 1
        for socket in self._hub.part(self._tick % self._slots):
            self._beat(socket)
        if self._slots > 1:
            for socket in self._hub.part((self._tick - self._answer_ticks) % self._slots):
                self._check_answer(socket)
        for socket in self._hub.expired(self._clock.monotonic() - TOKEN_GRACE_S):
            socket.close(Close.TOKEN_EXPIRED, "the access token is over; refresh it first")

    def _beat(self, socket: Socket) -> None:
        if socket.live and socket.beat_at is None:
            socket.beat_at = self.now
            socket.send(Beat(pos=socket.cursor, fair_pos=socket.fair_cursor))

    def _check_answer(self, socket: Socket) -> None:
        """Any frame counts as life: the door clears `beat_at` with each (W11)."""
        if socket.unread:
            return  # its answer may be waiting right behind the calls that wait for their turn
        if socket.beat_at is not None and self.now - socket.beat_at >= self._answer_s * 0.9:
            socket.close(Close.NO_ANSWER, "the beat was not answered")
