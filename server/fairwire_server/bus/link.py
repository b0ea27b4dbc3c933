"""One server of the bus, by redis-py: a subscription that is heard, and an outbox that leaves pipeline by pipeline.

Telling waits for nobody: it fills the outbox, and a task of its own sends what has gathered, a turn of the loop or as much as came during
the pipeline before. All of it is published on one of the server's channels, since everybody hears them all: one publication for a turn
costs a fraction of what one for each channel would, at both ends. Only one pipeline is under way, so what is told stays in order, and
what the server has not confirmed when the link ends is known by its keys. The client never connects anew or tries again by itself: it
could then neither say what was lost nor that something may have been missed. Whoever keeps the link makes a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

__all__ = ["FAILURES", "Link", "let_go"]

FAILURES: Final = (RedisError, OSError, TimeoutError)
"""All that may go wrong with a server; redis-py has a TimeoutError of its own."""
PING_S: Final = 1.0
SILENT_S: Final = 2.5
"""A connection on which nothing came for this long, although something was asked, is dead."""
CONFIRM_S: Final = 2.0
UNSENT_MAX: Final = 8 * 1024 * 1024
"""Bytes that the server has not confirmed; beyond that the link has no room, and what is told is lost."""
PAYLOAD_MAX: Final = 64 * 1024
"""A payload of this size is not added to, so that those who hear it get to other work in between."""


@dataclass(slots=True)
class _Payload:
    """What leaves as one SPUBLISH: messages with their lengths, and the keys of those that must not be lost unnoticed."""

    parts: list[bytes]
    size: int = 0
    keys: list[UUID] = field(default_factory=list)


class Link:
    """A server and the channels it carries; it speaks on the first. `hear` gets payloads, `lost` the keys of what may not have arrived."""

    def __init__(
        self, client: Redis, node: bytes, hear: Callable[[bytes], None], lost: Callable[[Sequence[UUID]], None]
    ) -> None:
        self.client = client
        self._node = node
        self._hear = hear
        self._lost = lost
        self._pubsub = client.pubsub()
        self._heard_at = 0.0
        self._open = False
        self._voice = b""
        self._gathering: _Payload | None = None
        self._outbox: list[_Payload] = []
        self._sending: list[_Payload] = []
        self._unconfirmed = 0
        self._told = asyncio.Event()

    async def open(self, channels: Sequence[bytes]) -> None:
        """Subscribe; returns once the server has confirmed every channel. Raises one of `FAILURES`."""
        async with asyncio.timeout(CONFIRM_S):
            for channel in channels:  # one by one: in a cluster each has a slot of its own
                await self._pubsub.ssubscribe(channel)
            missing = len(channels)
            while missing:
                missing -= await self._next() == b"ssubscribe"
        self._voice = channels[0]
        self._open = True

    def run(self) -> Iterator[asyncio.Task[None]]:
        """What keeps the link; the first of these tasks to end, ends it."""
        for work in (self._listen(), self._ping(), self._send()):
            yield asyncio.create_task(work)

    def end(self) -> None:
        """Take nothing more. What the server has not confirmed may not have arrived; the tasks that send have ended."""
        self._open = False
        unconfirmed, self._sending, self._outbox = [*self._sending, *self._outbox], [], []
        for payload in unconfirmed:
            self._lost(payload.keys)

    async def close(self) -> None:
        """Let go of the server."""
        self.end()
        await let_go(self._pubsub, self.client)

    # hearing

    async def _next(self) -> bytes:
        # as the server said it: `get_message` would cost as much again; and it may be silent, of which `_ping` is the judge
        said: list[bytes] = await self._pubsub.parse_response(block=True)
        self._heard_at = asyncio.get_running_loop().time()
        kind = said[0]
        if kind == b"smessage":
            data = said[2]
            if not data.startswith(self._node):
                self._hear(data)
        return kind

    async def _listen(self) -> None:
        while await self._next() != b"sunsubscribe":
            pass
        raise ConnectionError("a channel has moved to another server")

    async def _ping(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            async with asyncio.timeout(SILENT_S):
                await self._pubsub.ping()
            await asyncio.sleep(PING_S)  # real time: it is a network that is waited for
            if loop.time() - self._heard_at > SILENT_S:
                raise TimeoutError("the server is silent")

    # telling

    def tell(self, message: bytes, key: UUID | None) -> bool:
        """Leave a message for the next pipeline; `key` is lost if it is not confirmed. False when there is no room."""
        if not self._open or self._unconfirmed > UNSENT_MAX:
            return False
        payload = self._gathering
        if payload is None or payload.size > PAYLOAD_MAX:
            payload = self._gathering = _Payload([self._node])
            self._outbox.append(payload)
            self._told.set()
        size = len(message)
        payload.parts.append(size.to_bytes(4, "big"))
        payload.parts.append(message)
        payload.size += size
        self._unconfirmed += size
        if key is not None:
            payload.keys.append(key)
        return True

    async def _send(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            self._gathering = None
            self._sending, self._outbox = self._outbox, []
            pipeline = self.client.pipeline(transaction=False)
            for payload in self._sending:
                pipeline.spublish(self._voice, b"".join(payload.parts))
            async with asyncio.timeout(SILENT_S):
                replies: list[Any] = await pipeline.execute(raise_on_error=False)
            # moved, read-only, out of memory: these were refused, and whoever keeps this link finds the right server
            refused = [
                (one, reply) for one, reply in zip(self._sending, replies, strict=True) if isinstance(reply, Exception)
            ]
            self._unconfirmed -= sum(payload.size for payload in self._sending)
            self._sending = [payload for payload, _ in refused]
            if refused:
                raise refused[0][1]


async def let_go(*ends: Redis | PubSub) -> None:
    """Close all connections of these, whatever fails. Who is cancelled meanwhile is so afterwards: redis-py closes by a task for each
    connection, and one that is cancelled before its first step leaves its connection open."""
    closing, cancelled = asyncio.create_task(_close_each(ends)), None
    while not closing.done():
        try:
            await asyncio.wait([closing])
        except asyncio.CancelledError as error:
            cancelled = error
    closing.result()
    if cancelled is not None:
        raise cancelled


async def _close_each(ends: Sequence[Redis | PubSub]) -> None:
    for end in ends:
        with suppress(*FAILURES):
            await end.aclose()
