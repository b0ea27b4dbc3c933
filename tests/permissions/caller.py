"""The two doors as the matrix uses them: run an operation of the catalogue, and say how it went in one word."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiohttp import ClientSession
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from fairwire_protocol.operations import CATALOGUE
from tests.harness.peer import Peer

__all__ = ["Answer", "HttpDoor", "SocketDoor"]

BODILESS = {"GET", "DELETE"}
HELLO_REFUSED = {4500: "unauthenticated", 4501: "suspended"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `ok` or the error's code, the reply or the error as it stood there, and every byte for the canaries."""

    outcome: str
    content: dict[str, Any]
    seen: str

    @property
    def error(self) -> dict[str, Any]:
        """The error without the id of its log line, which differs from call to call."""
        return {key: value for key, value in self.content.items() if key not in {"correlation", "cid", "t"}}


class HttpDoor:
    """Calls over HTTP."""

    def __init__(self, url: str, session: ClientSession) -> None:
        self.url = url
        self._session = session

    async def call(
        self, token: str | None, op: str, args: dict[str, Any], *, cid: str | None = None, body: bytes | None = None
    ) -> Answer:
        """Run an operation that has a path."""
        operation = CATALOGUE[op]
        assert operation.http is not None
        method, path = operation.http
        left = dict(args)
        for name in args:
            if "{" + name + "}" in path:
                path = path.replace("{" + name + "}", str(left.pop(name)))
        headers = {"Idempotency-Key": cid or str(uuid4())}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        more: dict[str, Any] = {"json": left}
        if body is not None:
            more = {"data": body}
        elif method in BODILESS:
            more = {"params": {name: str(value) for name, value in left.items()}}
        async with self._session.request(method, self.url + path, headers=headers, **more) as response:
            data = await response.read()
            seen = f"{response.status} {dict(response.headers)} {data.decode('utf-8', 'replace')}"
            if response.content_type != "application/json":
                return Answer("ok" if response.ok else str(response.status), {}, seen)
            content = json.loads(data)
            if response.ok:
                return Answer("ok", content, seen)
            return Answer(content["error"]["code"], content["error"], seen)

    async def ok(self, token: str | None, op: str, *, body: bytes | None = None, **args: Any) -> dict[str, Any]:
        """The reply of a call that must succeed."""
        answer = await self.call(token, op, args, body=body)
        assert answer.outcome == "ok", (op, answer)
        return answer.content


class SocketDoor:
    """Calls over one socket, opened when it is needed and again when it was closed."""

    def __init__(self, url: str, token: str | None, codec: str) -> None:
        self._address = url.replace("http", "ws", 1) + "/v1/socket"
        self._token = token
        self._codec = codec
        self._peer: Peer | None = None
        self._refused: tuple[str, Answer] | None = None

    async def call(self, op: str, args: dict[str, Any]) -> Answer:
        """Run an operation; a hello that is refused is the outcome of every call."""
        if self._refused is not None and self._refused[0] == op:
            return self._refused[1]  # a hello names no operation: once for each is enough
        peer = await self._open()
        if isinstance(peer, Answer):
            self._refused = (op, peer)
            return peer
        frame = await peer.call(op, **args)
        outcome = "ok" if frame["t"] == "reply" else frame["code"]
        content = frame.get("result") or {} if outcome == "ok" else frame
        return Answer(outcome, content, json.dumps(frame, ensure_ascii=False))

    async def close(self) -> None:
        """Hang up; the next call opens anew."""
        if self._peer is not None:
            await self._peer.hang_up()
            self._peer = None

    async def _open(self) -> Peer | Answer:
        if self._peer is not None and self._peer.close_code is None:
            return self._peer
        await self.close()
        connection = await connect(
            self._address,
            subprotocols=[Subprotocol(f"fairwire.v1.{self._codec}")],
            compression=None,
            max_size=None,
            proxy=None,
        )
        peer = Peer(connection, self._codec)
        device = {"id": uuid4().hex}
        await peer.send({"t": "hello", "protocol": [1, 1], "token": self._token or "none", "device": device})
        try:
            await peer.wait(t="live")
        except (AssertionError, ConnectionClosed):
            code = await peer.closed()
            frames = list(peer.frames)
            await peer.hang_up()
            return Answer(HELLO_REFUSED.get(code, str(code)), {"code": code}, json.dumps(frames, ensure_ascii=False))
        self._peer = peer
        return peer
