"""Channels: the sockets that follow one stream, and the order in which they get its events (W4).

Commit order is position order, so a position that was seen means that everything below it is committed. Two transactions may
still announce theirs the other way round: an event that comes too early is held for a moment; if what is missing does not come,
the sockets read it from the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from operator import length_hint
from time import perf_counter
from typing import Final
from uuid import UUID

from fairwire_protocol.codec import Codec
from fairwire_protocol.frames import Stream
from fairwire_server.hub.socket import Socket, websocket_frame
from fairwire_server.observe import Metrics
from fairwire_server.streams.told import Told

__all__ = ["HOLE_S", "UNKNOWN", "Channel"]

HOLE_S: Final = 0.1
AT_ONCE: Final = 1_000
"""Sockets of a fair that are written to in the first turn of the loop: some milliseconds, and all there are on a quiet node."""
SLICE: Final = 200
"""Sockets in each further turn, at least: about a millisecond, since what a message waits for takes several turns."""
SHARE: Final = 3
"""On a busy node, how many times as long as everything else of a turn they may take: the last of thousands waits for all of that."""
UNKNOWN: Final = -1


@dataclass(slots=True)
class _Push:
    """Events of the fair on their way to those who have not had their turn yet."""

    due: list[tuple[int, Told]]
    crowd: Iterator[Socket]
    turn: int = AT_ONCE
    began: float = 0.0
    ended: float = 0.0
    """When the last turn began and ended, in seconds."""
    joined: dict[str, bytes] = field(default_factory=dict)

    def join(self, codec: Codec) -> bytes:
        """All of them as the same bytes for everybody of a codec (W3)."""
        frames = (codec.event_frame("fair", pos, told.encoded("team", codec)) for pos, told in self.due)
        data = self.joined[codec.name] = b"".join(websocket_frame(frame, binary=codec.binary) for frame in frames)
        return data

    def take(self) -> Iterator[Socket]:
        """Those whose turn it is."""
        now = perf_counter()
        if self.ended:
            each = max(self.ended - self.began, 1e-6) / self.turn
            self.turn = max(SLICE, min(AT_ONCE, round(SHARE * (now - self.ended) / each)))
        self.began = now
        return islice(self.crowd, self.turn)


class Channel:
    """One stream as seen from this node. `top` is the last position handed out, UNKNOWN until a socket has read the log."""

    __slots__ = (
        "_crowd",
        "_due",
        "_held",
        "_metrics",
        "_pushing",
        "_timer",
        "expected",
        "id",
        "sockets",
        "stream",
        "top",
    )

    def __init__(self, stream: Stream, id_: UUID, metrics: Metrics) -> None:
        self.stream: Stream = stream
        self.id = id_
        self.top = UNKNOWN
        self.sockets: dict[int, Socket] = {}
        self.expected = 0
        """Sockets to come, for whom the log is being read: what is committed from now on must not go by unseen."""
        self._held: dict[int, Told] = {}
        self._due: list[tuple[int, Told]] = []
        self._crowd: list[Socket] | None = None
        """The sockets as a list, never changed: a copy for each announcement would touch every one of thousands once more."""
        self._pushing = False
        self._timer: asyncio.TimerHandle | None = None
        self._metrics = metrics

    def join(self, socket: Socket) -> None:
        """It follows from now on."""
        self.sockets[socket.number] = socket
        self._crowd = None

    def leave(self, socket: Socket) -> None:
        """It follows no more."""
        self.sockets.pop(socket.number, None)
        self._crowd = None

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
        if self.stream == "fair":
            self._due.append((pos, told))
            self._push_soon()
        else:
            self._push_own(pos, told)

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

    def _push_due(self) -> None:
        """What was handed out since the last turn, in one write to each."""
        due, self._due = self._due, []
        if not due:  # nobody follows any more
            self._pushing = False
            return
        if self._crowd is None:
            self._crowd = list(self.sockets.values())
        self._push_slice(_Push(due, iter(self._crowd)))

    def _push_slice(self, push: _Push) -> None:
        """A slice of the sockets, then the loop's turn: thousands of writes must not hold up everything else."""
        joined, before, last = push.joined, push.due[0][0] - 1, push.due[-1][0]
        count = written = size = 0
        codec, data = None, b""
        for socket in push.take():
            if not socket.live or socket.fair_cursor != before:
                if socket.live and socket.fair_cursor < last:
                    socket.lag()
                continue
            if socket.codec is not codec:
                codec = socket.codec
                data = joined.get(codec.name) or push.join(codec)
            try:
                if socket.push_fair_events(last, data):
                    written += 1
                    size += len(data)
            except (ConnectionError, OSError, RuntimeError):  # one that has just gone is no fault of the others
                socket.link.abort()
            count += 1
        events = last - before
        self._metrics.deliveries += count * events
        self._metrics.frames_out += written * events
        self._metrics.bytes_out += size
        if length_hint(push.crowd):
            push.ended = perf_counter()
            asyncio.get_running_loop().call_soon(self._push_slice, push)
        else:
            self._pushing = False
            self._push_soon()

    def _push_soon(self) -> None:
        if self._due and not self._pushing:
            self._pushing = True
            asyncio.get_running_loop().call_soon(self._push_due)

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
        self._due.clear()
