"""Channels: the sockets that follow one stream, and the order in which they get its events (W4).

Commit order is position order, so a position that was seen means that everything below it is committed. Two transactions may
still announce theirs the other way round: an event that comes too early is held for a moment; if what is missing does not come,
the sockets read it from the log.
"""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID

from fairwire_protocol.frames import Stream
from fairwire_server.hub.socket import Socket, websocket_frame
from fairwire_server.observe import Metrics
from fairwire_server.streams.told import Told

__all__ = ["HOLE_S", "UNKNOWN", "Channel"]

HOLE_S: Final = 0.1
UNKNOWN: Final = -1


class Channel:
    """One stream as seen from this node. `top` is the last position handed out, UNKNOWN until a socket has read the log."""

    __slots__ = ("_held", "_metrics", "_timer", "id", "sockets", "stream", "top")

    def __init__(self, stream: Stream, id_: UUID, metrics: Metrics) -> None:
        self.stream: Stream = stream
        self.id = id_
        self.top = UNKNOWN
        self.sockets: dict[int, Socket] = {}
        self._held: dict[int, Told] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._metrics = metrics

    def committed(self, pos: int, told: Told) -> None:
        """An event was committed at `pos`. In order, it goes out now; early, it is held; old, it is known already."""
        if self.top == UNKNOWN or pos > self.top + 1:
            self._hold(pos, told)
        elif pos == self.top + 1:
            self._hand_out(pos, told)
            while self._held and (told_next := self._held.pop(self.top + 1, None)) is not None:
                self._hand_out(self.top + 1, told_next)
            if not self._held:
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
        self._metrics.holes += 1
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
        push = self._push_shared if self.stream == "fair" else self._push_own
        push(pos, told)

    def _push_own(self, pos: int, told: Told) -> None:
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
            self._metrics.deliveries += 1

    def _push_shared(self, pos: int, told: Told) -> None:
        """The same bytes for everybody of a codec (W3)."""
        prepared: dict[str, bytes] = {}
        count = written = size = 0
        for socket in self.sockets.values():
            if pos != socket.fair_cursor + 1 or not socket.live:
                if socket.live and pos > socket.fair_cursor:
                    socket.lag()
                continue
            codec = socket.codec
            data = prepared.get(codec.name)
            if data is None:
                frame = codec.event_frame("fair", pos, told.encoded(socket.view, codec))
                data = prepared[codec.name] = websocket_frame(frame, binary=codec.binary)
            try:
                if socket.push_fair_event(pos, data):
                    written += 1
                    size += len(data)
            except (ConnectionError, OSError, RuntimeError):  # one that has just gone is no fault of the others
                socket.link.abort()
            count += 1
        self._metrics.deliveries += count
        self._metrics.frames_out += written
        self._metrics.bytes_out += size

    def caught_up(self, socket: Socket) -> bool:
        """Whether the socket has everything that this channel knows of; the first to say so tells where the stream stands."""
        cursor = socket.fair_cursor if self.stream == "fair" else socket.cursor
        if self.top == UNKNOWN:
            self.top = cursor
        return cursor >= self.top

    def shut(self) -> None:
        """Nobody follows any more."""
        self._stop_timer()
        self._held.clear()
