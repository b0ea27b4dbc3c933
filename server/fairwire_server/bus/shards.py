"""Which servers carry which channels: one server, or the primaries of a Valkey Cluster.

Sharded pub/sub: a channel lives where its hash slot lives, so that the cluster's shards carry the bus side by side and none of them
sees it all. A node keeps a `Link` to each primary that has a channel, and looks anew whenever one of them ends or refuses.

redis-py's own cluster client would follow a channel that moves only when a command of the same client meets the move, and it sends
again what failed without a word of what it was; so it serves no link, and finding the owners is all of a cluster that is done here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from redis.asyncio import Connection, ConnectionPool, Redis, SSLConnection
from redis.asyncio.connection import AbstractConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.cluster import parse_cluster_slots
from redis.crc import key_slot

from fairwire_server.bus.link import FAILURES, Link, let_go

__all__ = ["CHANNELS", "Server", "Shards", "channel_names", "read_url"]

CHANNELS: Final = 16
"""Fixed, since all nodes must agree; enough for every shard of a sensible cluster to carry some."""
CONNECT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Server:
    """How a server is reached, as redis-py's connections want it told."""

    connection: type[Any]
    options: Mapping[str, Any]

    def client(self) -> Redis:
        """A client that owns its connections. It tries nothing twice: that a connection has ended must be known (`Link`)."""
        return Redis.from_pool(ConnectionPool(self.connection, **self._options()))

    def alone(self) -> AbstractConnection:
        """A connection in no pool, not yet open."""
        connection: AbstractConnection = self.connection(**self._options())
        return connection

    def _options(self) -> dict[str, Any]:
        """Whoever waits sets the time: redis-py's own `socket_timeout` goes by `wait_for`, which in Python 3.11 may swallow that the task
        was cancelled."""
        return {
            **self.options,
            "protocol": 2,
            "socket_connect_timeout": CONNECT_S,
            "socket_timeout": None,
            "retry": Retry(NoBackoff(), 0, supported_errors=()),
        }


def channel_names(namespace: str) -> list[bytes]:
    """The channels of an installation: several may share a server."""
    return [f"fairwire:{namespace}:{number}".encode() for number in range(CHANNELS)]


def read_url(url: str) -> Server:
    """`redis://[[user]:password@]host[:port]`, `rediss://…` with TLS, or `unix:///path[?password=…]`. Raises `ValueError`."""
    options: dict[str, Any] = {**parse_url(url)}
    if not options.keys() & {"host", "path"}:
        raise ValueError("URL must be redis://host, rediss://host or unix:///path")
    server = Server(options.pop("connection_class", Connection), options)
    try:
        server.connection(**options)  # which connects nothing yet
    except TypeError as error:
        raise ValueError(f"URL must not say more than a connection can use: {error}") from error
    return server


@dataclass(frozen=True, slots=True)
class Shards:
    """Open links to every server that carries a channel."""

    links: Sequence[Link]
    homes: Sequence[Link]
    """By number of channel."""
    servers: Sequence[Server]
    """Where the bus was found, for the next time."""

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        seeds: Sequence[Server],
        channels: Sequence[bytes],
        node: bytes,
        hear: Callable[[bytes], None],
        lost: Callable[[Sequence[UUID]], None],
    ) -> AsyncIterator[Shards]:
        """Ask the first seed that answers, and subscribe every channel; nothing stays open afterwards. Raises `FAILURES`."""
        owners, servers = await _find(seeds, channels)
        async with AsyncExitStack() as stack:
            links = {}
            for server in _each(owners):
                link = links[id(server)] = Link(server.client(), server.alone(), node, hear, lost)
                stack.push_async_callback(link.close)
                await link.open([channel for channel, owner in zip(channels, owners, strict=True) if owner is server])
            yield cls(list(links.values()), [links[id(owner)] for owner in owners], servers)

    async def kept(self) -> None:
        """Keep all links until one of them fails; raises why."""
        tasks = [asyncio.create_task(link.kept()) for link in self.links]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for link in self.links:  # before any is closed, which may take a moment
                link.end()


async def _find(seeds: Sequence[Server], channels: Sequence[bytes]) -> tuple[list[Server], list[Server]]:
    """Who carries each channel, the same object for the same server, and all servers; asked of the first seed that answers."""
    for number, seed in enumerate(seeds, 1):
        client = seed.client()
        try:
            async with asyncio.timeout(CONNECT_S):
                if not (await client.info("cluster"))["cluster_enabled"]:
                    return [seed] * len(channels), [seed]
                slots = parse_cluster_slots(await client.cluster("slots"), current_host=_host(seed))
        except FAILURES:
            if number == len(seeds):
                raise
        else:
            primaries = _primaries(seed, slots)
            owners = [_owner(primaries, key_slot(channel)) for channel in channels]
            return owners, _each(primaries.values())
        finally:
            await let_go(client)
    raise ConnectionError("no server of the bus is known")


def _each(servers: Iterable[Server]) -> list[Server]:
    return list({id(server): server for server in servers}.values())


def _host(seed: Server) -> str:
    host: str = seed.options.get("host", "127.0.0.1")
    return host


def _primaries(seed: Server, slots: Mapping[tuple[int, int], Mapping[str, Any]]) -> dict[tuple[int, int], Server]:
    """By first and last slot."""
    tls = issubclass(seed.connection, SSLConnection)
    options = {name: value for name, value in seed.options.items() if name != "path"}
    known: dict[tuple[str, int], Server] = {}
    primaries = {}
    for range_, shard in slots.items():
        host, port = shard["primary"]
        if host == "?":  # a cluster that is to tell its names and has none
            host = _host(seed)
        server = Server(SSLConnection if tls else Connection, {**options, "host": host, "port": port})
        primaries[range_] = known.setdefault((host, port), server)
    return primaries


def _owner(primaries: Mapping[tuple[int, int], Server], slot: int) -> Server:
    for (first, last), server in primaries.items():
        if first <= slot <= last:
            return server
    raise ConnectionError(f"nobody in the cluster owns slot {slot}")
