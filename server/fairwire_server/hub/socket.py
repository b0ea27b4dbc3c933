"""One live socket: what it has been sent, what waits for it, and what becomes of it when it does not read (W12).

Frames are whole WebSocket frames, prepared before they get here. What is due within one turn of the event loop leaves in one
write. The hub never awaits a reader: a socket that does not drain keeps at most its limits of bytes and frames; beyond them it
turns *lagging*, remembers nothing but where it is, and is refilled from the log as it drains.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from fairwire_protocol.codec import Codec
from fairwire_protocol.errors import Close
from fairwire_protocol.frames import Bye, ServerFrame
from fairwire_protocol.models import PresenceState, Side
from fairwire_server.accounts.rules import Caller
from fairwire_server.framing import websocket_frame
from fairwire_server.observe import Metrics
from fairwire_server.streams.told import Receivable

if TYPE_CHECKING:
    from fairwire_server.hub.ready import Ready

__all__ = ["Link", "QueueLimits", "Socket", "websocket_frame"]

WRITE_BYTES = 65_536
RECEIVABLE_MAX = 2_000


class Link(Protocol):
    """The connection below a socket, as the door that accepted it offers it."""

    fd: int
    """The descriptor that bytes may be written to here and now; -1 while something waits in the transport, or nobody is there."""

    busy: Callable[[], None] | None
    """Called when the descriptor is no longer free: whoever has set this writes to it without asking."""

    def write(self, data: bytes) -> bool:
        """Hand bytes to the operating system, or to the transport's buffer. Answers whether that is over its mark now."""

    async def drained(self) -> None:
        """Return once the buffer is below its mark again."""

    async def close(self, code: int, reason: str) -> None:
        """The closing handshake."""

    def abort(self) -> None:
        """Drop the connection at once."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """W12: what may wait for one socket."""

    max_bytes: int
    max_frames: int
    blocked_s: float
    lagging_s: float


class Socket:
    """A socket after its hello. `cursor` and `fair_cursor` are the last positions handed to it."""

    __slots__ = (
        "_blocked", "_dirty", "_drained", "_fair_cursor", "_spawn", "acked", "beat_at", "caller", "closing", "codec", "cursor",
        "device", "epoch", "expires_at", "fair_epoch", "heard_at", "lagging_since", "limits", "link", "live", "metrics", "number",
        "on_lag", "place", "presence", "queue", "queued", "ready", "receivable", "unread", "view", "watching",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        caller: Caller,
        device: str,
        codec: Codec,
        link: Link,
        limits: QueueLimits,
        metrics: Metrics,
        *,
        now: float,
        expires_at: float,
        dirty: Callable[[Socket], None],
        spawn: Callable[[Awaitable[None]], None],
        on_lag: Callable[[Socket], None],
    ) -> None:
        self.number = number
        self.caller = caller
        self.device = device
        self.codec = codec
        self.view: Side = "buyer" if caller.side == "buyer" else "team"
        self.link = link
        self.limits = limits
        self.metrics = metrics
        self.epoch = self.fair_epoch = 0
        self.cursor = self._fair_cursor = self.acked = 0
        self.ready: Ready | None = None
        """The sockets among which an announcement finds it without a look, and its place there."""
        self.place = 0
        self.live = False
        self.lagging_since: float | None = None
        self.queue: list[bytes] = []
        self.queued = 0
        self.receivable: deque[tuple[int, Receivable]] = deque()
        self.heard_at = now
        self.beat_at: float | None = None
        self.unread = False
        """The door does not read it for now, because its calls wait for their turn: its silence says nothing (W8, W11)."""
        self.expires_at = expires_at
        self.presence: PresenceState = "online"
        self.watching: frozenset[tuple[str, UUID]] = frozenset()
        self.closing: tuple[Close, str] | None = None
        self.on_lag = on_lag
        self._dirty = dirty
        self._spawn = spawn
        self._blocked = False
        self._drained: asyncio.Future[None] | None = None

    @property
    def fair_cursor(self) -> int:
        """The last position of the fair stream."""
        return self._fair_cursor if self.ready is None else self.ready.position(self.place)

    @fair_cursor.setter
    def fair_cursor(self, pos: int) -> None:
        self._fair_cursor = pos

    def unready(self) -> None:
        """From now on an announcement has to look at it first."""
        if self.ready is not None:
            self.ready.remove(self)

    # what goes out

    def send(self, frame: ServerFrame) -> None:
        """Queue a frame that must arrive: an answer, a part of the first state, a beat."""
        self.push(websocket_frame(self.codec.encode(frame), binary=self.codec.binary))

    def push(self, data: bytes) -> None:
        """Queue a prepared WebSocket frame for this turn's write."""
        if self.closing is not None:
            return
        if not self.queue and not self._blocked:
            self._dirty(self)
        self.queue.append(data)
        self.queued += len(data)

    def push_all(self, frames: list[bytes]) -> None:
        """As `push`, for frames that are there together."""
        if self.closing is not None or not frames:
            return
        if not self.queue and not self._blocked:
            self._dirty(self)
        self.queue += frames
        self.queued += sum(map(len, frames))

    def push_event(self, pos: int, data: bytes, receivable: Receivable | None) -> None:
        """Queue the account stream's next event; a full queue makes the socket lag instead (W12)."""
        if self.full():
            self.lag()
            return
        self.cursor = pos
        if receivable is not None and receivable.sender != self.caller.account:
            self.expect_receipt(pos, receivable)
        self.push(data)

    def expect_receipt(self, pos: int, receivable: Receivable) -> None:
        """Remember that an acknowledgement of `pos` means this message was received (W9)."""
        if len(self.receivable) < RECEIVABLE_MAX:
            self.receivable.append((pos, receivable))

    def push_fair_events(self, last: int, data: bytes) -> bool:
        """As `push_event`, for the fair stream up to `last`, but at once where nothing waits. Answers whether nothing waits now."""
        if self.queued or self._blocked or self.closing is not None or self.link.fd < 0:
            if self.full():
                self.lag()
            else:
                self.fair_cursor = last
                self.push(data)
            return False
        self.fair_cursor = last
        self.write(data)
        return self.link.fd >= 0

    def write(self, data: bytes) -> None:
        """Past the queue, which is empty. A client that has just gone is no fault of who writes."""
        try:
            if self.link.write(data):
                self._block()
        except (ConnectionError, OSError, RuntimeError):
            self.link.abort()

    def push_ephemeral(self, data: bytes) -> None:
        """Queue what may be dropped: the first to go once the queue is half full (W12)."""
        if not self.live or self.over_half():
            self.metrics.ephemera_dropped += 1
            return
        self.push(data)

    def full(self) -> bool:
        """Whether no event may be queued now."""
        return self.queued >= self.limits.max_bytes or len(self.queue) >= self.limits.max_frames

    def over_half(self) -> bool:
        """Whether the queue holds more than half of what it may."""
        return self.queued * 2 > self.limits.max_bytes or len(self.queue) * 2 > self.limits.max_frames

    def lag(self) -> None:
        """Remember nothing but the position; the log will refill it."""
        if self.live:
            self.live = False
            self.unready()
            self.metrics.lagged += 1
            self.on_lag(self)

    def flush(self) -> None:
        """Write what is queued, as far as the transport takes it."""
        link, metrics = self.link, self.metrics
        queue = self.queue
        while queue and not self._blocked:
            if len(queue) == 1:  # nearly always
                data = queue.pop()
                full = link.write(data)
                metrics.frames_out += 1
                self.queued = 0
            else:
                data, count = self._next_write()
                full = link.write(data)
                del queue[:count]
                metrics.frames_out += count
                self.queued -= len(data)
            metrics.bytes_out += len(data)
            if full:
                self._block()
        if not queue and self._drained is not None:
            self._drained.set_result(None)
            self._drained = None

    def _block(self) -> None:
        """The transport's buffer is over its mark: nothing more is written until it has drained."""
        self._blocked = True
        self._spawn(self._wait_for_reader())

    def _next_write(self) -> tuple[bytes, int]:
        """As many whole frames as make a good write."""
        size = count = 0
        for frame in self.queue:
            if count and size + len(frame) > WRITE_BYTES:
                break
            size += len(frame)
            count += 1
        return b"".join(self.queue[:count]), count

    async def _wait_for_reader(self) -> None:
        try:
            async with asyncio.timeout(self.limits.blocked_s):
                await self.link.drained()
        except TimeoutError:
            self.close(Close.TOO_SLOW, "one write took too long")
            return
        except (ConnectionError, OSError):
            return  # the reader's loop notices and detaches
        self._blocked = False
        self._dirty(self)  # the hub's turn writes, and bears a client that has just gone

    async def drained(self) -> None:
        """Return once the queue is empty. Raises `TimeoutError` when that takes too long (W12)."""
        if not self.queue or self.closing is not None:
            return
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(self.limits.lagging_s):
            await asyncio.shield(self._drained)  # others may wait for the same

    # the end

    def close(self, code: Close, reason: str, retry_after_ms: int | None = None) -> None:
        """Say `bye`, then close; what is queued before goes first if the reader takes it (W13)."""
        if self.closing is not None:
            return
        self.send(Bye(code=int(code), reason=reason, retry_after_ms=retry_after_ms))
        self.closing = (code, reason)
        self.live = False
        self.unready()
        self._spawn(self._close())

    def gone(self) -> None:
        """The connection has ended: nothing is queued any more, and nobody waits for a reader that is not there."""
        self.live = False
        if self.closing is None:
            self.closing = (Close.GOING_AWAY, "the client has gone")
        if self._drained is not None:
            self._drained.set_result(None)
            self._drained = None

    async def _close(self) -> None:
        assert self.closing is not None
        code, reason = self.closing
        self.metrics.sockets_closed[int(code)] += 1
        try:
            self.flush()  # the client may have gone in this very turn
            async with asyncio.timeout(1.0 if self._blocked else 5.0):
                await self.link.close(int(code), reason)
        except (TimeoutError, ConnectionError, OSError, RuntimeError):
            pass
        finally:
            self.link.abort()
