"""One connection to a server of the bus: commands out, their replies in order, and what the server says unasked (RESP3).

redis-py makes the connection and signs in; then its transport is ours, for redis-py's own subscriptions and pipelines cost three times
as much for each message. What comes goes straight to whoever listens, without a task in between.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Self, cast

from hiredis import ProtocolError, PushNotification, Reader, ReplyError, pack_command
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

__all__ = ["Line"]

PING_S: Final = 1.0
SILENT_S: Final = 2.5
"""A connection that lets a command wait for so long is dead."""
LOOK_S: Final = 0.25

Answered = Callable[[Any], None]
"""Takes a reply, which may be a `ReplyError`."""


class Line(asyncio.Protocol):
    """An open connection; `over` is done, with an error, once it is none any more. `heard` takes what was not asked for."""

    def __init__(self, heard: Callable[[list[Any]], None]) -> None:
        self._heard = heard
        self._reader = Reader()
        self._asked: deque[tuple[float, Answered]] = deque()
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._transport: asyncio.Transport
        self.over: asyncio.Future[None] = self._loop.create_future()

    @classmethod
    async def opened(cls, connection: AbstractConnection, heard: Callable[[list[Any]], None]) -> Self:
        """Connect, sign in, and take the connection over."""
        line = cls(heard)
        await connection.connect()  # type: ignore[no-untyped-call]
        assert connection._writer is not None
        line._transport = cast(asyncio.Transport, connection._writer.transport)
        line._transport.set_protocol(line)  # before anything is asked that redis-py would read
        line.ask(line._no_error, b"HELLO", b"3")
        return line

    # what comes in

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        reader, asked = self._reader, self._asked
        reader.feed(data)
        try:
            while (said := reader.gets()) is not False:
                if type(said) is PushNotification:
                    self._heard(said)
                elif asked:
                    asked.popleft()[1](said)
                else:  # of a subscription only a refusal is a reply
                    self._no_error(said)
        except ProtocolError as error:
            self.end(ConnectionError(str(error)))

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(exc or ConnectionError("the server has closed the connection"))

    def _no_error(self, reply: object) -> None:
        if isinstance(reply, ReplyError):
            self.end(ResponseError(str(reply)))

    # what goes out

    def ask(self, answered: Answered, *command: bytes) -> None:
        """Write a command; `answered` takes its reply."""
        self._asked.append((self._loop.time(), answered))
        self._write(command)

    def subscribe(self, channel: bytes) -> None:
        """Hear a channel; that it is heard is said unasked, too."""
        self._write((b"SSUBSCRIBE", channel))

    def _write(self, command: tuple[bytes, ...]) -> None:
        if not self._transport.is_closing():  # else uvloop raises; `over` tells whoever keeps the line
            self._transport.write(pack_command(command))  # type: ignore[arg-type]  # the stub takes one word

    async def kept(self) -> None:
        """See to it that the server lives, and return never; raises what the connection ended with."""
        while True:
            await asyncio.wait([self.over], timeout=LOOK_S)  # real time: it is a network that is waited for
            if self.over.done():
                self.over.result()
            now = self._loop.time()
            if self._asked and now - self._asked[0][0] > SILENT_S:
                raise TimeoutError("the server is silent")
            if not self._asked and now - self._heard_at > PING_S:
                self.ask(self._no_error, b"PING")

    # the end

    def end(self, error: Exception) -> None:
        """It is of no use any more."""
        if not self.over.done():
            self.over.set_exception(error)
            self.over.exception()  # retrieved: nobody may be waiting

    def close(self) -> None:
        """Let go of the server at once: nobody waits for what it has not answered."""
        self.end(ConnectionError("closed"))
        self._transport.abort()
