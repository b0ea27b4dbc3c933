"""Listening: an app on an address until the body ends, with every option of aiohttp's that keeps bad input cheap."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from aiohttp.http import HttpProcessingError

__all__ = ["listening"]

BACKLOG: Final = 4096  # a reconnect storm of 5,000 waits here (quality)


@asynccontextmanager
async def listening(
    app: web.Application, host: str, port: int, *, shutdown_s: float = 5.0, reuse_port: bool = False
) -> AsyncIterator[int]:
    """Serve `app` on `host:port`; gives the port, which is the system's choice for 0.

    With `reuse_port` several processes listen side by side, and the system gives each connection to one of them.

    At the end no new connection is taken, requests in flight have `shutdown_s` seconds, and everything is closed.
    """
    runner = web.AppRunner(
        app,
        handle_signals=False,
        access_log=None,  # dispatch logs calls, with their correlation
        auto_decompress=False,  # bombs stay packed; bodies.py refuses them
        keepalive_timeout=75.0,
        lingering_time=2.0,
        shutdown_timeout=shutdown_s,
        logger=_quiet_logger(),
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=BACKLOG, reuse_port=reuse_port or None)
        await site.start()
        yield _port(runner)
    finally:
        await runner.cleanup()


def _port(runner: web.AppRunner) -> int:
    """The port that the first socket got."""
    address: tuple[str, int] | tuple[str, int, int, int] = runner.addresses[0]
    return address[1]


def _quiet_logger() -> logging.Logger:
    """aiohttp's log without strangers' broken HTTP, which it writes down as errors of ours; our own instance, so global to nothing."""
    logger = logging.Logger("fairwire.http")
    logger.parent = logging.getLogger()
    logger.addFilter(
        lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | ConnectionError))
    )
    return logger
