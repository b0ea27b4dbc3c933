"""The reference of `bench.idle`: a bare aiohttp server whose WebSockets say one thing after the first frame and then wait.

python -m bench.bare_idle
"""

from __future__ import annotations

import asyncio

import msgspec
import uvloop
from aiohttp import web

LIVE = msgspec.msgpack.encode({"t": "live", "pos": 0, "fair_pos": 0})


async def handle(request: web.Request) -> web.WebSocketResponse:
    """A socket, until it ends."""
    response = web.WebSocketResponse(protocols=("fairwire.v1.msgpack",), compress=False, max_msg_size=65_536)
    await response.prepare(request)
    await response.receive()
    await response.send_bytes(LIVE)
    async for _ in response:
        pass
    return response


async def main() -> None:
    """Serve until killed."""
    app = web.Application()
    app.router.add_get("/v1/socket", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    host, port = runner.addresses[0]
    print(f"bare at {host}:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
