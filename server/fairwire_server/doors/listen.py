"""Listening: an app on an address until the body ends, with every option of aiohttp's that keeps bad input cheap."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol, TypeAlias

from aiohttp import web
from aiohttp.http import HttpProcessingError

__all__ = ["Before", "Protocols", "listening"]

Protocols: TypeAlias = Callable[[], asyncio.BaseProtocol]
"""Makes the protocol of a connection that has just come."""


class Before(Protocol):
    """What every connection begins with, before aiohttp has it."""

    def before(self, further: Protocols) -> Protocols:
        """Makes what a connection begins with; what it does not keep goes on as one of `further`."""

    def close(self) -> None:
        """Nobody can come any more: drop who has not gone on yet."""


BACKLOG: Final = 4096  # a reconnect storm of 5,000 waits here (quality)


@asynccontextmanager
async def listening(
    app: web.Application,
    host: str,
    port: int,
    *,
    shutdown_s: float = 5.0,
    reuse_port: bool = False,
    before: Before | None = None,
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
    further = runner.server
    assert further is not None
    server = await asyncio.get_running_loop().create_server(
        further if before is None else before.before(further),
        host,
        port,
        backlog=BACKLOG,
        reuse_port=reuse_port or None,
    )
    try:
        for one in server.sockets:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # what is accepted has it too
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        if before is not None:
            before.close()
        await runner.cleanup()


def _quiet_logger() -> logging.Logger:
    """aiohttp's log without strangers' broken HTTP, which it writes down as errors of ours; our own instance, so global to nothing."""
    logger = logging.Logger("fairwire.http")
    logger.parent = logging.getLogger()
    logger.addFilter(
        lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | ConnectionError))
    )
    return logger
