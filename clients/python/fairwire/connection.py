"""One socket from greeting to close: a reader that only reads and a writer that only writes (W11, W16).

The reader hands every event of the session to `take`, a plain function, and never waits for anything but the socket: a server
that has paused reading until its replies are taken would otherwise wait for a client that waits for the server. The writer
sends what is queued, acknowledgements first, and watches for silence: any frame counts as life, two beats without one do not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from fairwire.timing import Timing
from fairwire_protocol.codec import Codec
from fairwire_protocol.errors import Close
from fairwire_protocol.frames import Beat, Bye
from fairwire_protocol.session import ClientSession, SessionEvent, Violation

__all__ = ["Connection", "Ended", "open_socket"]

OPEN_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 60.0
"""Before `welcome` says how often to expect a beat."""
FRAME_LIMIT: Final = 8 << 20
ABNORMAL: Final = 1006
BURST: Final = 64
"""Frames taken before the writer gets its turn; a replay would otherwise go unacknowledged to its end."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a socket ended, and when the server wants the client back, if it said so."""

    code: int
    reason: str
    retry_after: float | None = None


async def open_socket(url: str, codec: Codec) -> ClientConnection | Ended:
    """A socket that speaks `codec`, or why there is none."""
    try:
        socket = await connect(
            url,
            subprotocols=[Subprotocol(codec.subprotocol)],
            compression=None,
            max_size=FRAME_LIMIT,
            ping_interval=None,  # the beat is the heartbeat (W11)
            open_timeout=OPEN_SECONDS,
            close_timeout=2,
            proxy=None,
        )
    except InvalidStatus as error:
        return Ended(ABNORMAL, f"the server answered HTTP {error.response.status_code}")
    except (OSError, TimeoutError, InvalidHandshake) as error:
        return Ended(ABNORMAL, f"no connection: {error}")
    if socket.subprotocol != codec.subprotocol:
        await socket.close()
        return Ended(Close.PROTOCOL_NOT_SPOKEN, f"the server does not speak {codec.subprotocol}")
    return socket


class Connection:
    """Runs a `ClientSession` over an open socket."""

    def __init__(self, socket: ClientConnection, session: ClientSession, timing: Timing) -> None:
        self.session = session
        self._socket = socket
        self._timing = timing
        self._out: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._ack_now = False
        self._last_frame = timing.monotonic()
        self._bye: Bye | None = None
        self._local: Ended | None = None

    def send(self, data: bytes) -> None:
        """Queue a frame. How many there can be is bounded by the calls in flight."""
        self._out.append(data)
        self._wake.set()

    async def run(self, take: Callable[[SessionEvent], None]) -> Ended:
        """Greet, then read until the socket ends."""
        writer = asyncio.create_task(self._write(), name="fairwire-writer")
        self.send(self.session.hello())
        try:
            await self._read(take)
        except ConnectionClosed:
            pass
        except Violation as violation:
            self._local = Ended(violation.close, violation.reason)
        finally:
            writer.cancel()
            (fault,) = await asyncio.gather(writer, return_exceptions=True)
            await self._socket.close(self._local.code if self._local else 1000)
        if isinstance(fault, Exception) and not isinstance(fault, ConnectionClosed):
            raise fault
        return self._ended()

    async def _read(self, take: Callable[[SessionEvent], None]) -> None:
        count = 0
        while True:
            data = await self._socket.recv()
            self._last_frame = now = self._timing.monotonic()
            for event in self.session.receive(data, now):
                if isinstance(event, Beat):
                    self._ack_now = True
                elif isinstance(event, Bye):
                    self._bye = event
                take(event)
            if self._ack_now or self.session.ack_at is not None:
                self._wake.set()
            count += 1
            if count % BURST == 0:
                await asyncio.sleep(0)

    async def _write(self) -> None:
        while True:
            if self._ack_now:
                self._ack_now = False
                await self._socket.send(self._frame(self.session.ack()))
            elif (ack := self.session.ack_due(self._timing.monotonic())) is not None:
                await self._socket.send(self._frame(ack))
            while self._out and not self._ack_now:
                await self._socket.send(self._frame(self._out.popleft()))
            if self._out or self._ack_now:
                continue
            now = self._timing.monotonic()
            if now - self._last_frame >= self._silence():
                self._local = Ended(Close.NO_ANSWER, "the server has fallen silent")
                await self._socket.close(Close.NO_ANSWER)
                return
            due = min(self.session.ack_at or now + 3600, self._last_frame + self._silence())
            await self._until(due - now)

    async def _until(self, seconds: float) -> None:
        """Until there is something to write, or for so long."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    def _frame(self, data: bytes) -> bytes | str:
        return data if self.session.codec.binary else data.decode()

    def _silence(self) -> float:
        welcome = self.session.welcome
        return SILENCE_SECONDS if welcome is None else (2 * welcome.beat.interval_ms + welcome.beat.answer_ms) / 1000

    def _ended(self) -> Ended:
        if self._local is not None:
            return self._local
        code, reason = self._socket.close_code or ABNORMAL, self._socket.close_reason or ""
        if self._bye is None:
            return Ended(code, reason)
        after = self._bye.retry_after_ms
        code = self._bye.code if code in {ABNORMAL, 1000, 1005} else code
        return Ended(code, self._bye.reason or reason, after / 1000 if after is not None else None)
