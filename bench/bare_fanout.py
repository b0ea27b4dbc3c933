"""The reference of `bench.fanout`: a bare uvloop server that writes prebuilt bytes to every connection, and knows nothing else.

    python -m bench.bare_fanout SIZE

Each byte `a` from any connection writes a frame of SIZE bytes to all of them but the sender.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop


class Bare(asyncio.Protocol):
    """A connection; all of them share one list."""

    def __init__(self, everybody: list[asyncio.Transport], frame: bytes) -> None:
        self._everybody = everybody
        self._frame = frame

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._own = cast(asyncio.Transport, transport)
        self._everybody.append(self._own)

    def data_received(self, data: bytes) -> None:
        frame = self._frame
        for _ in range(data.count(b"a")):
            for transport in self._everybody:
                if transport is not self._own:
                    transport.write(frame)


async def main(size: int) -> None:
    """Serve until killed."""
    payload = size - 4
    frame = bytes((0x82, 126, payload >> 8, payload & 0xFF)) + bytes(payload)
    everybody: list[asyncio.Transport] = []
    server = await asyncio.get_running_loop().create_server(
        lambda: Bare(everybody, frame), "127.0.0.1", 0, backlog=4096
    )
    host, port = server.sockets[0].getsockname()
    print(f"bare at {host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
