"""The HTTP door, for what a socket does not carry: signing in, refreshing, images (W13, W15).

Signing in happens once and images are few, so the standard library's client in a thread is enough; the SDK then needs no HTTP
library. Every operation of the catalogue that has a path can be called this way.
"""

from __future__ import annotations

import asyncio
import http.client
import ssl
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from uuid import UUID

import msgspec

from fairwire_protocol.errors import FairwireError, Unavailable, reopen
from fairwire_protocol.operations import Operation, Request

__all__ = ["Addresses", "HttpDoor"]

RequestT = TypeVar("RequestT", bound=Request)
ReplyT = TypeVar("ReplyT")
TIMEOUT: Final = 20.0
SOCKET_PATH: Final = "/v1/socket"


class WireError(msgspec.Struct, frozen=True):
    """The error inside an HTTP answer."""

    code: str
    message: str
    field: str | None = None
    retry_after_ms: int | None = None
    detail: dict[str, object] | None = None
    correlation: str | None = None


class ErrorBody(msgspec.Struct, frozen=True):
    """`{"error": …}`."""

    error: WireError


@dataclass(frozen=True, slots=True)
class Addresses:
    """Both doors of one server, from whichever address of it the user knows."""

    http: str
    socket: str

    @classmethod
    def of(cls, url: str) -> Addresses:
        """`http(s)://host[:port][/prefix]` or the `ws(s)` address of the socket."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in {"http", "https", "ws", "wss"} or not parts.hostname:
            raise ValueError(f"not an address of a Fairwire server: {url}")
        secure = parts.scheme in {"https", "wss"}
        base = parts.path.rstrip("/").removesuffix(SOCKET_PATH)
        place = parts.netloc.rpartition("@")[2] + base
        return cls(
            http=f"{'https' if secure else 'http'}://{place}",
            socket=f"{'wss' if secure else 'ws'}://{place}{SOCKET_PATH}",
        )


class HttpDoor:
    """Calls operations over HTTP. Raises `FairwireError` as the socket does; a server out of reach is `Unavailable`."""

    def __init__(self, base: str, *, timeout: float = TIMEOUT, tls: ssl.SSLContext | None = None) -> None:
        self._base = urlsplit(base)
        self._timeout = timeout
        self._tls = tls

    async def call(
        self,
        operation: Operation[RequestT, ReplyT],
        request: RequestT,
        *,
        token: str | None = None,
        cid: UUID | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
    ) -> ReplyT:
        """Run an operation. `content` is the body of one whose request is bytes."""
        if operation.http is None:
            raise ValueError(f"{operation.name} has no HTTP door")
        method, path = operation.http
        path, rest = _fill(path, msgspec.to_builtins(request))
        headers = {"Accept": "application/json, */*"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if cid is not None and operation.effect in {"once", "idempotent"}:
            headers["Idempotency-Key"] = str(cid)
        body = content
        if operation.binary == "request":
            headers["Content-Type"] = "application/octet-stream"
        elif method in {"GET", "DELETE"}:
            path += (
                "?" + urlencode({key: _text(value) for key, value in rest.items() if value is not None}) if rest else ""
            )
        else:
            headers["Content-Type"] = "application/json"
            body = msgspec.json.encode(rest)
        status, answer = await asyncio.to_thread(self._exchange, method, path, headers, body, timeout or self._timeout)
        if status >= 400:
            raise _error(status, answer)
        if operation.binary == "reply":
            return answer  # type: ignore[return-value]  # such an operation's reply type is bytes
        try:
            return msgspec.json.decode(answer or b"{}", type=operation.reply)
        except msgspec.DecodeError as error:
            raise Unavailable("internal", f"the server's answer is not {operation.reply.__name__}: {error}") from None

    def _exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None, timeout: float
    ) -> tuple[int, bytes]:
        host, port = self._base.hostname or "", self._base.port
        connection: http.client.HTTPConnection
        if self._base.scheme == "https":
            tls = self._tls or ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=tls)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout)
        try:
            connection.request(method, self._base.path + path, body=body, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable("busy", f"{self._base.netloc} cannot be reached: {error}") from None
        finally:
            connection.close()


def _fill(path: str, fields: dict[str, object]) -> tuple[str, dict[str, object]]:
    """The path with its `{names}` filled, and the fields left for query or body."""
    rest = dict(fields)
    parts = []
    for part in path.split("/"):
        name = part[1:-1] if part.startswith("{") and part.endswith("}") else None
        parts.append(quote(_text(rest.pop(name)), safe="") if name is not None else part)
    return "/".join(parts), rest


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _error(status: int, answer: bytes) -> FairwireError:
    try:
        error = msgspec.json.decode(answer, type=ErrorBody).error
    except msgspec.DecodeError:
        return Unavailable(
            "busy" if status in {502, 503, 504} else "internal", f"HTTP {status} without an error of ours"
        )
    return reopen(
        error.code, error.message, field=error.field, retry_after_ms=error.retry_after_ms, detail=error.detail
    )
