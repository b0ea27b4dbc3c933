"""The WebSocket door: handshake, reading, and calls in flight (W1, W8, W12, W13).

Receiving goes through aiohttp, sending past it: the hub hands whole frames to the transport. A socket may have a few calls in
flight, at most one that writes per conversation; beyond that it is simply not read, and TCP tells the client.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Final
from uuid import UUID

from aiohttp import WSMsgType, web

from fairwire_protocol import frames
from fairwire_protocol.codec import CODECS, PROTOCOL, Codec
from fairwire_protocol.errors import Close, FairwireError
from fairwire_protocol.models import Account, Limits
from fairwire_protocol.session import FrameRefused, ServerSession, Violation
from fairwire_server.accounts.callers import SessionOver
from fairwire_server.accounts.rules import Caller
from fairwire_server.clock import Clock, milliseconds
from fairwire_server.doors.calls import Calls, error_frame
from fairwire_server.doors.dispatch import Dispatch
from fairwire_server.doors.guard import ADDRESS
from fairwire_server.observe import Metrics

if TYPE_CHECKING:  # shells are strangers to each other; compose introduces them
    from fairwire_server.hub.hub import Hub
    from fairwire_server.hub.socket import QueueLimits, Socket
    from fairwire_server.hub.sync import Sync

__all__ = ["Authenticated", "SocketDoor", "SocketSettings"]

CAPABILITIES: Final = ("snapshot", "resume", "presence")
REASON_BYTES: Final = 120
CLOSING_S: Final = 6.0
"""A closing handshake takes 5 s at most (`hub/socket.py`)."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Who opens a socket, and until when its token lasts."""

    caller: Caller
    account: Account
    expires_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketSettings:
    """Limits of this door, told in `welcome` (W15)."""

    limits: Limits
    queue: QueueLimits
    beat: frames.BeatPlan
    first_frame_s: float
    build: str


class _Link:
    """The connection below a hub socket: aiohttp's transport, and aiohttp itself for the closing handshake.

    Where the transport has nothing to send, bytes go straight to the operating system, past the loop's queue; what that does not
    take at once, the transport sends when it can.
    """

    __slots__ = ("_aborted", "_ended", "_fd", "_pending", "_response", "_transport", "_writer", "paused")

    def __init__(self, request: web.Request, response: web.WebSocketResponse) -> None:
        transport = request.transport
        assert transport is not None
        self._transport = transport
        self._writer = request.writer
        self._response = response
        self._aborted = False
        self._ended: asyncio.Future[None] | None = None  # most links end with nobody waiting for it
        self._fd: int = transport.get_extra_info("socket").fileno()
        self._pending = transport.get_write_buffer_size
        # Once per frame and socket: it costs a single frame of Python.
        self.paused: Callable[[], bool] = partial(attrgetter("writing_paused"), request.protocol)

    def write(self, data: bytes) -> None:
        transport = self._transport
        # A transport that is closing has given its descriptor up, perhaps to another connection.
        if not self._pending() and not transport.is_closing():
            try:
                sent = os.write(self._fd, data)
            except BlockingIOError:
                sent = 0
            except OSError:
                transport.abort()
                return
            if sent == len(data):
                return
            data = data[sent:]
        transport.write(data)

    async def drained(self) -> None:
        await self._writer.drain()

    async def close(self, code: int, reason: str) -> None:
        await self._response.close(code=code, message=_short(reason))

    def abort(self) -> None:
        self._transport.abort()
        self._aborted = True
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    async def ended(self) -> None:
        """Return once whoever closes this connection is through with it."""
        if not self._aborted:
            self._ended = asyncio.get_running_loop().create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSING_S):
                    await self._ended


class SocketDoor:
    """The handler of `/v1/socket`."""

    def __init__(
        self,
        hub: Hub,
        sync: Sync,
        dispatch: Dispatch,
        authenticate: Callable[[str], Awaitable[Authenticated]],
        make_socket: Callable[..., Socket],
        received: Callable[[UUID, dict[UUID, int]], None],
        clock: Clock,
        metrics: Metrics,
        settings: SocketSettings,
    ) -> None:
        self._hub = hub
        self._sync = sync
        self._dispatch = dispatch
        self._authenticate = authenticate
        self._make_socket = make_socket
        self._received = received
        self._clock = clock
        self._metrics = metrics
        self._settings = settings
        self._numbers = count(1)

    def route(self) -> web.RouteDef:
        """Where it stands."""
        return web.get("/v1/socket", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One connection from its handshake to its end."""
        response = web.WebSocketResponse(
            protocols=tuple(CODECS),
            compress=False,
            max_msg_size=self._settings.limits.frame_bytes + 1,  # aiohttp refuses a message of just this size
            autoping=True,
            timeout=3.0,
        )
        if not response.can_prepare(request):
            raise web.HTTPBadRequest(text="This is a WebSocket address.")
        await response.prepare(request)
        codec = CODECS.get(response.ws_protocol or "")
        if codec is None:
            await response.close(code=Close.PROTOCOL_NOT_SPOKEN, message=b"offer a fairwire.v1 subprotocol")
            return response
        if self._hub.draining:
            await response.close(code=Close.GOING_AWAY, message=b"draining")
            return response
        connection = _Connection(self, request, response, codec)
        try:
            await connection.run()
        except ConnectionError:
            pass  # gone while aiohttp answered its ping
        finally:
            await connection.end()
        return response


class _Connection:
    """One socket's reading side."""

    def __init__(self, door: SocketDoor, request: web.Request, response: web.WebSocketResponse, codec: Codec) -> None:
        self._door = door
        self._request = request
        self._response = response
        self._codec = codec
        self._session = ServerSession(
            codec, protocol=(PROTOCOL, PROTOCOL), frame_bytes=door._settings.limits.frame_bytes
        )
        self._address = request[ADDRESS]
        self._socket: Socket | None = None
        self._link: _Link | None = None
        self._calls: Calls | None = None  # made at the first call: most sockets only listen

    async def run(self) -> None:
        """Hello, then frames until the connection ends."""
        try:
            async with asyncio.timeout(self._door._settings.first_frame_s):
                first = await self._frame()
        except TimeoutError:
            await self._turn_away(Close.MALFORMED, "no hello in time")
            return
        except Violation as violation:
            await self._turn_away(violation.close, violation.reason)
            return
        if not isinstance(first, frames.Hello):
            return
        if not await self._welcome(first):
            return
        while True:
            try:
                frame = await self._frame()
                if frame is None:
                    return
                await self._take(frame)
            except Violation as violation:
                self._open.close(violation.close, violation.reason)
                await self._read_to_the_end()
                return
            except FrameRefused as error:
                self._door._metrics.frames_refused[error.code] += 1
                self._open.send(error_frame(self._codec, error, error.cid, None))

    @property
    def _open(self) -> Socket:
        assert self._socket is not None
        return self._socket

    async def _frame(self) -> frames.ClientFrame | None:
        """The next frame, None at the end of the connection. Raises `FrameRefused` and `Violation`."""
        message = await self._response.receive()
        if message.type is not WSMsgType.BINARY and message.type is not WSMsgType.TEXT:
            return None
        metrics, socket = self._door._metrics, self._socket
        metrics.frames_in += 1
        metrics.bytes_in += len(message.data)
        if socket is not None:
            socket.heard_at = self._door._clock.monotonic()
            socket.beat_at = None
        return self._session.receive(message.data)

    async def _read_to_the_end(self) -> None:
        """Nothing more is taken; going away now would close the connection before `bye` and its code are out (W13)."""
        while (await self._response.receive()).type in (WSMsgType.BINARY, WSMsgType.TEXT):
            pass

    async def _welcome(self, hello: frames.Hello) -> bool:
        door = self._door
        began = door._clock.monotonic()
        try:
            who = await door._authenticate(hello.token)
        except FairwireError as error:
            await self._turn_away(_close_of(error), error.message, error.retry_after_ms)
            return False
        now = door._clock.monotonic()
        self._link = _Link(self._request, self._response)
        socket = door._make_socket(
            next(door._numbers),
            who.caller,
            hello.device.id,
            self._codec,
            self._link,
            now=began,
            expires_at=now + (who.expires_at_ms - milliseconds(door._clock.now())) / 1000,
        )
        self._socket = socket
        door._hub.attach(socket)
        if socket.closing is not None:
            return True
        settings = door._settings
        socket.send(
            frames.Welcome(
                session=who.caller.session,
                protocol=self._session.version or PROTOCOL,
                capabilities=CAPABILITIES,
                limits=settings.limits,
                beat=settings.beat,
                server_time=milliseconds(door._clock.now()),
                build=settings.build,
                account=who.account,
                expires_at=who.expires_at_ms,
            )
        )
        door._hub.spawn(self._start(hello.resume))
        return True

    async def _start(self, resume: frames.Resume | None) -> None:
        socket = self._open
        try:
            await self._door._sync.start(socket, resume, *self._door._hub.channels_of(socket))
        except KeyError:
            return  # gone before its first state was ready
        except TimeoutError:
            socket.close(Close.TOO_SLOW, "the first state was not read")
        except FairwireError as error:
            socket.close(Close.OVERLOADED, "the first state cannot be read now", error.retry_after_ms or 1000)
        except Exception:
            socket.close(Close.OVERLOADED, "the first state cannot be read", 5000)
            raise  # the hub logs it

    async def _take(self, frame: frames.ClientFrame) -> None:
        match frame:
            case frames.Call():
                if self._calls is None:
                    self._calls = Calls(
                        self._open, self._door._dispatch, self._door._settings.limits.in_flight, self._address
                    )
                await self._calls.start(frame)
            case frames.Ack():
                self._ack(frame)
            case frames.Refresh():
                await self._refresh(frame)
            case frames.Hello():
                raise Violation(Close.MALFORMED, "hello twice")

    def _ack(self, ack: frames.Ack) -> None:
        """W11: up to here the client has everything, which is what *received* means (W9)."""
        socket = self._open
        if ack.pos > socket.cursor or ack.fair_pos > socket.fair_cursor:
            raise Violation(Close.MALFORMED, "ack of a position that was never sent")
        socket.acked = max(socket.acked, ack.pos)
        seqs: dict[UUID, int] = {}
        waiting = socket.receivable
        while waiting and waiting[0][0] <= ack.pos:
            _, receivable = waiting.popleft()
            seqs[receivable.conversation] = max(receivable.seq, seqs.get(receivable.conversation, 0))
        if seqs:
            self._door._received(socket.caller.account, seqs)

    async def _refresh(self, refresh: frames.Refresh) -> None:
        """W13: a newer token of the same session keeps the socket."""
        socket, door = self._open, self._door
        try:
            who = await door._authenticate(refresh.token)
        except FairwireError as error:
            if error.final:
                socket.close(_close_of(error), error.message)
            else:
                socket.send(error_frame(self._codec, error, None, None))
            return
        if who.caller.session != socket.caller.session:
            socket.close(Close.BAD_TOKEN, "a token of another session")
            return
        socket.caller = who.caller
        left_s = (who.expires_at_ms - milliseconds(door._clock.now())) / 1000
        socket.expires_at = door._clock.monotonic() + left_s
        socket.send(frames.Refreshed(expires_at=who.expires_at_ms))

    async def _turn_away(self, code: Close, reason: str, retry_after_ms: int | None = None) -> None:
        """Close a socket that never got as far as the hub."""
        self._door._metrics.sockets_closed[int(code)] += 1
        bye = self._codec.encode(frames.Bye(code=int(code), reason=reason, retry_after_ms=retry_after_ms))
        try:
            async with asyncio.timeout(3.0):
                if self._codec.binary:
                    await self._response.send_bytes(bye)
                else:
                    await self._response.send_str(bye.decode())
                await self._response.close(code=code, message=_short(reason))
        except (TimeoutError, ConnectionError, OSError, RuntimeError):
            pass

    async def end(self) -> None:
        """The connection is over; calls in flight finish, their effects last, their answers go nowhere.

        Returning makes aiohttp close the transport. While something of the client lies there unread that is a reset, and it takes
        `bye` and the close code with it (W13): so whoever is closing the socket goes first.
        """
        socket = self._socket
        closing = socket is not None and socket.closing is not None
        if socket is not None:
            self._door._hub.detach(socket)
        if self._calls is not None:
            await self._calls.finished()
        if closing and self._link is not None:
            await self._link.ended()


def _short(reason: str) -> bytes:
    """As much of a reason as a close frame holds: whole characters, or the client would see a broken frame instead of the code."""
    return reason.encode()[:REASON_BYTES].decode(errors="ignore").encode()


def _close_of(error: FairwireError) -> Close:
    """The close code of a refused hello or refresh (W13)."""
    if isinstance(error, SessionOver):
        return Close.SUSPENDED
    match error.code:
        case "token_expired":
            return Close.TOKEN_EXPIRED
        case "suspended":
            return Close.SUSPENDED
        case _:
            return Close.BAD_TOKEN if error.final else Close.OVERLOADED
