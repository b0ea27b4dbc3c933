"""The HTTP door: one route for each operation of the registry that has a path, and nothing written by hand for any of them.

A call is authenticated (`Authorization: Bearer`), admitted, read, run and answered, in this order (`dispatch.py` says why).
`Idempotency-Key` is the cid (W7); an answer that is an earlier one's says `Idempotency-Replayed: true`. The app returned by
`build_http_app` takes further routes (the socket, pages) before it starts; they get the same guard.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from fairwire_protocol.errors import FairwireError, Refused
from fairwire_protocol.operations import Operation
from fairwire_server.accounts.rules import Caller
from fairwire_server.context import BinaryReply, Context
from fairwire_server.doors.bodies import BodyLimits, RequestReader
from fairwire_server.doors.dispatch import Dispatch
from fairwire_server.doors.guard import ADDRESS, CORRELATION_ID, guard, set_headers
from fairwire_server.observe import Metrics
from fairwire_server.registry import Registry
from fairwire_server.settings import Network

__all__ = ["Authenticate", "HttpPolicy", "bearer", "build_http_app"]

Authenticate = Callable[[str], Awaitable[Caller]]
"""From an access token to its caller; raises `unauthenticated`, `token_expired` or `suspended`."""

TOKEN_MAX: Final = 2000
PIECE: Final = 64 * 1024
PIECE_S: Final = 30.0
FOREVER: Final = "private, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPolicy:
    """Who may come and how much a request may carry."""

    origins: frozenset[str] = frozenset()
    trusted_proxies: tuple[Network, ...] = ()
    bodies: BodyLimits = field(default_factory=BodyLimits)


def build_http_app(
    *,
    registry: Registry,
    dispatch: Dispatch,
    authenticate: Authenticate,
    policy: HttpPolicy,
    metrics: Metrics,
    routes: Iterable[web.AbstractRouteDef] = (),
) -> web.Application:
    """The main app: a route per operation, plus `routes` (socket, pages, health)."""
    protect = guard(origins=policy.origins, trusted_proxies=policy.trusted_proxies, metrics=metrics)
    app = web.Application(middlewares=[protect])
    app.on_response_prepare.append(set_headers)
    for bound in registry:
        if bound.operation.http is not None:
            method, path = bound.operation.http
            app.router.add_route(method, path, _handler(bound.operation, dispatch, authenticate, policy.bodies))
    app.router.add_routes(routes)
    return app


def bearer(request: web.Request) -> str:
    """The access token of the Authorization header; never one from a URL (W1)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > TOKEN_MAX or not token.isascii():
        raise Refused("unauthenticated")
    return token


def _handler(
    operation: Operation[Any, Any],
    dispatch: Dispatch,
    authenticate: Authenticate,
    limits: BodyLimits,
) -> Handler:
    reader = RequestReader(operation, limits)

    async def handle(request: web.Request) -> web.StreamResponse:
        caller = None if operation.anonymous else await authenticate(bearer(request))
        replayed = False

        def duplicate() -> None:
            nonlocal replayed
            replayed = True

        context = Context(
            cid=_cid(request) if operation.effect in {"once", "idempotent"} else None,
            correlation=request[CORRELATION_ID],
            address=request[ADDRESS],
            duplicate=duplicate,
        )
        lane = dispatch.admit(operation.name, caller, context, "http")
        try:
            arguments, data = await reader.read(request)
        except FairwireError as error:
            dispatch.refused(lane, caller, context, error)
            raise
        reply = await dispatch.run(lane, caller, context, arguments, data)
        if isinstance(reply, BinaryReply):
            return await _send_bytes(request, reply)
        response = web.Response(body=msgspec.json.encode(reply), content_type="application/json")
        if replayed:
            response.headers["Idempotency-Replayed"] = "true"
        return response

    return handle


def _cid(request: web.Request) -> UUID | None:
    text = request.headers.get("Idempotency-Key")
    if text is None:
        return None
    try:
        return UUID(text.strip())
    except ValueError:
        raise Refused("invalid", "Idempotency-Key is a UUID (W7).", field="Idempotency-Key") from None


async def _send_bytes(request: web.Request, reply: BinaryReply) -> web.StreamResponse:
    etag = f'"{reply.etag}"'
    headers = {
        "Cache-Control": FOREVER if reply.lasting else "private, no-cache",
        "Content-Disposition": f'attachment; filename="{reply.filename}"' if reply.filename else "inline",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "ETag": etag,
    }
    if etag in (part.strip() for part in request.headers.get("If-None-Match", "").split(",")):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = reply.content_type
    if isinstance(reply.data, Path):
        return await _send_file(request, reply.data, headers)
    return web.Response(body=reply.data, headers=headers)


async def _send_file(request: web.Request, path: Path, headers: dict[str, str]) -> web.StreamResponse:
    """The file in pieces, as fast as they are taken. (aiohttp's FileResponse makes its own etag from the file's time.)"""
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except OSError:
        raise Refused("not_found") from None
    response = web.StreamResponse(headers=headers)
    with file:
        response.content_length = os.fstat(file.fileno()).st_size
        try:
            await response.prepare(request)
            while request.method != "HEAD" and (piece := await asyncio.to_thread(file.read, PIECE)):
                async with asyncio.timeout(PIECE_S):
                    await response.write(piece)
            await response.write_eof()
        except (TimeoutError, ConnectionError):
            if request.transport is not None:  # half an image is out: no error can follow it
                request.transport.abort()
    return response
