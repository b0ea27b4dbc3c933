"""What an account's devices make of its stream, by three ways of getting it, beside the server's own first state (W5, W6).

The state at the end must be the same whichever way the events came: live over a real socket, replayed in one piece for a
resume, or refilled page by page; and the same as what the server says when it is asked anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import fairwire
from fairwire import State, apply
from fairwire_protocol.codec import JSON, MSGPACK, Codec
from fairwire_protocol.events import AccountEvent
from fairwire_protocol.frames import Snapshot
from fairwire_protocol.models import Booking, Message, Offer, Place, Position, Side
from fairwire_protocol.session import Body
from fairwire_server.clock import milliseconds
from fairwire_server.compose import Node
from fairwire_server.contacts.rules import in_order
from fairwire_server.hub.first import FirstStates
from fairwire_server.streams.arrivals import Arrival
from fairwire_server.streams.log import Item, Page
from fairwire_server.streams.snapshot import FirstState
from tests.streams.crowd import Crowd

__all__ = ["Base", "Follower", "arrived", "event_of", "evolved", "same", "snapshot"]

PAGE: Final = 7
MINUTE: Final = 60_000


@dataclass(frozen=True, slots=True)
class Base:
    """A first state and where it stands."""

    state: State
    account: Position
    fair: Position


async def snapshot(node: Node, crowd: Crowd, name: str, codec: Codec = MSGPACK) -> Base:
    """The server's first state as it arrives at a client."""
    first = await node.ground.snapshots.take(crowd.callers[name])
    part = codec.decode(codec.encode(_part(first)), Snapshot)
    limit, now = node.settings.recent_max, milliseconds(node.clock.now())
    return Base(State.from_snapshot([part], limit=limit, now=now), first.account, first.fair)


def _part(first: FirstState) -> Snapshot:
    return Snapshot(
        part=0,
        last=True,
        account=first.me,
        entries=tuple(first.recent.entries),
        starred=first.starred,
        messages=tuple(first.messages),
        offers=first.offers,
        bookings=first.bookings,
        places=first.places,
    )


def evolved(base: Base, items: Sequence[Item], now: int, codec: Codec) -> tuple[State, int]:
    """The state after these items; they must be gapless."""
    state, pos = base.state, base.account.pos
    for item in items:
        assert item.start == pos + 1, f"{item.start} after {pos}"
        assert item.end >= item.start
        pos = item.end
        if item.body is not None:
            assert item.start == item.end
            state = apply(state, event_of(item, codec), pos, now)
    return state, pos


def event_of(item: Item, codec: Codec) -> Body:
    """What an item says, as its receiver decodes it."""
    event: Body = codec.decode(item.encoded(codec), AccountEvent)  # type: ignore[arg-type]  # a union is no type to mypy
    return event


class Follower:
    """One account, followed by every way there is."""

    def __init__(self, node: Node, crowd: Crowd, name: str, live: fairwire.Client | None) -> None:
        self.node = node
        self.crowd = crowd
        self.name = name
        self.live = live
        self.view: Side = "buyer" if crowd.callers[name].kind == "buyer" else "team"
        self.oldest: Base | None = None
        self.latest: Base | None = None
        self.compared = self.kept = 0

    async def start(self) -> None:
        """Take the state that everything else is compared with from now on."""
        self.oldest = self.latest = await snapshot(self.node, self.crowd, self.name)

    async def check(self, *, restarted: bool, gone: bool) -> None:
        """Every way gives the state that the server gives now. `restarted`: the stream may have a new epoch, honestly (W6).

        `gone`: the live client's session is over.
        """
        self.live = None if gone else self.live
        while True:
            now = milliseconds(self.node.clock.now())
            fresh = await snapshot(self.node, self.crowd, self.name, JSON)
            assert self.oldest is not None
            assert self.latest is not None
            page = await self._resume(self.oldest)
            if page.reason is not None:
                assert page.reason == "epoch", page.reason
                assert restarted
                assert self.oldest.account.epoch != fresh.account.epoch
                self.oldest = self.latest = fresh
                return
            refilled = await self._refill(self.latest)
            top = await self._top()
            if not top == fresh.account.pos == page.account.pos:
                continue  # something has happened meanwhile: a receipt of the live socket, for one
            for codec, base, items in ((MSGPACK, self.oldest, page.items), (JSON, self.latest, refilled)):
                state, pos = evolved(base, items, now, codec)
                assert pos == top
                same(state, fresh.state, now, f"{self.name}, {'replayed' if codec is MSGPACK else 'refilled'}")
            if self.live is not None:
                if await arrived(self.live, top) != top:
                    continue
                same(self.live.state, fresh.state, now, f"{self.name}, live")
            if not await self._kept_as_read(fresh) or not await self._as_listed(fresh):
                continue
            self.latest = fresh
            self.compared += 1
            return

    async def _kept_as_read(self, fresh: Base) -> bool:
        """What is kept of the check before, if the stream has not moved since, is to the byte what would be read now (W5).

        False if something has happened meanwhile.
        """
        caller, ground = self.crowd.callers[self.name], self.node.ground
        arrival = Arrival(caller, fresh.state.account, fresh.account, fresh.fair)
        kept = ground.first_states.kept(arrival, MSGPACK)
        now, _, _ = await FirstStates(ground.snapshots, self.node.clock, 0).read(caller, MSGPACK)
        if now.account != fresh.account:
            return False
        if kept is not None:
            assert kept == now, f"{self.name}: the state kept is another than the one read"
            self.kept += 1
        await ground.first_states.read(caller, MSGPACK)
        return True

    async def _as_listed(self, fresh: Base) -> bool:
        """The recent list of a first state, which PostgreSQL words, is to the letter the one that `contacts.recent` tells (K1, W5).

        False if something has happened meanwhile.
        """
        caller, ground = self.crowd.callers[self.name], self.node.ground
        first = await ground.snapshots.take(caller)
        async with self.node.works.read() as work:
            listed = await ground.contact_store.recent(work.connection, caller.account, ground.settings.recent_max)
        if first.account != fresh.account or await self._top() != fresh.account.pos:
            return False
        if caller.side == "buyer" or caller.may("read_history"):
            assert list(first.recent.entries) == list(in_order(listed)), f"{self.name}: told otherwise than listed"
        return True

    async def _resume(self, base: Base) -> Page:
        caller = self.crowd.callers[self.name]
        return await self.node.ground.log.resume(caller.account, caller.fair, self.view, base.account, base.fair)

    async def _refill(self, base: Base) -> list[Item]:
        caller, at, items, more = self.crowd.callers[self.name], base.account, list[Item](), True
        while more:
            page = await self.node.ground.log.refill(caller.account, caller.fair, self.view, at, base.fair, PAGE)
            assert page.reason is None
            assert len(page.items) <= PAGE
            items += page.items
            more = page.more
            if page.items:
                at = Position(epoch=at.epoch, pos=page.items[-1].end)
        return items

    async def _top(self) -> int:
        async with self.node.works.read() as work:
            row = await work.connection.fetchrow(self.crowd.sql["position"], self.crowd.ids[self.name])
        assert row is not None
        return int(row["pos"])


async def arrived(live: fairwire.Client, pos: int) -> int:
    """Wait until a live client, which may have to come back first, has taken in `pos`; where it stands then."""
    feed = live.events()
    try:
        async with asyncio.timeout(20):
            while (at := _stands(live)) < pos:
                await anext(feed)
    finally:
        live.forget(feed)
    return at


def _stands(live: fairwire.Client) -> int:
    return live.resume_point.account.pos if live.online and live.resume_point is not None else -1


def same(state: State, fresh: State, now: int, who: str) -> None:
    """What events made of a state, beside what the server says: every field of every entry, and all the rest."""
    mine, theirs = state.recent, fresh.recent
    assert [e.conversation for e in mine] == [e.conversation for e in theirs], f"{who}: another list"
    for one, other in zip(mine, theirs, strict=True):
        assert one == other, f"{who}: {differing(one, other)}"
    assert state.starred == fresh.starred, f"{who}: stars"
    assert state.account == fresh.account, f"{who}: {differing(state.account, fresh.account)}"
    assert _waiting(state, now) == _waiting(fresh, now), f"{who}: offers"
    assert state.unread == fresh.unread, f"{who}: unread"
    assert _coming(state, now) == _coming(fresh, now), f"{who}: {_differing_bookings(state, fresh, now)}"
    assert _in_line(state, now) == _in_line(fresh, now), f"{who}: places"
    strange = state.windows.keys() - fresh.windows.keys()
    assert not strange, f"{who}: windows of {strange}"
    for conversation, window in state.windows.items():
        _same_window(window, fresh.windows[conversation], who)


def _waiting(state: State, now: int) -> dict[UUID, Offer]:
    return {key: offer for key, offer in state.offers.items() if offer.expires_at > now}


def _coming(state: State, now: int) -> dict[UUID, Booking]:
    """What is not over and will not be in a minute: a live client reckons the server's clock."""
    return {key: booking for key, booking in state.bookings.items() if booking.ends_at > now + MINUTE}


def _in_line(state: State, now: int) -> dict[UUID, Place]:
    return {key: place for key, place in state.places.items() if place.starts_at > now + MINUTE}


def _differing_bookings(state: State, fresh: State, now: int) -> str:
    mine, theirs = _coming(state, now), _coming(fresh, now)
    alone = f"only by events {mine.keys() - theirs.keys()}, only by snapshot {theirs.keys() - mine.keys()}"
    return "; ".join([alone, *(differing(mine[key], theirs[key]) for key in mine.keys() & theirs.keys())])


def _same_window(window: tuple[Message, ...], fresh: tuple[Message, ...], who: str) -> None:
    """The shorter is the end of the longer, and neither is empty: a snapshot may reach further back than events did."""
    shared = min(len(window), len(fresh))
    assert shared, f"{who}: an empty window"
    for one, other in zip(window[-shared:], fresh[-shared:], strict=True):
        assert one == other, f"{who}: {differing(one, other)}"


def differing(one: object, other: object) -> str:
    """The fields that differ, from events first."""
    names = [name for name in one.__struct_fields__ if getattr(one, name) != getattr(other, name)]  # type: ignore[attr-defined]
    return "; ".join(
        f"{name}: {getattr(one, name)!r} by events, {getattr(other, name)!r} by snapshot" for name in names
    )
