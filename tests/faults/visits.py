"""People and strangers who come to a fair and go: every kind of visit, well-behaved or not, none of which may leave anything behind.

A visit is cut off when a node or the bus is killed, and that is no fault of anybody's; what counts is that each kind of visit has come
to its end at least once, and each operation has been answered with a reply.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import socket as sockets
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final, Protocol
from urllib.parse import urlsplit
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
from tests.meetings.lounge import Browser
from tests.permissions.caller import HttpDoor

__all__ = ["Town", "settle"]

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

    def any(self) -> Visit:
        """A visit of any kind."""
        return self.rng.choices(VISITS, WEIGHTS)[0]

    def each(self, times: int) -> list[Visit]:
        """Every kind of visit so many times, in any order."""
        visits = VISITS * times
        self.rng.shuffle(visits)
        return visits

    async def wake(self) -> None:
        """Those who slept are gone, long after the server has let go of them."""
        for connection in self.asleep:
            await _hang_up(connection)
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


async def _chat(town: Town) -> None:
    """A buyer talks, looks around, and leaves, with or without a word."""
    name = town.rng.choice(town.buyers)
    chat, ground = town.chats[name], town.ground
    async with town.comes(name) as one:
        subjects = [{"kind": "exhibitor", "id": str(id_)} for id_ in ground.exhibitors.values()]
        await one.call("presence.watch", subjects=subjects)
        await one.call("chat.typing", conversation=chat)
        sent = await one.call("chat.send", conversation=chat, text=town.text())
        await one.call("chat.history", conversation=chat, limit=20)
        if sent:
            await one.call("chat.read", conversation=chat, seq=sent["seq"])
        await one.call("presence.set", state=town.rng.choice(("busy", "away")))
        if town.rng.random() < 0.2 and sent:
            await one.call("chat.recall", conversation=chat, seq=sent["seq"])
        if town.rng.random() < 0.5:
            one.drop()


async def _team(town: Town) -> None:
    """Somebody of the team answers, searches, hands over, takes over."""
    who, buyer = town.rng.choice(TEAM), town.rng.choice(town.buyers)
    chat = town.chats[buyer]
    async with town.comes(who) as one:
        watched = [{"kind": "account", "id": str(town.ground[name].id)} for name in town.rng.sample(town.buyers, 20)]
        await one.call("presence.watch", subjects=watched)
        await one.call("chat.list", limit=20)
        await one.call("chat.looking", conversation=chat)
        await one.call("chat.take_over", conversation=chat)
        await one.call("chat.typing", conversation=chat)
        await one.call("chat.send", conversation=chat, text=town.text())
        await one.call("chat.search", query=town.rng.choice(WORDS))
        await one.call("contacts.star", conversation=chat, starred=town.rng.random() < 0.5)
        await one.call("contacts.pin", conversation=chat, pinned=town.rng.random() < 0.2)
        await one.call("customers.add", buyer=str(town.ground[buyer].id))
        await _hand_over(town, one, who, chat)
        if town.rng.random() < 0.3:
            one.drop()


async def _hand_over(town: Town, giver: Visitor, who: str, chat: str) -> None:
    other = town.rng.choice([name for name in TEAM if name != who])
    asks = town.rng.random() < 0.5
    done = await giver.call("chat.transfer", conversation=chat, to=str(town.ground[other].id), ask_first=asks)
    if done and (offer := done.get("offer")) and town.rng.random() < 0.7:  # else it expires
        async with town.comes(other) as taker:
            await taker.call("chat.answer_offer", offer=offer["id"], accept=town.rng.random() < 0.5)


async def _book(town: Town) -> None:
    """A meeting is booked, assigned, and cancelled again by the buyer."""
    buyer = town.rng.choice(town.buyers)
    if (booking := await town.booked(next(town.half_hours), buyer)) is not None:
        async with town.comes(buyer) as one:
            await one.call("bookings.list")
            await one.call("bookings.cancel", booking=booking, reason="no time")


async def _guest(town: Town) -> None:
    """A guest comes by a link, says a name, waits, and is let in or not."""
    async with town.comes("sales") as host, town.web() as session:
        made = await host.call("meetings.invite", booking=str(town.meeting))
        if made is None:
            return
        browser, path = Browser(town.url, session), urlsplit(made["address"]).path
        await browser.get(path)
        await browser.post(path, name="Ana Souza", follow=False)
        lobby = await host.call("meetings.lobby", booking=str(town.meeting))
        for guest in (lobby or {"guests": []})["guests"][:2]:
            await host.call("meetings.admit", guest=guest["id"], admit=town.rng.random() < 0.5)
        await browser.get(path + "/state")
        await browser.post(path + "/enter", follow=False)
        await host.call("meetings.revoke_invitation", invitation=made["id"])


async def _image(town: Town) -> None:
    """An image goes up, into a chat, and down again."""
    name = town.rng.choice(town.buyers)
    token = town.ground[name].token
    async with town.web() as session:
        door = HttpDoor(town.url, session)
        up = await door.call(token, "chat.upload_image", {}, body=PNG)
        town.outcomes["chat.upload_image", up.outcome] += 1
        if up.outcome == "ok":
            async with town.comes(name) as one:
                await one.call("chat.send", conversation=town.chats[name], kind="image", image=up.content["id"])
            down = await door.call(token, "chat.thumbnail", {"image": up.content["id"]})
            town.outcomes["chat.thumbnail", down.outcome] += 1


async def _resume(town: Town) -> None:
    """A line is cut, and its owner comes back with where it was, with another epoch, or with a position that never was."""
    name = town.rng.choice(town.buyers)
    async with town.comes(name) as one:
        await one.call("chat.send", conversation=town.chats[name], text=town.text())
        where = one.positions
        one.drop()
    match town.rng.randrange(3):
        case 0:
            where["account"]["epoch"] += 1
        case 1:
            where["account"]["pos"] += 1_000_000
    async with town.comes(name, resume=where) as again:
        await again.call("contacts.recent")


async def _announce(town: Town) -> None:
    """The organiser tells everybody something."""
    async with town.comes("organiser") as organiser:
        await organiser.call("organiser.figures")
        await organiser.call("fair.announce", title="Hall 4", text=town.text())


async def _register(town: Town) -> None:
    """A buyer who was never here makes an account, looks around and signs out."""
    async with town.web() as session:
        door = HttpDoor(town.url, session)
        args = {"fair": "one", "login": uuid4().hex, "password": uuid4().hex, "name": "New", "device": uuid4().hex}
        made = await door.call(None, "auth.register", args)
        town.outcomes["auth.register", made.outcome] += 1
        if made.outcome != "ok":
            return
        token = made.content["access_token"]
        async with town.line() as raw:
            one = Visitor(town, raw)
            await raw.send(hello(token))
            while (await one.receive())["t"] != "live":
                pass
            out = await door.call(token, "auth.sign_out", {})
            town.outcomes["auth.sign_out", out.outcome] += 1
            with suppress(ConnectionClosed):
                while True:
                    await one.receive()


async def _guess(town: Town) -> None:
    """A wrong password, a wrong link and a wrong page."""
    async with town.web() as session:
        door = HttpDoor(town.url, session)
        args = {"fair": "one", "login": town.rng.choice(town.buyers), "password": "wrong", "device": "d"}
        await door.call(None, "auth.sign_in", args)
        for path in ("/m/nothing", "/calendar/nothing", "/v1/nothing", "/readyz"):
            async with session.get(town.url + path) as answer:
                await answer.read()


async def _nonsense(town: Town) -> None:
    """Frames that are refused, and what closes the socket."""
    name = town.rng.choice(town.buyers)
    async with town.comes(name) as one:
        for op, args in (
            ("no.such", {}),
            ("chat.send", {"conversation": 7}),
            ("chat.show", {"conversation": str(uuid4())}),
        ):
            assert await one.call(op, **args) is None
        await one.raw.send({"t": "what"})
        await one.raw.until("error")
        again = one.raw.encode(hello(town.ground[name].token))
        with suppress(ConnectionClosed):
            for frame in town.rng.choice(([b"\xc1garbage"] * 20, [again], ["x" * 70_000])):
                await one.raw.send(frame)
            while True:
                await one.receive()


async def _turned_away(town: Town) -> None:
    """Bad tokens, another protocol, a hello that does not come, a request that never ends, a connection that says nothing."""
    match town.rng.randrange(5):
        case 0:
            async with town.line() as raw:
                await raw.send(hello("not a token"))
                await raw.end()
        case 1:
            async with town.line("v9") as raw:
                await raw.end()
        case 2:
            async with town.line() as raw:
                await raw.end()
        case 3:
            async with town.line() as raw:
                await raw.send(hello(town.ground[town.rng.choice(town.buyers)].token))
                raw.connection.transport.abort()
        case _:
            _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(town.url).port)
            writer.write(
                town.rng.choice(
                    [
                        b"",
                        b"GET /v1/socket HTTP/1.1\r\nHost: x\r\n",
                        b"POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nx",
                    ]
                )
            )
            await writer.drain()
            writer.transport.abort()


async def _slow(town: Town) -> None:
    """A reader that asks for more than it reads: it goes in the middle, or sleeps until the server has had enough of it (W12)."""
    name = town.rng.choice(town.buyers)
    plain = sockets.socket()
    plain.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", urlsplit(town.url).port))
    page = {"conversation": str(town.chats[name]), "limit": 100}
    calls = [{"t": "call", "cid": str(uuid4()), "op": "chat.history", "args": page} for _ in range(20)]
    await _stop_reading(town, name, calls, sock=plain, max_queue=1)


async def _sleep(town: Town) -> None:
    """A client that stops without its line being cut: no beat is answered any more (W11)."""
    await _stop_reading(town, town.rng.choice(town.buyers), [])


async def _stop_reading(town: Town, name: str, calls: list[Any], **options: Any) -> None:
    connection = await connect(
        town.url.replace("http", "ws", 1) + "/v1/socket", subprotocols=[Subprotocol("fairwire.v1.msgpack")],
        compression=None, proxy=None, max_size=None, ping_interval=None, **options,
    )  # fmt: skip
    raw = Raw(connection, "msgpack")
    try:
        await raw.send(hello(town.ground[name].token))
        await raw.until("live")
        connection.transport.pause_reading()
        for call in calls:
            await raw.send(call)
    except BaseException:
        await _hang_up(connection)
        raise
    if town.rng.random() < 0.7:
        town.asleep.append(connection)
    else:
        await _hang_up(connection)


async def _hang_up(connection: ClientConnection) -> None:
    connection.transport.abort()
    await connection.wait_closed()


WEIGHED: Final[dict[Visit, int]] = {
    _chat: 30, _team: 12, _book: 5, _guest: 4, _image: 5, _resume: 12, _announce: 3, _register: 2, _guess: 2, _nonsense: 6,
    _turned_away: 12, _slow: 4, _sleep: 3,
}  # fmt: skip
VISITS: Final = list(WEIGHED)
WEIGHTS: Final = list(WEIGHED.values())
