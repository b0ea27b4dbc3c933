"""The bus of several nodes: sharded pub/sub on Valkey or Redis, which may lose everything at any time without harm.

What a turn of the loop tells is gathered by server and leaves as one publication (`link.py`). A key always takes the same server, that of
its channel, so a node's messages about one account stay in order. What the server has not confirmed when a connection ends, and what is
told while there is none, goes to PostgreSQL as a bare `look`: a node may be cut off while the others hear each other well, and they could
not know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.resources import files
from typing import Final
from uuid import UUID
from zlib import crc32

import structlog
from redis.commands.core import AsyncScript

from fairwire_server.bus.bus import Ears
from fairwire_server.bus.link import FAILURES, let_go
from fairwire_server.bus.listening import Listening
from fairwire_server.bus.shards import CHANNELS, Shards, channel_names, read_url
from fairwire_server.clock import Clock
from fairwire_server.database.pool import Database

__all__ = ["RedisBus"]

RETRY_S: Final = (0.1, 0.25, 0.5, 1.0)
FIRST_S: Final = 3.0
"""A starting node waits this long for the bus; then it serves without, polling positions."""
TAKE_S: Final = 0.25
TAKERS: Final = 4
"""Calls that are asked for at the same time; each has a connection."""


class RedisBus:
    """A `Bus` over every node with the same database and the same Redis."""

    def __init__(
        self, url: str, database: Database, clock: Clock, ears: Ears, node: UUID, *, namespace: str, claim: bool = True
    ) -> None:
        self.connected = False
        self.dropped = 0
        """Messages that found no way out; those that matter were told through PostgreSQL."""
        self._seed = read_url(url)
        self._seeds = [self._seed]
        self._ears = ears
        self._node = node.bytes
        self._listening = Listening(database, clock, ears, "shared" if claim else "none", node)
        self._channels = channel_names(namespace)
        self._script = files(__package__).joinpath("scripts/gcra.lua").read_text("utf-8")
        self._takers = asyncio.Semaphore(TAKERS)
        self._shards: Shards | None = None
        self._gcra: AsyncScript | None = None
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
                async with Shards.opened(
                    self._seeds, self._channels, self._node, self._hear, self._undelivered
                ) as shards:
                    attempt = 0
                    self._connected(shards)
                    if not first.done():
                        first.set_result(None)
                    await self._keep(shards)
            except FAILURES as error:
                if attempt == 0:
                    self._log.warning("bus not reached", error=type(error).__name__, detail=str(error)[:120])
            # real time: it is a network that is waited for
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1

    def _connected(self, shards: Shards) -> None:
        self._seeds = [self._seed, *(server for server in shards.servers if server != self._seed)]
        self._gcra = shards.links[0].client.register_script(self._script)
        self._shards = shards
        self.connected = True
        self._log.info("bus connected", servers=len(shards.links))
        self._ears.connected()

    async def _keep(self, shards: Shards) -> None:
        """Returns when a connection has ended, is dead, or a channel has moved."""
        try:
            await shards.kept()
        except FAILURES as error:
            self._log.warning("bus connection lost", error=type(error).__name__, detail=str(error)[:120])
        finally:
            self.connected = False
            self._shards = None

    # hearing

    def _hear(self, data: bytes) -> None:
        at, end, hear = 16, len(data), self._ears.message
        while at < end:
            start = at + 4
            at = start + int.from_bytes(data[at:start], "big")
            hear(data[start:at])

    # telling

    def tell(self, key: UUID, message: bytes, *, droppable: bool = False) -> None:
        """Say something to every other node, at the end of this turn of the loop."""
        shards, number = self._shards, key.int % CHANNELS
        if shards is None or not shards.homes[number].tell(message, None if droppable else key):
            self.dropped += 1
            if not droppable:
                self._undelivered((key,))

    def _undelivered(self, keys: Sequence[UUID]) -> None:
        if keys:
            self._listening.look(keys)

    # limits

    async def take(self, bucket: str, interval: float, burst: int) -> float | None:
        """One call from a shared bucket, by the server's clock (`scripts/gcra.lua`)."""
        shards = self._shards
        if shards is None or self._gcra is None:
            return None
        number = crc32(bucket.encode()) % CHANNELS
        key = b"{%b}:limit:%b" % (self._channels[number], bucket.encode())  # in its channel's slot, so at its home
        try:
            async with asyncio.timeout(TAKE_S), self._takers:
                waits = await self._gcra([key], [str(interval), burst], client=shards.homes[number].client)
        except FAILURES:
            return None
        finally:
            if self._shards is not shards:
                # closed meanwhile: a connection that this call has made since would stay open
                await let_go(shards.homes[number].client)
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
