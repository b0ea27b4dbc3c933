"""Where providers tell what became of what they took (N6): `POST /callbacks/PROVIDER`, with a secret at the end where they sign nothing.

Whoever asks is nobody until a reader has said that the call is its provider's; a wrong one looks like an address that does not exist.
The provider hears that its receipts are kept after they are: else it tells them again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from fairwire_protocol.errors import FairwireError, Refused, Unavailable
from fairwire_server.clock import Clock
from fairwire_server.notices.parcels import Callback, CallbackReader, CallbackRefused, TakeIn
from fairwire_server.observe import Metrics

__all__ = ["BODY_MAX", "callback_routes"]

BODY_MAX: Final = 256 * 1024
_BODY_S: Final = 10.0


def callback_routes(
    readers: Sequence[CallbackReader], take_in: TakeIn, clock: Clock, url: str, metrics: Metrics
) -> list[web.RouteDef]:
    """A route for each provider. `url` is how the world reaches this server."""
    return [
        web.post(
            f"/callbacks/{reader.name}" if reader.signature_header else f"/callbacks/{reader.name}/{{token}}",
            _handler(reader, take_in, clock, url, metrics),
        )
        for reader in readers
    ]


def _handler(reader: CallbackReader, take_in: TakeIn, clock: Clock, url: str, metrics: Metrics) -> Handler:
    log = structlog.get_logger("callbacks")

    async def handle(request: web.Request) -> web.Response:
        callback = Callback(
            url=f"{url}{request.path_qs}",
            token=request.match_info.get("token", ""),
            signature=request.headers.get(reader.signature_header, "") if reader.signature_header else "",
            body=await _body(request),
        )
        try:
            receipts = reader.read(callback, clock.now())
        except CallbackRefused as refusal:
            metrics.callbacks["refused"] += 1
            log.warning("callback_refused", provider=reader.name, reason=str(refusal))
            raise Refused("unknown_operation", "There is nothing at this path.") from None
        try:
            await take_in(receipts)
        except FairwireError:
            metrics.callbacks["later"] += 1
            raise
        except Exception as error:  # its traceback would hold the address, which may be a secret
            metrics.callbacks["later"] += 1
            log.error("callback_failed", provider=reader.name, error=type(error).__name__)
            raise Unavailable("internal") from None
        metrics.callbacks["kept"] += 1
        return web.Response(body=reader.answer, content_type="application/json")

    return handle


async def _body(request: web.Request) -> bytes:
    """All of it, if it is small and comes soon."""
    try:
        async with asyncio.timeout(_BODY_S):
            data = await request.content.read(BODY_MAX + 1)
            while len(data) <= BODY_MAX and not request.content.at_eof():
                data += await request.content.read(BODY_MAX + 1 - len(data))
    except TimeoutError:
        raise Refused("malformed", "The body did not come in time.") from None
    if len(data) > BODY_MAX:
        raise Refused("too_large")
    return data
