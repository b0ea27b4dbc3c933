"""One server of the bus: a line that hears its channels, and an outbox that leaves by the same line.

Telling waits for nobody: it fills the outbox, which leaves at the end of the loop's turn, and what comes before all of that is confirmed
leaves as the next. All of it is published on one of the server's channels, since everybody hears them all: one publication for a turn
costs a fraction of what one for each channel would, at both ends. What is told stays in order, and what the server has not confirmed when
the link ends is known by its keys. Nothing connects anew or tries again by itself: it could then neither be said what was lost nor that
something may have been missed. Whoever keeps the link makes a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from uuid import UUID

from hiredis import ReplyError
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from fairwire_server.bus.line import Line

__all__ = ["FAILURES", "Link", "let_go"]

FAILURES: Final = (RedisError, OSError, TimeoutError)
"""All that may go wrong with a server; redis-py has a TimeoutError of its own."""
CONFIRM_S: Final = 2.0
UNSENT_MAX: Final = 8 * 1024 * 1024
"""Bytes that the server has not confirmed; beyond that the link has no room, and what is told is lost."""
PAYLOAD_MAX: Final = 64 * 1024
"""A payload of this size is not added to, so that those who hear it get to other work in between."""


@dataclass(slots=True, eq=False)
class _Payload:
    """What leaves as one SPUBLISH: messages with their lengths, and the keys of those that must not be lost unnoticed."""

    parts: list[bytes]
    size: int = 0
    keys: list[UUID] = field(default_factory=list)


class Link:
    """A server and the channels it carries; it speaks on the first. `hear` gets payloads, `lost` the keys of what may not have arrived.

    `client` is for whatever else is asked of the server.
    """

    def __init__(
        self,
        client: Redis,
        connection: AbstractConnection,
        node: bytes,
        hear: Callable[[bytes], None],
        lost: Callable[[Sequence[UUID]], None],
    ) -> None:
        self.client = client
        self._connection = connection
        self._node = node
        self._hear = hear
        self._lost = lost
        self._line: Line | None = None
        self._missing = 0
        self._subscribed: asyncio.Future[None]
        self._open = False
        self._voice = b""
        self._gathering: _Payload | None = None
        self._outbox: list[_Payload] = []
        self._sending: list[_Payload] = []
        self._unconfirmed = 0

    async def open(self, channels: Sequence[bytes]) -> None:
        """Subscribe; returns once the server has confirmed every channel. Raises one of `FAILURES`."""
        self._missing = len(channels)
        self._subscribed = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(CONFIRM_S):
            self._line = line = await Line.opened(self._connection, self._heard)
            for channel in channels:  # one by one: in a cluster each has a slot of its own
                line.subscribe(channel)
            await asyncio.wait([self._subscribed, line.over], return_when=asyncio.FIRST_COMPLETED)
            if line.over.done():
                line.over.result()
        self._voice = channels[0]
        self._open = True

    async def kept(self) -> None:
        """Keep the link, and return never; raises what it ended with."""
        assert self._line is not None
        await self._line.kept()

    def end(self) -> None:
        """Take nothing more. What the server has not confirmed may not have arrived."""
        self._open = False
        unconfirmed, self._sending, self._outbox = [*self._sending, *self._outbox], [], []
        for payload in unconfirmed:
            self._lost(payload.keys)

    async def close(self) -> None:
        """Let go of the server."""
        self.end()
        if self._line is not None:
            self._line.close()
        await self._connection.disconnect(nowait=True)  # which it may have left open half way
        await let_go(self.client)

    # hearing

    def _heard(self, said: list[Any]) -> None:
        kind = said[0]
        if kind == b"smessage":
            data = said[2]
            if not data.startswith(self._node):
                self._hear(data)
        elif kind == b"ssubscribe":
            self._missing -= 1
            if not self._missing:
                self._subscribed.set_result(None)
        elif kind == b"sunsubscribe" and self._line is not None:
            self._line.end(ConnectionError("a channel has moved to another server"))

    # telling

    def tell(self, message: bytes, key: UUID | None) -> bool:
        """Leave a message for the end of this turn; `key` is lost if it is not confirmed. False when there is no room."""
        if not self._open or self._unconfirmed > UNSENT_MAX:
            return False
        payload = self._gathering
        if payload is None or payload.size > PAYLOAD_MAX:
            payload = self._gathering = _Payload([self._node])
            if not self._outbox and not self._sending:
                asyncio.get_running_loop().call_soon(self._send)
            self._outbox.append(payload)
        size = len(message)
        payload.parts.append(size.to_bytes(4, "big"))
        payload.parts.append(message)
        payload.size += size
        self._unconfirmed += size
        if key is not None:
            payload.keys.append(key)
        return True

    def _send(self) -> None:
        self._gathering = None
        self._sending, self._outbox = self._outbox, []
        assert self._line is not None
        for payload in self._sending:
            self._line.ask(partial(self._confirmed, payload), b"SPUBLISH", self._voice, b"".join(payload.parts))

    def _confirmed(self, payload: _Payload, reply: object) -> None:
        if not self._open:
            return
        if isinstance(
            reply, ReplyError
        ):  # moved, read-only, out of memory: whoever keeps this link finds the right server
            assert self._line is not None
            self._line.end(ResponseError(str(reply)))
            return
        self._sending.remove(payload)
        self._unconfirmed -= payload.size
        if not self._sending and self._outbox:
            self._send()


async def let_go(client: Redis) -> None:
    """Close all its connections, whatever fails. Who is cancelled meanwhile is so afterwards: redis-py closes by a task for each
    connection, and one that is cancelled before its first step leaves its connection open."""
    closing, cancelled = asyncio.create_task(_close(client)), None
    while not closing.done():
        try:
            await asyncio.wait([closing])
        except asyncio.CancelledError as error:
            cancelled = error
    closing.result()
    if cancelled is not None:
        raise cancelled


async def _close(client: Redis) -> None:
    with suppress(*FAILURES):
        await client.aclose()
