"""Every kind of visit to a fair, well-behaved or not, none of which may leave anything behind."""

from __future__ import annotations

import asyncio
import socket as sockets
from contextlib import closing, suppress
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.faults.town import PNG, TEAM, WORDS, Town, Visit, Visitor, hang_up
from tests.hub.wire import Raw, hello
from tests.meetings.lounge import Browser
from tests.permissions.caller import HttpDoor

__all__ = ["any_visit", "each_visit"]


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
    page = {"conversation": town.chats[name], "limit": 100}
    calls = [{"t": "call", "cid": str(uuid4()), "op": "chat.history", "args": page} for _ in range(20)]
    with closing(sockets.socket()) as plain:
        plain.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", urlsplit(town.url).port))
        await _stop_reading(town, name, calls, sock=plain.dup(), max_queue=1)


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
        await hang_up(connection)
        raise
    if town.rng.random() < 0.7:
        town.asleep.append(connection)
    else:
        await hang_up(connection)


WEIGHED: Final[dict[Visit, int]] = {
    _chat: 30, _team: 12, _book: 5, _guest: 4, _image: 5, _resume: 12, _announce: 3, _register: 2, _guess: 2, _nonsense: 6,
    _turned_away: 12, _slow: 4, _sleep: 3,
}  # fmt: skip
VISITS: Final = list(WEIGHED)
WEIGHTS: Final = list(WEIGHED.values())


def any_visit(town: Town) -> Visit:
    """A visit of any kind."""
    return town.rng.choices(VISITS, WEIGHTS)[0]


def each_visit(town: Town, times: int) -> list[Visit]:
    """Every kind of visit so many times, in any order."""
    visits = VISITS * times
    town.rng.shuffle(visits)
    return visits
