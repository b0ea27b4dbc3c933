"""A mail server that takes everything and keeps nothing: what `bench.notify` sends real SMTP to. `python -m bench.smtp_taker`"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

_GREETING = b"220 taker ESMTP\r\n"
_EHLO = b"250-taker\r\n250-SIZE 10000000\r\n250-8BITMIME\r\n250 PIPELINING\r\n"
_OK = b"250 2.0.0 ok\r\n"


class Taker(asyncio.Protocol):
    """One connection; commands come whole, as our client sends them."""

    taken = 0

    def __init__(self) -> None:
        self._buffer = b""
        self._in_data = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass
        self._transport.write(_GREETING)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = b"\r\n.\r\n" if self._in_data else b"\r\n"
            part, found, rest = self._buffer.partition(end)
            if not found:
                return
            self._buffer = rest
            self._answer(part)

    def _answer(self, part: bytes) -> None:
        assert self._transport is not None
        if self._in_data:
            self._in_data = False
            Taker.taken += 1
            self._transport.write(_OK)
        elif part[:4].upper() == b"EHLO":
            self._transport.write(_EHLO)
        elif part[:4].upper() == b"DATA":
            self._in_data = True
            self._transport.write(b"354 go on\r\n")
        else:
            self._transport.write(_OK)


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Taker, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"taking at {host}:{port}", file=sys.stderr, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
