"""A peer to test the SDK with: real WebSockets, `ServerSession` and the in-memory streams, and answers set by the test.

Not a stand-in for our server, whose rules it does not know: it speaks the protocol, and does what the test tells it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from fairwire.timing import Timing
from fairwire_protocol import frames as f
from fairwire_protocol.codec import CODECS
from fairwire_protocol.errors import FairwireError
from fairwire_protocol.session import ServerSession, Violation
from tests.protocol.in_memory import Streams, missing, welcome, wire

Answer = Callable[[f.Call, Any], object]


class Peer:
    """One account's server. `answers` maps an operation to what replies: a value, a `FairwireError`, or None for silence."""

    def __init__(self) -> None:
        self.url = ""
        self.streams = Streams()
        self.answers: dict[str, Answer] = {}
        self.hellos: list[f.Hello] = []
        self.calls: list[f.Call] = []
        self.acks: list[f.Ack] = []
        self.refreshes: list[f.Refresh] = []
        self.greet: Callable[[f.Hello], f.Welcome | f.Bye] = lambda _: welcome()
        self.changed = asyncio.Condition()
        self._sockets: dict[ServerConnection, ServerSession] = {}

    async def wait(self, reached: Callable[[], bool]) -> None:
        """Until something that arrived makes it true."""
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(reached)

    async def push(self, *, fair: bool = False) -> None:
        """Append an event and send it to every socket."""
        log = self.streams.fair if fair else self.streams.account
        (self.streams.announce if fair else self.streams.wait)()
        for frame in missing(log, "fair" if fair else "account", log.top - 1):
            await self.send(frame)

    async def send(self, frame: object) -> None:
        """To every live socket."""
        for socket, session in list(self._sockets.items()):
            await socket.send(wire(session.codec, frame))

    async def cut(self, code: int | None = None) -> None:
        """Close every socket, or without a code drop it as a broken line does."""
        for socket in list(self._sockets):
            if code is None:
                socket.transport.abort()
            else:
                await socket.close(code)
            await socket.wait_closed()

    async def serve(self, socket: ServerConnection) -> None:
        session = ServerSession(CODECS[str(socket.subprotocol)])
        try:
            async for data in socket:
                await self._take(socket, session, session.receive(data))
        except Violation as violation:
            await socket.close(violation.close, violation.reason)
        except ConnectionClosed:
            pass
        finally:
            self._sockets.pop(socket, None)

    async def _take(self, socket: ServerConnection, session: ServerSession, frame: f.ClientFrame) -> None:
        replies: list[object] = []
        match frame:
            case f.Hello():
                self.hellos.append(frame)
                answer = self.greet(frame)
                replies.append(answer)
                if isinstance(answer, f.Bye):
                    await socket.send(wire(session.codec, answer))
                    await socket.close(answer.code, answer.reason)
                    return
                replies.extend(self.streams.greeting(frame.resume))
            case f.Call():
                self.calls.append(frame)
                replies.extend(self._answer(session, frame))
            case f.Ack():
                self.acks.append(frame)
            case f.Refresh():
                self.refreshes.append(frame)
                replies.append(f.Refreshed(expires_at=4_000_000_000_000))
        for reply in replies:
            await socket.send(wire(session.codec, reply))
        if isinstance(frame, f.Hello):
            self._sockets[socket] = session
        async with self.changed:
            self.changed.notify_all()

    def _answer(self, session: ServerSession, call: f.Call) -> list[object]:
        answer = self.answers.get(call.op, _empty)
        value = answer(call, session.codec.decode_plain(call.args))
        if value is None:
            return []
        if isinstance(value, FairwireError):
            return [f.Error(cid=call.cid, code=value.code, message=value.message, retry_after_ms=value.retry_after_ms)]
        return [f.Reply(cid=call.cid, result=msgspec.Raw(session.codec.encode(value)))]


def _empty(_call: f.Call, _args: Any) -> object:
    return {}


@asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    """A peer on a free port."""
    it = Peer()
    names = [Subprotocol(name) for name in CODECS]
    async with serve(it.serve, "127.0.0.1", 0, subprotocols=names, compression=None, close_timeout=1) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        it.url = f"ws://127.0.0.1:{port}"
        yield it


class Jumps:
    """Time that passes at once: every wait is noted and none is waited for, but those of `forever` seconds never end."""

    def __init__(self, forever: float = 100.0) -> None:
        self.waits: list[float] = []
        self._forever = forever

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if seconds >= self._forever:
            await asyncio.Event().wait()
        await asyncio.sleep(0)

    def timing(self) -> Timing:
        return Timing(sleep=self.sleep, random=lambda: 1.0)


class Chat:
    """Answers `chat.send` as a server does: a seq per stored message, the first result for a cid known."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.by_cid: dict[UUID, int] = {}
        self.script: list[object] = []
        """What the next calls answer instead; None stores and stays silent, `...` does neither."""

    def __call__(self, call: f.Call, args: Any) -> object:
        scripted = self.script.pop(0) if self.script else "store"
        if scripted is ... or isinstance(scripted, FairwireError):
            return None if scripted is ... else scripted
        if call.cid not in self.by_cid:
            self.stored.append(args["text"])
            self.by_cid[call.cid] = len(self.stored)
        if scripted is None:
            return None
        return {"conversation": args["conversation"], "seq": self.by_cid[call.cid], "ts": 1}
