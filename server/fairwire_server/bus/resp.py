"""One connection to a Valkey or Redis server: RESP3, so that subscriptions and commands share it and stay in order.

A protocol of our own rather than a client's: telling must not wait for anybody, everything told within a turn of the loop leaves in
one write, and what the server has not confirmed when the connection ends must be known. hiredis reads the replies.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

import hiredis

__all__ = ["Address", "Link", "Refusal"]

Refusal = hiredis.ReplyError
CONNECT_S: Final = 2.0
UNSENT_MAX: Final = 8 * 1024 * 1024
"""Bytes the server has not taken; beyond that the link has no room, and what is told is lost."""
CONFIRMING: Final = frozenset({b"ssubscribe"})


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens and how to sign in."""

    host: str = "127.0.0.1"
    port: int = 6379
    path: str | None = None
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None


class Link(asyncio.Protocol):
    """An open connection. `pushed` gets what the server says unasked, `lost` the keys of casts that may not have arrived."""

    def __init__(self, pushed: Callable[[list[Any]], None], lost: Callable[[Sequence[UUID]], None]) -> None:
        self._pushed = pushed
        self._lost = lost
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        # What each reply still to come answers: somebody who waits, or the keys of a cast.
        self._asked: deque[asyncio.Future[Any] | Sequence[UUID]] = deque()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard_at = 0.0

    @classmethod
    async def open(
        cls, address: Address, pushed: Callable[[list[Any]], None], lost: Callable[[Sequence[UUID]], None]
    ) -> tuple[Link, dict[bytes, Any]]:
        """Connect and sign in; the link and what the server says of itself. Raises `OSError`, `TimeoutError`, `Refusal`."""
        loop = asyncio.get_running_loop()
        link = cls(pushed, lost)
        hello = ["HELLO", "3"]
        if address.password is not None:
            hello += ["AUTH", address.username or "default", address.password]
        try:
            async with asyncio.timeout(CONNECT_S):
                if address.path is not None:
                    await loop.create_unix_connection(lambda: link, address.path)
                else:
                    await loop.create_connection(lambda: link, address.host, address.port, ssl=address.tls)
                about = await link.call(*hello)
        except BaseException:
            link.abort()
            raise
        return link, about

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Replies and pushes, in the server's order."""
        self.heard_at = asyncio.get_running_loop().time()
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                if isinstance(reply, hiredis.PushNotification) and reply[0] not in CONFIRMING:
                    self._pushed(reply)
                else:
                    self._answered(reply)
        except (hiredis.ProtocolError, IndexError):
            self.abort()

    def _answered(self, reply: Any) -> None:
        asked = self._asked.popleft()
        refused = isinstance(reply, hiredis.ReplyError)
        if isinstance(asked, asyncio.Future):
            if asked.done():
                return
            if refused:
                asked.set_exception(reply)
            else:
                asked.set_result(reply)
        elif refused:
            self._lost(asked)
            self.abort()  # moved, read-only, out of memory: whoever keeps this link finds the right server

    def connection_lost(self, exc: Exception | None) -> None:
        """What was not answered may not have arrived."""
        asked, self._asked = self._asked, deque()
        for one in asked:
            if isinstance(one, asyncio.Future):
                if not one.done():
                    one.set_exception(ConnectionResetError("the bus connection has ended"))
            elif one:
                self._lost(one)
        if not self.ended.done():
            self.ended.set_result(None)

    def call(self, *parts: str | bytes | int) -> asyncio.Future[Any]:
        """Send a command; its reply, or `Refusal`, or `ConnectionResetError`."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            future.set_exception(ConnectionResetError("the bus connection has ended"))
            return future
        self._asked.append(future)
        self._transport.write(hiredis.pack_command(parts))  # type: ignore[arg-type]  # its stub names a tuple of one
        return future

    def room(self) -> bool:
        """Whether more may be sent now."""
        transport = self._transport
        return transport is not None and not transport.is_closing() and transport.get_write_buffer_size() < UNSENT_MAX

    def cast(self, commands: bytes, keys: Sequence[Sequence[UUID]]) -> None:
        """Send ready commands for whose replies nobody waits; `keys` of each are lost when it was refused or not answered."""
        assert self._transport is not None
        self._asked.extend(keys)
        self._transport.write(commands)

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._transport.abort()
