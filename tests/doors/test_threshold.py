"""The threshold takes ordinary upgrades and nothing else, and whoever it takes cannot tell (W1)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairwire_server.doors import threshold
from fairwire_server.doors.threshold import House, plain_head
from fairwire_server.doors.wire import Wire
from fairwire_server.observe import Metrics
from fairwire_server.settings import Network
from tests.harness.node import Running, running_node

ORIGIN = "https://fair.example"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
UPGRADE = (
    "Host: fair.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: fairwire.v1.json\r\n"
)
REQUEST = f"GET /v1/socket HTTP/1.1\r\n{UPGRADE}\r\n".encode()
MALFORMED = b"\x81\x80\0\0\0\0"
"""An empty text message: no hello, so it is answered and the connection closed."""


@pytest.fixture
async def running(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_node(database_url, tmp_path, allowed_origins=(ORIGIN,)) as running:
        yield running


class Answer:
    """An answer's head, and whose it is: aiohttp says what time it is."""

    def __init__(self, head: bytes) -> None:
        first, *lines = head.decode().removesuffix("\r\n\r\n").split("\r\n")
        self.status = int(first.split(" ")[1])
        pairs = [line.split(": ", 1) for line in lines]
        self.headers = {name.lower(): value for name, value in pairs}
        assert len(self.headers) == len(pairs), "a header came twice"
        self.by_aiohttp = "date" in self.headers


async def ask(running: Running, *pieces: bytes) -> Answer:
    """The answer to a request that comes in these pieces."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            return Answer(await reader.readuntil(b"\r\n\r\n"))
    finally:
        writer.close()


def request(*, line: str = "GET /v1/socket HTTP/1.1", more: str = "", upgrade: str = UPGRADE) -> bytes:
    """A request."""
    return f"{line}\r\n{upgrade}{more}\r\n".encode()


@pytest.mark.parametrize("origin", ["", f"Origin: {ORIGIN}\r\n"])
async def test_an_upgrade_is_answered_as_aiohttp_would(running: Running, origin: str) -> None:
    ours = await ask(running, request(more=origin))
    theirs = await ask(running, request(more=origin + "X-Twice: 1\r\nX-Twice: 2\r\n"))
    assert (ours.status, ours.by_aiohttp, theirs.status, theirs.by_aiohttp) == (101, False, 101, True)
    assert ours.headers["sec-websocket-accept"] == ACCEPT
    assert ours.headers["sec-websocket-protocol"] == "fairwire.v1.json"
    changing = {"x-correlation-id", "date"}
    assert {n: v for n, v in ours.headers.items() if n not in changing} == {
        n: v for n, v in theirs.headers.items() if n not in changing
    }
    assert ours.headers["x-correlation-id"] != theirs.headers["x-correlation-id"]
    assert running.node.metrics.http_requests[101] == 2


async def test_a_request_may_come_in_any_pieces(running: Running) -> None:
    for at in range(1, len(REQUEST)):
        answer = await ask(running, REQUEST[:at], REQUEST[at:])
        assert (answer.status, answer.by_aiohttp) == (101, False), at
    assert (await ask(running, *(REQUEST[at : at + 1] for at in range(len(REQUEST))))).status == 101


async def test_what_comes_behind_the_request_is_the_sockets(running: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(REQUEST + MALFORMED)
    async with asyncio.timeout(10):
        await reader.readuntil(b"\r\n\r\n")
        assert b'"t":"bye"' in await reader.read(1000)
    writer.close()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (request(line="GET /v1/socket?x=1 HTTP/1.1"), 101),
        (request(more="X-Twice: 1\r\nx-twice: 2\r\n"), 101),
        (request(more="X-Umlaut: f\u00fcr\r\n"), 101),
        (request(more="Content-Length: 0\r\n"), 101),
        (request(upgrade=UPGRADE.replace("13", "8")), 400),
        (request(upgrade=UPGRADE.replace("websocket", "h2c")), 400),
        (request(more="Origin: https://evil.example\r\n"), 403),
        (request(more="Origin: null\r\n"), 403),
        (request(more="Origin: \r\n"), 403),
        (request(more=f"Origin: {ORIGIN}.evil.example\r\n"), 403),
        (request(line="POST /v1/socket HTTP/1.1"), 405),
        (request(line="GET /v1/sockets HTTP/1.1"), 404),
        (request(line="GET /v1/health/live HTTP/1.1", upgrade="Host: x\r\n"), 404),
        (request(more="Broken\r\n"), 400),
        (request(more="Bro ken: 1\r\n"), 400),
        (request(more="X-Long: " + "x" * 9_000 + "\r\n"), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ],
)
async def test_everything_else_is_aiohttps(running: Running, said: bytes, status: int) -> None:
    answer = await ask(running, said)
    assert (answer.status, answer.by_aiohttp) == (status, True)
    split = await ask(running, said[:30], said[30:])
    assert (split.status, split.by_aiohttp) == (status, True)


class Door:
    """Takes note of whom it is given."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    def begin(self, wire: Wire, protocol: str | None, address: str, first: bytes) -> None:
        """Somebody has come."""
        assert (protocol, first) == ("fairwire.v1.json", b"")
        self.addresses.append(address)
        wire.abort()


@pytest.mark.parametrize(("trusted", "address"), [((), "127.0.0.1"), ((ip_network("127.0.0.0/8"),), "192.0.2.7")])
async def test_a_forwarded_address_counts_from_a_proxy_alone(trusted: tuple[Network, ...], address: str) -> None:
    door = Door()
    house = House(door, frame_bytes=1024, origins=frozenset(), trusted_proxies=trusted, metrics=Metrics())
    server = await asyncio.get_running_loop().create_server(house.before(asyncio.Protocol), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(request(more="X-Forwarded-For: 198.51.100.9, 192.0.2.7\r\n"))
    async with asyncio.timeout(10):
        await reader.readuntil(b"\r\n\r\n")
    assert door.addresses == [address]
    writer.close()
    server.close()


class Further(asyncio.Protocol):
    """Stands for aiohttp's."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()

    def data_received(self, data: bytes) -> None:
        self.heard.put_nowait(data)


async def test_who_says_nothing_is_aiohttps_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threshold, "PATIENCE_S", 0.05)
    further = Further()
    house = House(Door(), frame_bytes=1024, origins=frozenset(), trusted_proxies=(), metrics=Metrics())
    server = await asyncio.get_running_loop().create_server(house.before(lambda: further), "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(REQUEST[:20])
    async with asyncio.timeout(10):
        assert await further.heard.get() == REQUEST[:20]
        writer.write(REQUEST[20:])
        assert await further.heard.get() == REQUEST[20:]
    writer.close()
    server.close()


async def test_who_says_nothing_does_not_hold_up_the_end(database_url: str, tmp_path: Path) -> None:
    async with running_node(database_url, tmp_path) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(REQUEST[:20])
        await ask(running, REQUEST)
    async with asyncio.timeout(5):
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()


@given(st.lists(st.binary(max_size=30), max_size=6))
@example([b"Host: a", b"Host: b"])
@example([b"Host: a", b" folded"])
@example([b"Host : a"])
@example([b"Host: a\0b"])
@example([b"Host: a\nUpgrade: b"])
@example([b""])
@example([b"Host: a", b"X-A:\t b ", b"Y:"])
def test_a_head_is_taken_whole_or_not_at_all(lines: list[bytes]) -> None:
    data = b"".join(line + b"\r\n" for line in lines)
    head = plain_head(data)
    names = []
    for line in data.split(b"\r\n")[:-1]:
        name, colon, value = line.partition(b":")
        plain = (
            bool(colon)
            and re.fullmatch(rb"[\w-]+", name) is not None
            and re.search(rb"[^\t -~]|_", name + value) is None
        )
        assert plain or head is None, line
        names.append(name.lower())
    assert len(set(names)) == len(names) or head is None
