"""Is this process alive, and may it get traffic? Plus the metrics, on an address of their own.

`/healthz` says whether the loop turns, `/readyz` whether the database answers with its tables up to date and the node is not
draining (W14). Both also stand on the main address, where a balancer looks; metrics and nothing else are private.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

from fairwire_protocol.errors import FairwireError
from fairwire_server.clock import Clock
from fairwire_server.observe import LoopLag, Metrics, exposition
from fairwire_server.observe.loop_lag import ALIVE_S

__all__ = ["Health", "build_admin_app", "health_routes"]

READY_S: Final = 2.0
KEPT_S: Final = 1.0
"""How long an answer of the database stands, so that strangers asking cost it nothing."""


class Health:
    """What the probes ask. `ready` returns None, or why this node should get no traffic; it may raise a typed error."""

    def __init__(self, clock: Clock, lag: LoopLag, ready: Callable[[], Awaitable[str | None]]) -> None:
        self._clock = clock
        self._lag = lag
        self._ready = ready
        self._asking = asyncio.Lock()
        self._known: tuple[float, str | None] | None = None
        self.draining = False

    @property
    def lag(self) -> float:
        """Seconds the loop is behind."""
        return self._lag.lag

    def sick(self) -> str | None:
        """Why the process should be restarted, if it should."""
        return f"the event loop is {self._lag.lag:.1f} s late" if self._lag.lag > ALIVE_S else None

    async def unready(self) -> str | None:
        """Why there should be no traffic, if so."""
        if self.draining:
            return "draining"
        async with self._asking:
            now = self._clock.monotonic()
            if self._known is None or now - self._known[0] >= KEPT_S:
                self._known = now, await self._ask()
            return self._known[1]

    async def _ask(self) -> str | None:
        try:
            async with asyncio.timeout(READY_S):
                return await self._ready()
        except (FairwireError, TimeoutError):
            return "the database does not answer"


def health_routes(health: Health) -> list[web.RouteDef]:
    """`/healthz` and `/readyz`."""

    async def healthz(_: web.Request) -> web.Response:
        return _told(health.sick(), loop_lag_ms=round(health.lag * 1000))

    async def readyz(_: web.Request) -> web.Response:
        return _told(health.sick() or await health.unready())

    return [web.get("/healthz", healthz), web.get("/readyz", readyz)]


def build_admin_app(health: Health, metrics: Metrics) -> web.Application:
    """The private app: health and metrics."""

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=exposition(metrics), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    app = web.Application()
    app.router.add_routes([*health_routes(health), web.get("/metrics", show_metrics)])
    return app


def _told(problem: str | None, **more: object) -> web.Response:
    body = {"ok": problem is None, **({"reason": problem} if problem else {}), **more}
    return web.Response(status=503 if problem else 200, body=msgspec.json.encode(body), content_type="application/json")
