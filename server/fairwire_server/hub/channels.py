"""Channels: the sockets that follow one stream, and the order in which they get its events (W4).

Commit order is position order, so a position that was seen means that everything below it is committed. Two transactions may
still announce theirs the other way round: an event that comes too early is held for a moment; if what is missing does not come,
the sockets read it from the log.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Final

from fairwire_server.hub.socket import Socket, websocket_frame
from fairwire_server.observe import Metrics
from fairwire_server.streams.told import Told

__all__ = ["HOLE_S", "UNKNOWN", "AccountChannel", "Channel"]

HOLE_S: Final = 0.1
UNKNOWN: Final = -1


class Channel(ABC):
    """One stream as seen from this node. `top` is the last position handed out, UNKNOWN until a socket has read the log."""

    __slots__ = ("_held", "_timer", "expected", "metrics", "sockets", "top")

    def __init__(self, metrics: Metrics) -> None:
        self.top = UNKNOWN
        self.sockets: dict[int, Socket] = {}
        self.expected = 0
        """Sockets to come, for whom the log is being read: what is committed from now on must not go by unseen."""
        self.metrics = metrics
        self._held: dict[int, Told] = {}
        self._timer: asyncio.TimerHandle | None = None

    @abstractmethod
    def _push(self, pos: int, told: Told) -> None:
        """Hand out the next event."""

    @abstractmethod
    def _cursor(self, socket: Socket) -> int:
        """Where the socket stands in this stream."""

    def join(self, socket: Socket) -> None:
        """It follows from now on."""
        self.sockets[socket.number] = socket

    def leave(self, socket: Socket) -> None:
        """It follows no more."""
        self.sockets.pop(socket.number, None)

    def committed(self, pos: int, told: Told) -> None:
        """An event was committed at `pos`. In order, it goes out now; early, it is held; old, it is known already."""
        if self.top == UNKNOWN or pos > self.top + 1:
            self._hold(pos, told)
        elif pos == self.top + 1:
            self._hand_out(pos, told)
            while self._held and (told_next := self._held.pop(self.top + 1, None)) is not None:
                self._hand_out(self.top + 1, told_next)
            if self._timer is not None and not self._held:
                self._stop_timer()

    def exists(self, pos: int) -> None:
        """Somebody else knows that the stream has reached `pos`: read the log if it does not come by itself."""
        if pos > self.top:
            self._give_up_on(pos)

    def _hold(self, pos: int, told: Told) -> None:
        if self.top == UNKNOWN:
            # Nobody is live yet: whoever is reading the log must read at least this far.
            self.top = pos
            return
        self._held[pos] = told
        self.metrics.holes += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HOLE_S, self._hole_stays)

    def _hole_stays(self) -> None:
        self._timer = None
        if self._held:
            self._give_up_on(max(self._held))

    def _give_up_on(self, pos: int) -> None:
        """What is missing up to `pos` will not come by itself: live sockets read it from the log."""
        self._held.clear()
        self._stop_timer()
        self.top = max(self.top, pos)
        for socket in list(self.sockets.values()):
            socket.lag()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hand_out(self, pos: int, told: Told) -> None:
        self.top = pos
        self._push(pos, told)

    def caught_up(self, socket: Socket) -> bool:
        """Whether the socket has everything that this channel knows of; the first to say so tells where the stream stands."""
        cursor = self._cursor(socket)
        if self.top == UNKNOWN:
            self.top = cursor
        return cursor >= self.top

    def shut(self) -> None:
        """Nobody follows any more."""
        self._stop_timer()
        self._held.clear()


class AccountChannel(Channel):
    """An account's stream: each of its few sockets gets an event in its own view and codec, in this turn's write."""

    __slots__ = ()

    def _cursor(self, socket: Socket) -> int:
        return socket.cursor

    def _push(self, pos: int, told: Told) -> None:
        receivable = told.receivable
        for socket in self.sockets.values():
            if not socket.live or pos <= socket.cursor:
                continue
            if pos != socket.cursor + 1:
                socket.lag()
                continue
            codec = socket.codec
            frame = codec.event_frame("account", pos, told.encoded(socket.view, codec))
            socket.push_event(pos, websocket_frame(frame, binary=codec.binary), receivable)
            self.metrics.deliveries += 1
