"""The WebSocket door: from the upgrade to the end of a connection, and calls in flight (W1, W8, W12, W13).

A connection is an object that is told what arrives, not a task that waits for it: thousands of them are silent. Only what must wait
— the hello's token, a call's turn, a refresh — runs as a task; what comes behind it waits, and the socket is not read meanwhile, so
that TCP tells the client.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID

import structlog
from aiohttp import web

from fairwire_protocol import frames
from fairwire_protocol.codec import CODECS, PROTOCOL, Codec
from fairwire_protocol.errors import Close, FairwireError
from fairwire_protocol.models import Limits
from fairwire_protocol.session import FrameRefused, ServerSession, Violation
from fairwire_server.accounts.callers import SessionOver
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.tokens import TokenFacts
from fairwire_server.clock import Clock, milliseconds
from fairwire_server.doors.admission import Admission
from fairwire_server.doors.calls import Calls, error_frame
from fairwire_server.doors.dispatch import Dispatch
from fairwire_server.doors.guard import ADDRESS
from fairwire_server.doors.websocket import VERSION, accept_upgrade
from fairwire_server.doors.wire import Wire, hand_over
from fairwire_server.framing import websocket_frame
from fairwire_server.observe import Metrics
from fairwire_server.streams.arrivals import Arrival

if TYPE_CHECKING:  # shells are strangers to each other; compose introduces them
    from fairwire_server.hub.hub import Hub
    from fairwire_server.hub.socket import QueueLimits, Socket
    from fairwire_server.hub.sync import Sync

__all__ = ["Reception", "SocketDoor", "SocketSettings"]

CAPABILITIES: Final = ("snapshot", "resume", "presence")
FINISH_S: Final = 5.0
"""How long the door waits at its end for calls that are under way."""


class Reception(Protocol):
    """Who opens a socket; each raises what the hello or refresh is refused with."""

    def verify(self, token: str) -> TokenFacts:
        """What a token says, if it is ours and has not ended."""

    async def arrive(self, facts: TokenFacts, resume: frames.Resume | None) -> Arrival:
        """Who that is, and where its streams stand; what it has missed, if it comes back."""

    async def caller(self, facts: TokenFacts) -> Caller:
        """Who that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketSettings:
    """Limits of this door, told in `welcome` (W15)."""

    limits: Limits
    queue: QueueLimits
    beat: frames.BeatPlan
    first_frame_s: float
    build: str


class SocketDoor:
    """The handler of `/v1/socket`."""

    def __init__(
        self,
        hub: Hub,
        sync: Sync,
        dispatch: Dispatch,
        reception: Reception,
        make_socket: Callable[..., Socket],
        received: Callable[[UUID, dict[UUID, int]], None],
        clock: Clock,
        metrics: Metrics,
        admission: Admission,
        settings: SocketSettings,
    ) -> None:
        self._hub = hub
        self._sync = sync
        self._dispatch = dispatch
        self._reception = reception
        self._make_socket = make_socket
        self._received = received
        self._clock = clock
        self._metrics = metrics
        self._admission = admission
        self._settings = settings
        self._numbers = count(1)
        self.log = structlog.get_logger("socket")
        self._wires: set[Wire] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def route(self) -> web.RouteDef:
        """Where it stands."""
        return web.get("/v1/socket", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Upgrade a connection and hand it over to an object of its own; aiohttp has no part in it any more."""
        headers = accept_upgrade(request.headers, CODECS)
        if headers is None:
            raise web.HTTPBadRequest(text=f"This is a WebSocket address (RFC 6455, version {VERSION}).")
        answer = web.StreamResponse(status=101, headers=headers)
        try:
            wire, first = await hand_over(request, answer, self._settings.limits.frame_bytes)
        except ConnectionError:
            return answer  # the client has gone: nobody's fault
        self.begin(wire, headers.get("Sec-WebSocket-Protocol"), request[ADDRESS], first)
        return answer

    def begin(self, wire: Wire, protocol: str | None, address: str, first: bytes) -> None:
        """A connection of its own, upgraded to that subprotocol; `first` is what it has said already."""
        self._wires.add(wire)
        codec = CODECS.get(protocol or "")
        connection = _Connection(self, wire, codec or CODECS[next(iter(CODECS))], address)
        wire.listener = connection
        if codec is None:
            self.spawn(wire.close(Close.PROTOCOL_NOT_SPOKEN, "offer a fairwire.v1 subprotocol"))
        elif self._hub.draining:
            self.spawn(wire.close(Close.GOING_AWAY, "draining"))
        else:
            connection.open()
            if first:
                wire.data_received(first)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something for a connection; the door ends no earlier than it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def forget(self, wire: Wire) -> None:
        """The connection is gone."""
        self._wires.discard(wire)

    async def close(self) -> None:
        """Drop what is still connected; calls in flight have a few seconds, their effects last."""
        for wire in list(self._wires):
            wire.abort()
        deadline = asyncio.get_running_loop().time() + FINISH_S
        while (self._wires or self._tasks) and (left := deadline - asyncio.get_running_loop().time()) > 0:
            if self._tasks:
                await asyncio.wait(set(self._tasks), timeout=min(left, 0.1))
            else:
                await asyncio.sleep(0)
        for task in self._tasks:
            task.cancel()


class _Connection:
    """One connection. `_backlog` is there while something must wait: then nothing is read, and what has come waits in it."""

    __slots__ = ("_address", "_backlog", "_calls", "_codec", "_deaf", "_door", "_hello", "_session", "_socket", "_wire")

    def __init__(self, door: SocketDoor, wire: Wire, codec: Codec, address: str) -> None:
        self._door = door
        self._wire = wire
        self._codec = codec
        self._session = ServerSession(
            codec, protocol=(PROTOCOL, PROTOCOL), frame_bytes=door._settings.limits.frame_bytes
        )
        self._address = address
        self._socket: Socket | None = None
        self._calls: Calls | None = None  # made at the first call: most sockets only listen
        self._backlog: deque[bytes | str] | None = None
        self._deaf = True
        self._hello: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Wait for the hello."""
        self._deaf = False
        self._hello = asyncio.get_running_loop().call_later(self._door._settings.first_frame_s, self._no_hello)

    def _no_hello(self) -> None:
        self._turn_away(Close.MALFORMED, "no hello in time")

    @property
    def _open(self) -> Socket:
        assert self._socket is not None
        return self._socket

    # what comes in

    def received(self, data: bytes | str) -> None:
        """A message: at once if nothing waits, else behind what does."""
        if self._backlog is not None:
            self._backlog.append(data)
            self._wire.pause_reading()
        elif (work := self._message(data)) is not None:
            self._backlog = deque()
            self._door.spawn(self._work_off(work))

    async def _work_off(self, work: Coroutine[Any, Any, None] | None) -> None:
        backlog = self._backlog
        assert backlog is not None
        try:
            while True:
                if work is not None:
                    await work
                if not backlog:
                    return
                work = self._message(backlog.popleft())
        except Exception:
            self._door.log.exception("connection failed")  # a fault of ours: better gone than silent for ever
            self._wire.abort()
        finally:
            self._backlog = None
            self._wire.resume_reading()

    def _message(self, data: bytes | str) -> Coroutine[Any, Any, None] | None:
        """Take one message; what must wait is given back to be awaited."""
        if self._deaf:
            return None
        door, socket = self._door, self._socket
        door._metrics.frames_in += 1
        door._metrics.bytes_in += len(data)
        if socket is not None:
            socket.heard_at = door._clock.monotonic()
            socket.beat_at = None
        try:
            return self._take(self._session.receive(data))
        except Violation as violation:
            if socket is None:
                self._turn_away(violation.close, violation.reason)
            else:
                self._deaf = True
                socket.close(violation.close, violation.reason)
        except FrameRefused as error:
            door._metrics.frames_refused[error.code] += 1
            self._open.send(error_frame(self._codec, error, error.cid, None))
        return None

    def _take(self, frame: frames.ClientFrame) -> Coroutine[Any, Any, None] | None:
        match frame:
            case frames.Call():
                if self._calls is None:
                    self._calls = Calls(
                        self._open, self._door._dispatch, self._door._settings.limits.in_flight, self._address
                    )
                return self._calls.start(frame)
            case frames.Ack():
                self._ack(frame)
            case frames.Refresh():
                return self._refresh(frame)
            case frames.Hello():
                if self._socket is not None:
                    raise Violation(Close.MALFORMED, "hello twice")
                if self._hello is not None:
                    self._hello.cancel()
                    self._hello = None
                return self._welcome(frame)
        return None

    async def _welcome(self, hello: frames.Hello) -> None:
        door = self._door
        began = door._clock.monotonic()
        leave: Callable[[], None] = _nothing
        try:
            facts = door._reception.verify(hello.token)
            leave = await door._admission.enter()
            with door._hub.expecting(facts.account, facts.fair):
                arrival = await door._reception.arrive(facts, hello.resume)
                if not self._wire.lost:
                    leave = self._arrived(hello, arrival, facts.expires_at, began, leave)
        except FairwireError as error:
            self._turn_away(_close_of(error), error.message, error.retry_after_ms)
        finally:
            leave()

    def _arrived(
        self, hello: frames.Hello, arrival: Arrival, expires_at: datetime, began: float, leave: Callable[[], None]
    ) -> Callable[[], None]:
        """Greet who has been recognised and begin with its first state. Answers how its place is given back, if that is now."""
        door = self._door
        now, expires_at_ms = door._clock.now(), milliseconds(expires_at)
        socket = self._socket = door._make_socket(
            next(door._numbers),
            arrival.caller,
            hello.device.id,
            self._codec,
            self._wire,
            now=began,
            expires_at=door._clock.monotonic() + (expires_at - now).total_seconds(),
        )
        door._hub.attach(socket)
        if socket.closing is not None:
            return leave
        settings = door._settings
        socket.send(
            frames.Welcome(
                session=arrival.caller.session,
                protocol=self._session.version or PROTOCOL,
                capabilities=CAPABILITIES,
                limits=settings.limits,
                beat=settings.beat,
                server_time=milliseconds(now),
                build=settings.build,
                account=arrival.me,
                expires_at=expires_at_ms,
            )
        )
        if door._sync.at_once(socket, arrival, hello.resume, *door._hub.channels_of(socket)):
            return leave
        door._hub.spawn(self._start(arrival, hello.resume, leave))
        return _nothing

    async def _start(self, arrival: Arrival, resume: frames.Resume | None, leave: Callable[[], None]) -> None:
        socket = self._open
        try:
            channels = self._door._hub.channels_of(socket)
            await self._door._sync.start(socket, arrival, resume, *channels, leave)
        except KeyError:
            return  # gone before its first state was ready
        except TimeoutError:
            socket.close(Close.TOO_SLOW, "the first state was not read")
        except FairwireError as error:
            socket.close(Close.OVERLOADED, "the first state cannot be read now", error.retry_after_ms or 1000)
        except Exception:
            socket.close(Close.OVERLOADED, "the first state cannot be read", 5000)
            raise  # the hub logs it
        finally:
            leave()

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
            facts = door._reception.verify(refresh.token)
            caller = await door._reception.caller(facts)
        except FairwireError as error:
            if error.final:
                socket.close(_close_of(error), error.message)
            else:
                socket.send(error_frame(self._codec, error, None, None))
            return
        if caller.session != socket.caller.session:
            socket.close(Close.BAD_TOKEN, "a token of another session")
            return
        socket.caller = caller
        left_s = (facts.expires_at - door._clock.now()).total_seconds()
        socket.expires_at = door._clock.monotonic() + left_s
        socket.send(frames.Refreshed(expires_at=milliseconds(facts.expires_at)))

    def _turn_away(self, close: Close, reason: str, retry_after_ms: int | None = None) -> None:
        """Close a connection that never got as far as the hub."""
        self._deaf = True
        self._door._metrics.sockets_closed[int(close)] += 1
        bye = self._codec.encode(frames.Bye(code=int(close), reason=reason, retry_after_ms=retry_after_ms))
        self._wire.write(websocket_frame(bye, binary=self._codec.binary))
        self._door.spawn(self._wire.close(close, reason))

    def ended(self) -> None:
        """The connection is over; calls in flight finish, their effects last, their answers go nowhere."""
        self._deaf = True
        if self._hello is not None:
            self._hello.cancel()
        self._door.forget(self._wire)
        if self._socket is not None:
            self._door._hub.detach(self._socket)
        if self._calls is not None:
            self._door.spawn(self._calls.finished())


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


def _nothing() -> None:
    """No place was taken."""
