"""What the hub's tests share: raw sockets, greetings, and small conversations."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.harness.clock import ManualClock
from tests.harness.node import Running
from tests.harness.peer import Peer

__all__ = ["CODECS", "Raw", "chat", "fence", "hello", "passes", "raw"]

CODECS = ("msgpack", "json")
PATIENCE_S = 10.0


def hello(token: str, **changes: Any) -> dict[str, Any]:
    """A greeting."""
    return {"t": "hello", "protocol": [1, 1], "token": token, "device": {"id": uuid4().hex}, **changes}


class Raw:
    """A socket that says only what it is told to."""

    def __init__(self, connection: ClientConnection, codec: str) -> None:
        self.connection = connection
        self.codec = codec

    def encode(self, frame: Any) -> bytes | str:
        """A frame in the codec."""
        return json.dumps(frame) if self.codec == "json" else bytes(msgpack.packb(frame))

    async def send(self, frame: Any) -> None:
        """Send a frame, or text and bytes as they are."""
        await self.connection.send(frame if isinstance(frame, str | bytes) else self.encode(frame))

    async def receive(self) -> dict[str, Any]:
        """The next frame."""
        async with asyncio.timeout(PATIENCE_S):
            data = await self.connection.recv()
        frame: dict[str, Any] = json.loads(data) if self.codec == "json" else msgpack.unpackb(data)
        return frame

    async def until(self, kind: str) -> dict[str, Any]:
        """The next frame of a kind; the others are dropped."""
        while (frame := await self.receive())["t"] != kind:
            pass
        return frame

    async def end(self) -> tuple[list[dict[str, Any]], int | None]:
        """What still comes, and the close code."""
        frames = []
        try:
            while True:
                frames.append(await self.receive())
        except ConnectionClosed:
            return frames, self.connection.close_code

    async def turned_away(self, code: int) -> None:
        """`bye` with the code, then the close with the code, and nothing before that but errors (W13)."""
        frames, closed = await self.end()
        assert closed == code, (closed, frames)
        assert frames[-1]["t"] == "bye", frames
        assert frames[-1]["code"] == code


@asynccontextmanager
async def raw(
    running: Running,
    codec: str = "msgpack",
    *,
    subprotocols: Sequence[str] | None = None,
    path: str = "/v1/socket",
    **options: Any,
) -> AsyncIterator[Raw]:
    """A connection on which nothing was said yet."""
    offered = [f"fairwire.v1.{codec}"] if subprotocols is None else subprotocols
    async with connect(
        running.url.replace("http", "ws", 1) + path,
        subprotocols=[Subprotocol(name) for name in offered] or None,
        proxy=None,
        max_size=None,
        **{"compression": None, **options},
    ) as connection:
        yield Raw(connection, codec)


async def chat(running: Running, buyer: Peer, exhibitor: str = "acme") -> str:
    """The buyer's conversation, with a first message in it."""
    reply = await buyer.ok("chat.open", exhibitor=str(running.ground.exhibitors[exhibitor]))
    conversation: str = reply["entry"]["conversation"]
    await buyer.ok("chat.send", conversation=conversation, text="hello")
    return conversation


async def fence(*peers: Peer) -> None:
    """Everything that was pushed to these sockets before has arrived: answers come in the order of the queue."""
    for one in peers:
        await one.ok("account.show")


async def passes(clock: ManualClock, seconds: float, step: float = 0.25) -> None:
    """Time passes as a loop that keeps up sees it: by small steps."""
    for _ in range(round(seconds / step)):
        await clock.pass_(step)
