"""Which servers carry which channels: one server, or the primaries of a Valkey Cluster.

Sharded pub/sub: a channel lives where its hash slot lives, so that the cluster's shards carry the bus side by side and none of them
sees it all. A node keeps one connection to each primary that has a channel, and looks anew whenever one of them ends or refuses.
"""

from __future__ import annotations

import ssl
from binascii import crc_hqx
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from fairwire_server.bus.resp import Address, Link

__all__ = ["CHANNELS", "Shards", "channel_names", "read_url"]

SLOTS: Final = 16_384  # of a cluster; a key lives in the slot of its CRC16
CHANNELS: Final = 16
"""Fixed, since all nodes must agree; enough for every shard of a sensible cluster to carry some."""


def channel_names(namespace: str) -> list[bytes]:
    """The channels of an installation: several may share a server."""
    return [f"fairwire:{namespace}:{number}".encode() for number in range(CHANNELS)]


def read_url(url: str) -> Address:
    """`redis://[[user]:password@]host[:port]`, `rediss://…` with TLS, or `unix:///path[?password=…]`. Raises `ValueError`."""
    parts = urlsplit(url)
    given = {
        name: unquote(value) for name, value in (("username", parts.username), ("password", parts.password)) if value
    }
    if parts.scheme == "unix" and parts.path:
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return Address(path=unquote(parts.path), username=query.get("username"), password=query.get("password"))
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise ValueError("Expected redis://host, rediss://host or unix:///path")
    tls = ssl.create_default_context() if parts.scheme == "rediss" else None
    return Address(host=parts.hostname, port=parts.port or 6379, tls=tls, **given)


class Shards:
    """Open connections to every server that carries a channel."""

    def __init__(self, links: Sequence[Link], homes: Sequence[Link]) -> None:
        self.links = links
        self.homes = homes
        """By number of channel."""

    @classmethod
    async def open(
        cls,
        seeds: Sequence[Address],
        channels: Sequence[bytes],
        pushed: Callable[[list[Any]], None],
        lost: Callable[[Sequence[UUID]], None],
    ) -> tuple[Shards, list[Address]]:
        """Connect through the first seed that answers and subscribe every channel; also where the servers are now.

        Raises `OSError`, `TimeoutError` or `Refusal`; then nothing stays open.
        """
        opened: list[Link] = []
        try:
            seed, link, about = await _first(seeds, pushed, lost)
            opened.append(link)
            if about.get(b"mode") != b"cluster":
                homes = [link] * len(channels)
                addresses = [seed]
            else:
                owners = _owners(await link.call("CLUSTER", "SHARDS"), seed)
                by_address: dict[Address, Link] = {}
                homes = []
                for channel in channels:
                    address = _owner(owners, crc_hqx(channel, 0) % SLOTS)
                    if address not in by_address:
                        by_address[address], _ = await Link.open(address, pushed, lost)
                        opened.append(by_address[address])
                    homes.append(by_address[address])
                link.abort()
                opened.remove(link)
                addresses = list(dict.fromkeys(address for _, _, address in owners))
            confirmed = [home.call("SSUBSCRIBE", channel) for home, channel in zip(homes, channels, strict=True)]
            for one in confirmed:
                await one
        except BaseException:
            for link in opened:
                link.abort()
            raise
        return cls(opened, homes), addresses

    def close(self) -> None:
        """Drop all of it."""
        for link in self.links:
            link.abort()


async def _first(
    seeds: Sequence[Address], pushed: Callable[[list[Any]], None], lost: Callable[[Sequence[UUID]], None]
) -> tuple[Address, Link, dict[bytes, Any]]:
    for number, seed in enumerate(seeds, 1):
        try:
            return seed, *await Link.open(seed, pushed, lost)
        except (OSError, TimeoutError):
            if number == len(seeds):
                raise
    raise ConnectionError("no server of the bus is known")


def _owners(shards: Sequence[dict[bytes, Any]], seed: Address) -> list[tuple[int, int, Address]]:
    """First slot, last slot, primary."""
    owners = []
    for shard in shards:
        slots = [int(slot) for slot in shard[b"slots"]]
        for node in shard[b"nodes"]:
            if node[b"role"] in (b"master", b"primary") and node[b"health"] == b"online":
                port = node.get(b"tls-port" if seed.tls else b"port") or node[b"port"]
                host = (node.get(b"endpoint") or node[b"ip"]).decode()
                address = replace(seed, host=seed.host if host in ("", "?") else host, port=int(port), path=None)
                owners += [(first, last, address) for first, last in zip(slots[::2], slots[1::2], strict=True)]
    return owners


def _owner(owners: Sequence[tuple[int, int, Address]], slot: int) -> Address:
    for first, last, address in owners:
        if first <= slot <= last:
            return address
    raise ConnectionError(f"nobody in the cluster owns slot {slot}")
