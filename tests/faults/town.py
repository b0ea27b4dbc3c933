"""A fair with visitors: who they are, how they connect, and how their visits went.

A visit is cut off when a node or the bus is killed, and that is no fault of anybody's; what counts is that each kind of visit has come
to its end at least once, and each operation has been answered with a reply.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final, Protocol
from uuid import uuid4

import aiohttp
from uuid_utils.compat import uuid7
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.typing import Subprotocol

from fairwire_server.compose import open_node
from fairwire_server.database.pool import Database
from fairwire_server.database.queries import parse_queries
from fairwire_server.settings import Settings
from tests.harness.fairground import Fairground, Somebody, build_fairground
from tests.hub.wire import Raw, hello
from tests.images.samples import picture, saved

__all__ = ["HALF_HOUR_MS", "PNG", "TEAM", "WORDS", "Town", "Visit", "Visitor", "hang_up", "settle"]

BUYERS: Final = 40
PEOPLE: Final = 8
"""Visits at the same time."""
LONGEST_S: Final = 30.0
HALF_HOUR_MS: Final = 30 * 60_000
PNG: Final = saved(picture(), "png")
TEAM: Final = ("main", "manager", "sales", "sales2")
CUT_OFF: Final = (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    OSError,
    TimeoutError,
    aiohttp.ClientError,
    EOFError,
)
WORDS: Final = [
    "你好",
    "摩托车",
    "price",
    "list",
    "tomorrow",
    "样品",
    "delivery",
    "交货",
    "electric",
    "付款",
    "catalogue",
]


async def settle(url: str, **settings: Any) -> Fairground:
    """A fair with some dozens of buyers in a migrated database."""
    sql = parse_queries(files("tests.harness").joinpath("fairground.sql").read_text("utf-8"), "fairground.sql")
    async with (
        await Database.open(url, min_size=1, max_size=4) as database,
        open_node(Settings(**settings), database) as node,
    ):
        ground, now = await build_fairground(node), node.clock.now()
        fair = ground.fairs["one"]
        async with node.works.begin() as work:
            for number in range(BUYERS):
                name, id_, session = f"visitor{number}", uuid7(), uuid7()
                facts = (id_, fair, None, "buyer", name, name.title(), "active", now, session, "")
                await work.connection.execute(sql["account"], *facts)
                await work.connection.execute(sql["buyer"], id_, b'{"full_name": "Visitor"}', True)
                token = node.ground.tokens.mint(session, id_, fair, now, now.replace(year=now.year + 1)).token
                ground.cast[name] = Somebody(name, id_, session, fair, None, token)
    return ground


class Visitor:
    """Somebody who is connected. What is refused is an answer as good as any; `town.outcomes` counts both."""

    def __init__(self, town: Town, raw: Raw) -> None:
        self._town = town
        self.raw = raw
        self.positions: dict[str, dict[str, int]] = {}

    async def call(self, op: str, **args: Any) -> dict[str, Any] | None:
        """The result, or None for a refusal."""
        cid = str(uuid4())
        await self.raw.send({"t": "call", "cid": cid, "op": op, "args": args})
        while (frame := await self.receive()).get("cid") != cid:
            pass
        result: dict[str, Any] = frame.get("result") or {}
        self._town.outcomes[op, "ok" if frame["t"] == "reply" else frame["code"]] += 1
        return result if frame["t"] == "reply" else None

    async def receive(self) -> dict[str, Any]:
        """The next frame; positions are kept and beats answered."""
        frame = await self.raw.receive()
        match frame["t"]:
            case "resumed":
                self.positions = {stream: dict(frame[stream]) for stream in ("account", "fair")}
            case "event":
                self.positions[frame["stream"]]["pos"] = frame["pos"]
            case "beat":
                await self.raw.send({"t": "ack", "pos": frame["pos"], "fair_pos": frame["fair_pos"]})
        return frame

    def drop(self) -> None:
        """Be gone without a word."""
        self.raw.connection.transport.abort()


class Visit(Protocol):
    """One kind of visit."""

    __name__: str

    def __call__(self, town: Town, /) -> Coroutine[Any, Any, None]: ...


@dataclass(slots=True)
class Town:
    """Everybody, and where they go. `visits` counts those that have ended, by kind; `cut` those that were cut off."""

    url: str
    ground: Fairground
    rng: random.Random
    soon_ms: int
    """The half hour that begins next."""
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    visits: Counter[str] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)
    chats: dict[str, str] = field(default_factory=dict)
    """Conversations with acme, by buyer."""
    meeting: str | None = None
    asleep: list[ClientConnection] = field(default_factory=list)
    """Connections that neither read nor write any more; the server has to notice."""
    half_hours: itertools.count[int] = field(default_factory=lambda: itertools.count(96))

    async def open(self) -> None:
        """Everybody's first chat, and a meeting that can be entered."""
        for name in self.buyers:
            async with self.comes(name) as one:
                opened = await one.call("chat.open", exhibitor=str(self.ground.exhibitors["acme"]))
                assert opened is not None
                self.chats[name] = opened["entry"]["conversation"]
                await one.call("chat.send", conversation=self.chats[name], text="hello")
        self.meeting = await self.booked(4, self.buyers[0])
        assert self.meeting is not None

    @property
    def buyers(self) -> list[str]:
        """Names of those who visit."""
        return [f"visitor{number}" for number in range(BUYERS)]

    async def churn(self, visits: Iterator[Visit]) -> None:
        """People come and go, so many at a time."""

        async def keep_coming() -> None:
            for visit in visits:
                name = visit.__name__.strip("_")
                try:
                    async with asyncio.timeout(LONGEST_S):
                        await visit(self)
                except CUT_OFF:
                    self.cut[name] += 1
                else:
                    self.visits[name] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(PEOPLE):
                group.create_task(keep_coming())

    async def wake(self) -> None:
        """Those who slept are gone, long after the server has let go of them."""
        for connection in self.asleep:
            await hang_up(connection)
        self.asleep.clear()

    @asynccontextmanager
    async def comes(self, name: str, **more: Any) -> AsyncIterator[Visitor]:
        """Somebody who is live, and says goodbye unless it has dropped."""
        async with self.line(self.rng.choice(("msgpack", "json"))) as raw:
            one = Visitor(self, raw)
            await raw.send(hello(self.ground[name].token, **more))
            while (await one.receive())["t"] != "live":
                pass
            yield one

    @asynccontextmanager
    async def line(self, codec: str = "msgpack", **options: Any) -> AsyncIterator[Raw]:
        """A connection on which nothing was said yet."""
        async with connect(
            self.url.replace("http", "ws", 1) + "/v1/socket", subprotocols=[Subprotocol(f"fairwire.v1.{codec}")],
            proxy=None, max_size=None, compression=None, close_timeout=5, ping_interval=None, **options,
        ) as connection:  # fmt: skip
            yield Raw(connection, codec)

    @asynccontextmanager
    async def web(self) -> AsyncIterator[aiohttp.ClientSession]:
        """A browser's connections."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield session

    async def booked(self, half_hour: int, buyer: str) -> str | None:
        """An assigned meeting."""
        async with self.comes("main") as main:
            slot = await main.call("slots.create", starts_at=self.soon_ms + half_hour * HALF_HOUR_MS)
            async with self.comes(buyer) as one:
                made = slot and await one.call("bookings.request", slot=slot["slot"]["id"], topic="a trial order")
            if made:
                receiver = str(self.ground["sales"].id)
                args = {"booking": made["booking"], "receiver": receiver, "confirm_unreachable": True}
                assigned = await main.call("bookings.assign", **args)
                return str(made["booking"]) if assigned else None
        return None

    def text(self) -> str:
        """Something to say, now and then at length."""
        return " ".join(self.rng.choices(WORDS, k=500 if self.rng.random() < 0.05 else self.rng.randint(1, 30)))


async def hang_up(connection: ClientConnection) -> None:
    """Be gone without a word."""
    connection.transport.abort()
    await connection.wait_closed()
