"""What holds for every HTTP answer: a correlation id, the Origin list, security headers, and errors of one shape.

An error is `{"error": {code, message, …}}` with the code's status (`errors.CODES`); a fault of ours says `internal` and the
id under which the log has the traceback. A browser's Origin must be on an exact list, also before a WebSocket opens; no
Origin at all is fine (W1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from fairwire_protocol.errors import FairwireError, Refused, Unavailable
from fairwire_server.doors.addresses import client_address
from fairwire_server.observe import CORRELATION, Metrics, new_correlation
from fairwire_server.settings import Network, Settings

__all__ = [
    "ADDRESS",
    "CORRELATION_ID",
    "SECURITY_HEADERS",
    "allowed_origins",
    "error_body",
    "every_header",
    "guard",
    "set_headers",
]

CORRELATION_ID: Final = web.RequestKey("correlation", str)
ADDRESS: Final = web.RequestKey("address", str)
ALLOWED_ORIGIN: Final[web.RequestKey[str | None]] = web.RequestKey("allowed_origin")

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "fairwire",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer; a page replaces the policy by one that lets its own style and script in."""

_USUAL: Final[Mapping[str, str]] = {**SECURITY_HEADERS, "Cache-Control": "no-store"}
_EXPOSED: Final = "Idempotency-Replayed, Retry-After, X-Correlation-Id"
_PREFLIGHT: Final[Mapping[str, str]] = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key",
    "Access-Control-Max-Age": "600",
}
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def allowed_origins(settings: Settings, port: int) -> frozenset[str]:
    """Exactly the Origins that are let in: those set, and the server's own, by every name of this machine if it is local."""
    own = {settings.public_url} if settings.public_url else {f"http://{settings.host}:{port}"}
    if not settings.public_url and settings.host in _LOOPBACK:
        own |= {f"http://{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
    return frozenset(own) | frozenset(settings.allowed_origins)


def guard(*, origins: frozenset[str], trusted_proxies: Sequence[Network], metrics: Metrics) -> Middleware:
    """The outermost middleware of the main app."""
    log = structlog.get_logger("http")

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        correlation = new_correlation()
        outer = CORRELATION.set(correlation)
        request[CORRELATION_ID] = correlation
        forwarded = request.headers.getall("X-Forwarded-For", [])
        request[ADDRESS] = client_address(request.remote, forwarded, trusted_proxies)
        origin = request.headers.get("Origin")
        try:
            response = await _answered(request, handler, origin, origins)
        except FairwireError as error:
            response = _refusal(error, correlation)
        except web.HTTPException as error:
            # The request holds it too, and with the stack it came up through it would hold the request.
            response = _of_router(error.with_traceback(None), correlation)
        except Exception:
            log.exception("fault", method=request.method, path=_pattern(request))
            response = _refusal(Unavailable("internal"), correlation)
        finally:
            CORRELATION.reset(outer)
        metrics.http_requests[response.status] += 1
        return response

    return guarded


async def _answered(
    request: web.Request, handler: Handler, origin: str | None, origins: frozenset[str]
) -> web.StreamResponse:
    if origin == "null" and _is_form(request):
        origin = None
    if origin is not None and origin not in origins:
        raise Refused("forbidden", "This Origin is not on the server's list.")
    request[ALLOWED_ORIGIN] = origin
    if origin is not None and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return web.Response(status=204, headers=_PREFLIGHT)
    return await handler(request)


def _is_form(request: web.Request) -> bool:
    """A page's form, which browsers send with the Origin `null` because the page asks for no Referer. What such a form does hangs on
    no cookie that another site's form would carry along (SameSite), and the API on none at all."""
    return (
        request.method == "POST"
        and request.content_type == "application/x-www-form-urlencoded"
        and not request.path.startswith("/v1")
    )


def _pattern(request: web.Request) -> str:
    """The path as it is declared, for the log: what stands in it may be a secret (M9, M14)."""
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical


async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal on_response_prepare: the headers of every answer; some that it has set itself stay."""
    response.headers.update(_own_headers(request.get(CORRELATION_ID), request.get(ALLOWED_ORIGIN)))
    for name, value in _USUAL.items():
        response.headers.setdefault(name, value)


def every_header(correlation: str, origin: str | None) -> dict[str, str]:
    """The headers of an answer that has none of its own."""
    return {**_USUAL, **_own_headers(correlation, origin)}


def _own_headers(correlation: str | None, origin: str | None) -> dict[str, str]:
    headers = {"Vary": "Origin", "Server": SECURITY_HEADERS["Server"]}  # aiohttp's own tells versions
    if correlation is not None:
        headers["X-Correlation-Id"] = correlation
    if origin is not None:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = _EXPOSED
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return headers


def error_body(error: FairwireError, correlation: str | None) -> bytes:
    """`{"error": …}` with what is known."""
    shown: dict[str, object] = {"code": error.code, "message": error.message}
    known = {
        "field": error.field,
        "retry_after_ms": error.retry_after_ms,
        "detail": error.detail,
        "correlation": correlation,
    }
    shown |= {name: value for name, value in known.items() if value is not None}
    return msgspec.json.encode({"error": shown})


def _refusal(error: FairwireError, correlation: str, status: int | None = None) -> web.Response:
    response = web.Response(
        status=status or error.status, body=error_body(error, correlation), content_type="application/json"
    )
    if error.retry_after_ms is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_ms / 1000)))
    if response.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _of_router(error: web.HTTPException, correlation: str) -> web.StreamResponse:
    """aiohttp's own answers: no such path, no such method, or one of its limits."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        response = _refusal(Refused("unknown_operation", f"{error.method} is not done here."), correlation, 405)
        response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return response
    if error.status == 404:
        return _refusal(Refused("unknown_operation", "There is nothing at this path."), correlation)
    if error.status < 400:
        return error
    code = "too_large" if error.status == 413 else "malformed"
    return _refusal(Refused(code, error.reason), correlation, error.status)
