"""A stranger's client: plain `msgpack` or `json` and the `websockets` library, no types of ours (the wire spec alone)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

__all__ = ["Peer", "peer"]

PATIENCE_S = 10.0


class Peer:
    """One socket. Frames arrive in `frames`; `call` waits for its own answer and keeps the rest in order."""

    def __init__(self, connection: ClientConnection, codec: str) -> None:
        self.connection = connection
        self.codec = codec
        self.frames: list[dict[str, Any]] = []
        self.heard: list[dict[str, Any]] = []
        """Every frame there ever was, taken out of `frames` or not."""
        self.state: list[dict[str, Any]] = []
        self.close_code: int | None = None
        self.account: tuple[int, int] = (0, 0)
        self.fair: tuple[int, int] = (0, 0)
        self._arrived = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for data in self.connection:
                await self._keep(self.decode(data))
        except ConnectionClosed:
            pass
        async with self._arrived:
            self.close_code = self.connection.close_code
            self._arrived.notify_all()

    async def _keep(self, frame: dict[str, Any]) -> None:
        async with self._arrived:
            self.frames.append(frame)
            self.heard.append(frame)
            if frame["t"] == "resumed":
                self.account = (frame["account"]["epoch"], frame["account"]["pos"])
                self.fair = (frame["fair"]["epoch"], frame["fair"]["pos"])
            elif frame["t"] in {"event", "void"}:
                pos = frame["pos"] if frame["t"] == "event" else frame["to"]
                if frame["stream"] == "account":
                    self.account = (self.account[0], pos)
                else:
                    self.fair = (self.fair[0], pos)
            self._arrived.notify_all()

    def encode(self, frame: Any) -> bytes | str:
        """A frame in this peer's codec."""
        return json.dumps(frame) if self.codec == "json" else bytes(msgpack.packb(frame))

    def decode(self, data: bytes | str) -> dict[str, Any]:
        """A frame as plain data."""
        frame: dict[str, Any] = json.loads(data) if self.codec == "json" else msgpack.unpackb(data)
        return frame

    async def send(self, frame: Any) -> None:
        """Send one frame."""
        await self.connection.send(self.encode(frame))

    async def wait(self, **wanted: Any) -> dict[str, Any]:
        """The first frame, taken out, whose fields equal `wanted`; fails when none comes."""

        def found() -> dict[str, Any] | None:
            for frame in self.frames:
                if all(frame.get(key) == value for key, value in wanted.items()):
                    return frame
            return None

        async with asyncio.timeout(PATIENCE_S), self._arrived:
            await self._arrived.wait_for(lambda: found() is not None or self.close_code is not None)
            frame = found()
        assert frame is not None, f"closed with {self.close_code} before {wanted} came; have {self.frames}"
        self.frames.remove(frame)
        return frame

    async def event(self, type_: str) -> dict[str, Any]:
        """The body of the next event of a type, taken out."""

        def found() -> dict[str, Any] | None:
            for frame in self.frames:
                if frame["t"] == "event" and frame["body"]["type"] == type_:
                    return frame
            return None

        async with asyncio.timeout(PATIENCE_S), self._arrived:
            await self._arrived.wait_for(lambda: found() is not None or self.close_code is not None)
            frame = found()
        assert frame is not None, f"closed with {self.close_code} before {type_} came"
        self.frames.remove(frame)
        body: dict[str, Any] = frame["body"]
        return body

    async def call(self, op: str, *, cid: str | None = None, **args: Any) -> dict[str, Any]:
        """Run an operation; its `reply` or `error` frame."""
        cid = cid or str(uuid4())
        await self.send({"t": "call", "cid": cid, "op": op, "args": args})

        def found() -> dict[str, Any] | None:
            return next((f for f in self.frames if f["t"] in {"reply", "error"} and f.get("cid") == cid), None)

        async with asyncio.timeout(PATIENCE_S), self._arrived:
            await self._arrived.wait_for(lambda: found() is not None or self.close_code is not None)
            frame = found()
        assert frame is not None, f"closed with {self.close_code} before an answer to {op}"
        self.frames.remove(frame)
        return frame

    async def ok(self, op: str, **args: Any) -> dict[str, Any]:
        """The result of an operation that must succeed."""
        frame = await self.call(op, **args)
        assert frame["t"] == "reply", frame
        result: dict[str, Any] = frame.get("result") or {}
        return result

    async def refused(self, op: str, **args: Any) -> str:
        """The code of an operation that must be refused."""
        frame = await self.call(op, **args)
        assert frame["t"] == "error", frame
        code: str = frame["code"]
        return code

    async def closed(self) -> int:
        """The code the socket is closed with."""
        async with asyncio.timeout(PATIENCE_S), self._arrived:
            await self._arrived.wait_for(lambda: self.close_code is not None)
        assert self.close_code is not None
        return self.close_code

    async def reached(self, stream: str, pos: int) -> list[int]:
        """Wait for a position of a stream; the positions of its events so far, in the order they came."""

        def at() -> int:
            return self.account[1] if stream == "account" else self.fair[1]

        async with asyncio.timeout(3 * PATIENCE_S), self._arrived:
            await self._arrived.wait_for(lambda: at() >= pos or self.close_code is not None)
        assert at() >= pos, f"closed with {self.close_code} at {at()} of {pos}"
        return [frame["pos"] for frame in self.frames if frame["t"] == "event" and frame["stream"] == stream]

    async def hang_up(self) -> None:
        """Close, and wait for the end."""
        await self.connection.close()
        await self._reader


@asynccontextmanager
async def peer(
    url: str,
    token: str,
    *,
    codec: str = "msgpack",
    device: str | None = None,
    resume: dict[str, Any] | None = None,
    until: str | None = "live",
) -> AsyncIterator[Peer]:
    """A peer that has said hello and, unless told otherwise, is live."""
    address = url.replace("http", "ws", 1) + "/v1/socket"
    async with connect(
        address, subprotocols=[Subprotocol(f"fairwire.v1.{codec}")], compression=None, max_size=None, proxy=None
    ) as connection:
        one = Peer(connection, codec)
        hello: dict[str, Any] = {
            "t": "hello",
            "protocol": [1, 1],
            "token": token,
            "device": {"id": device or uuid4().hex},
        }
        if resume is not None:
            hello["resume"] = resume
        await one.send(hello)
        try:
            if until is not None:
                await one.wait(t=until)
            yield one
        finally:
            await one.hang_up()
