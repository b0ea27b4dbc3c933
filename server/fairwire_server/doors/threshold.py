"""The first bytes of a connection: an ordinary upgrade is answered here, everything else is aiohttp's from its first byte on.

Most connections of a fair, and all of a storm of reconnects, open with the same request, of which five headers count. A request
object, a route, middlewares and a prepared answer for it cost as much as all the rest of bringing a socket up to date. So a
head that is nothing but plain `Name: value` lines, none twice, asks for the socket's path and is an upgrade from an Origin that
may, is taken here (RFC 6455 §4.2). A head with anything else in it, or one of its lines wrong, has been looked at and no more:
aiohttp gets it whole, refuses or serves it, and no rule about requests is written twice.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, cast

from fairwire_protocol.codec import CODECS
from fairwire_server.doors.addresses import client_address
from fairwire_server.doors.guard import every_header
from fairwire_server.doors.listen import Protocols
from fairwire_server.doors.websocket import accept_upgrade
from fairwire_server.doors.wire import Wire
from fairwire_server.observe import Metrics, new_correlation
from fairwire_server.settings import Network

__all__ = ["House", "Threshold", "Upgrades", "plain_head"]

REQUEST: Final = b"GET /v1/socket HTTP/1.1\r\n"
HEAD_BYTES: Final = 8_000
"""A longer head is aiohttp's, which has limits of its own."""
PATIENCE_S: Final = 10.0
"""After so long without a whole head, aiohttp waits on."""
PLAIN: Final = re.compile(rb"(?:[A-Za-z0-9-]+:[\t\x20-\x7e]*+\r\n)*+")
WANTED: Final = {
    name.lower().encode(): name
    for name in (
        "Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Origin",
        "X-Forwarded-For",
    )
}  # fmt: skip
BODY: Final = frozenset((b"content-length", b"transfer-encoding", b"expect", b"trailer"))


class Upgrades(Protocol):
    """The door behind: what becomes of an upgraded connection."""

    def begin(self, wire: Wire, protocol: str | None, address: str, first: bytes) -> None:
        """Its 101 is written; `first` came behind the request."""


class Threshold(asyncio.Protocol):
    """One connection until its first head is there."""

    __slots__ = ("_arrived", "_house", "_timer", "_transport")

    def __init__(self, house: House) -> None:
        self._house = house
        self._arrived = b""
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._pass_on)
        self._house.waiting.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def data_received(self, data: bytes) -> None:
        self._arrived = data = self._arrived + data
        end = data.find(b"\r\n\r\n", 0, HEAD_BYTES)
        if data[: len(REQUEST)] != REQUEST[: len(data)] or (end < 0 and len(data) >= HEAD_BYTES):
            self._pass_on()
        elif end >= 0:
            head = plain_head(data[len(REQUEST) : end + 2])
            if head is None or not self._house.upgraded(self._transport, head, data[end + 4 :]):
                self._pass_on()
            else:
                self._leave()

    def abort(self) -> None:
        """The server ends."""
        self._transport.abort()

    def _pass_on(self) -> None:
        """The connection is aiohttp's."""
        self._leave()
        if self._transport.is_closing():
            return
        protocol = cast(asyncio.Protocol, self._house.further())
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if self._arrived:
            protocol.data_received(self._arrived)

    def _leave(self) -> None:
        self._timer.cancel()
        self._house.waiting.discard(self)


class House:
    """What all thresholds share. `further` makes aiohttp's protocol for a connection that is aiohttp's."""

    def __init__(
        self,
        door: Upgrades,
        *,
        frame_bytes: int,
        origins: frozenset[str],
        trusted_proxies: Sequence[Network],
        metrics: Metrics,
    ) -> None:
        self.further: Protocols
        self.waiting: set[Threshold] = set()
        self._door = door
        self._frame_bytes = frame_bytes
        self._origins = origins
        self._trusted_proxies = trusted_proxies
        self._metrics = metrics

    def before(self, further: Protocols) -> Protocols:
        """A threshold for each connection."""
        self.further = further
        return lambda: Threshold(self)

    def upgraded(self, transport: asyncio.Transport, head: Mapping[str, str], first: bytes) -> bool:
        """Answer an upgrade that may be, and give the connection to the door. False: nothing has been done."""
        origin = head.get("Origin")
        headers = accept_upgrade(head, CODECS) if "Host" in head else None
        if headers is None or (origin is not None and origin not in self._origins):
            return False
        forwarded = [head["X-Forwarded-For"]] if "X-Forwarded-For" in head else []
        address = client_address((transport.get_extra_info("peername") or (None,))[0], forwarded, self._trusted_proxies)
        headers |= every_header(new_correlation(), origin)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        wire = Wire(transport, self._frame_bytes)
        transport.set_protocol(wire)
        wire.write(f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode())
        self._metrics.http_requests[101] += 1
        self._door.begin(wire, headers.get("Sec-WebSocket-Protocol"), address, first)
        return True

    def close(self) -> None:
        """Drop who has not said anything yet."""
        for one in list(self.waiting):
            one.abort()


def plain_head(lines: bytes) -> dict[str, str] | None:
    """The headers that count, of lines that end in CRLF. None if a line is anything but plain, comes twice, or tells of a body."""
    if PLAIN.fullmatch(lines) is None:
        return None
    known, head = set[bytes](), dict[str, str]()
    for line in lines.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in known or name in BODY:
            return None
        known.add(name)
        if (wanted := WANTED.get(name)) is not None:
            head[wanted] = value.strip(b" \t").decode("ascii")
    return head
