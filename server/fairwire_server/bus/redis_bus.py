"""The bus of several nodes: sharded pub/sub on Valkey or Redis, which may lose everything at any time without harm.

What a turn of the loop tells is gathered by channel and leaves in one write. A key always takes the same channel, so a node's
messages about one account stay in order. What the server has not confirmed when a connection ends, and what is told while there is
none, goes to PostgreSQL as a bare `look`: a node may be cut off while the others hear each other well, and they could not know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final
from uuid import UUID
from zlib import crc32

import structlog

from fairwire_server.bus.bus import Ears
from fairwire_server.bus.listening import Listening
from fairwire_server.bus.resp import Address, Link, Refusal
from fairwire_server.bus.shards import CHANNELS, Shards, channel_names, read_url
from fairwire_server.clock import Clock
from fairwire_server.database.pool import Database

__all__ = ["RedisBus"]

PING_S: Final = 1.0
SILENT_S: Final = 2.5
"""A connection on which nothing came for this long, although it was asked every second, is dead."""
RETRY_S: Final = (0.1, 0.25, 0.5, 1.0)
FIRST_S: Final = 3.0
"""A starting node waits this long for the bus; then it serves without, polling positions."""
TAKE_S: Final = 0.25


class RedisBus:
    """A `Bus` over every node with the same database and the same Redis."""

    def __init__(
        self, url: str, database: Database, clock: Clock, ears: Ears, node: UUID, *, namespace: str, claim: bool = True
    ) -> None:
        self.connected = False
        self.dropped = 0
        """Messages that found no way out; those that matter were told through PostgreSQL."""
        self._seed = read_url(url)
        self._seeds: list[Address] = [self._seed]
        self._ears = ears
        self._node = node.bytes
        self._listening = Listening(database, clock, ears, "shared" if claim else "none", node)
        self._channels = channel_names(namespace)
        self._heads = [b"*3\r\n$8\r\nSPUBLISH\r\n$%d\r\n%b\r\n" % (len(name), name) for name in self._channels]
        self._script = files(__package__).joinpath("scripts/gcra.lua").read_text("utf-8")
        self._shards: Shards | None = None
        self._told: list[tuple[list[bytes], list[UUID]]] = [([], []) for _ in range(CHANNELS)]
        self._flushing = False
        self._moved = asyncio.Event()
        self._log = structlog.get_logger("bus")

    async def run(self, claimed: asyncio.Future[None]) -> None:
        """Keep both connections until cancelled; the node is ready once it hears the others, or after a moment without."""
        loop = asyncio.get_running_loop()
        alone: asyncio.Future[None] = loop.create_future()
        first: asyncio.Future[None] = loop.create_future()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listening.run(alone))
            group.create_task(self._stay_connected(first))
            group.create_task(_ready(alone, first, claimed))

    async def _stay_connected(self, first: asyncio.Future[None]) -> None:
        attempt = 0
        while True:
            try:
                await self._connect()
                attempt = 0
                if not first.done():
                    first.set_result(None)
                await self._watch()
            except (OSError, TimeoutError, Refusal) as error:
                if attempt == 0:
                    self._log.warning("bus not reached", error=type(error).__name__, detail=str(error)[:120])
            finally:
                self._disconnect()
            await asyncio.sleep(
                RETRY_S[min(attempt, len(RETRY_S) - 1)]
            )  # real time: it is a network that is waited for
            attempt += 1

    async def _connect(self) -> None:
        self._moved.clear()
        self._shards, found = await Shards.open(self._seeds, self._channels, self._pushed, self._undelivered)
        self._seeds = [self._seed, *(address for address in found if address != self._seed)]
        self.connected = True
        self._log.info("bus connected", servers=len(self._shards.links))
        self._ears.connected()

    def _disconnect(self) -> None:
        shards, self._shards = self._shards, None
        self.connected = False
        if shards is not None:
            shards.close()

    async def _watch(self) -> None:
        """Returns when a connection has ended, is dead, or a channel has moved."""
        assert self._shards is not None
        links = self._shards.links
        loop = asyncio.get_running_loop()
        moved = asyncio.create_task(self._moved.wait())
        try:
            while True:
                for link in links:
                    link.call("PING").add_done_callback(_ignore)
                ends: set[asyncio.Future[Any]] = {moved, *(link.ended for link in links)}
                done, _ = await asyncio.wait(ends, timeout=PING_S, return_when=asyncio.FIRST_COMPLETED)
                if done or any(loop.time() - link.heard_at > SILENT_S for link in links):
                    self._log.warning("bus connection lost")
                    return
        finally:
            moved.cancel()

    # hearing

    def _pushed(self, push: list[Any]) -> None:
        kind = push[0]
        if kind == b"smessage":
            data = push[2]
            if data[:16] != self._node:
                self._hear(data)
        elif kind == b"sunsubscribe":
            self._moved.set()  # its slot has another owner now

    def _hear(self, data: bytes) -> None:
        at, end, hear = 16, len(data), self._ears.message
        while at < end:
            start = at + 4
            at = start + int.from_bytes(data[at:start], "big")
            hear(data[start:at])

    # telling

    def tell(self, key: UUID, message: bytes, *, droppable: bool = False) -> None:
        """Say something to every other node, at the end of this turn of the loop."""
        messages, keys = self._told[key.int % CHANNELS]
        messages.append(len(message).to_bytes(4, "big"))
        messages.append(message)
        if not droppable:
            keys.append(key)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        shards = self._shards
        writes: dict[Link, tuple[list[bytes], list[list[UUID]]]] = {}
        for number, (messages, keys) in enumerate(self._told):
            if not messages:
                continue
            self._told[number] = ([], [])
            link = None if shards is None else shards.homes[number]
            if link is None or not link.room():
                self.dropped += len(messages) // 2
                self._undelivered(keys)
                continue
            commands, replies = writes.setdefault(link, ([], []))
            payload = b"".join([self._node, *messages])
            commands.append(b"%b$%d\r\n%b\r\n" % (self._heads[number], len(payload), payload))
            replies.append(keys)
        for link, (commands, replies) in writes.items():
            link.cast(b"".join(commands), replies)

    def _undelivered(self, keys: Sequence[UUID]) -> None:
        if keys:
            self._listening.look(keys)

    # limits

    async def take(self, bucket: str, interval: float, burst: int) -> float | None:
        """One call from a shared bucket, by the server's clock (`scripts/gcra.lua`)."""
        shards = self._shards
        if shards is None:
            return None
        number = crc32(bucket.encode()) % CHANNELS
        key = b"{%b}:limit:%b" % (self._channels[number], bucket.encode())  # in its channel's slot, so at its home
        try:
            async with asyncio.timeout(TAKE_S):
                waits = await shards.homes[number].call("EVAL", self._script, 1, key, str(interval), burst)
        except (OSError, TimeoutError, Refusal):
            return None
        return int(waits) / 1_000_000


async def _ready(alone: asyncio.Future[None], first: asyncio.Future[None], claimed: asyncio.Future[None]) -> None:
    """`claimed` follows once the database is claimed and the bus was reached, or could not be in time."""
    try:
        await alone
    except Exception as error:
        claimed.set_exception(error)
        return
    await asyncio.wait({first}, timeout=FIRST_S)
    if not claimed.done():
        claimed.set_result(None)


def _ignore(reply: asyncio.Future[Any]) -> None:
    """A ping's answer counts by having come; its connection's end is seen elsewhere."""
    if not reply.cancelled():
        reply.exception()
