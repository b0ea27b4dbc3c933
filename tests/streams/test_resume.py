"""W6: whatever position a client comes back with, it gets exactly what it missed, in order, once — or an honest no.

Positions are tried by the thousand against the log itself, and a sample of them over real sockets with cuts at any moment.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from fairwire import State, apply
from fairwire_protocol.codec import MSGPACK
from fairwire_protocol.events import Announcement
from fairwire_protocol.models import Position
from fairwire_server.clock import milliseconds
from fairwire_server.compose import Node, open_node
from fairwire_server.compose.doors import open_doors
from fairwire_server.database.pool import Database
from fairwire_server.streams.log import Log, Page
from fairwire_server.streams.store import StreamStore
from tests.harness.clock import ManualClock
from tests.harness.node import running_node
from tests.harness.peer import Peer, peer
from tests.harness.postgres import Cluster
from tests.streams.crowd import Crowd, gather
from tests.streams.followers import Base, event_of, evolved, same, snapshot
from tests.streams.world import OPERATIONS, World

WINDOW: Final = timedelta(hours=24)
LONG: Final = 160
SHORT: Final = 25
LIMIT: Final = 100
QUIET: Final = ("suspend", "disable", "promote")


@dataclass(slots=True)
class Past:
    """An account with a history: the state at every position of its stream, and the way from each to the next."""

    node: Node
    clock: ManualClock
    crowd: Crowd
    world: World
    account: str
    start: Base
    states: dict[int, State]
    top: int
    fair_top: int

    def log(self, resume_events: int = 1000) -> Log:
        """The node's log with another limit."""
        return Log(self.node.works, StreamStore(), window=WINDOW, resume_events=resume_events)

    async def resume(self, at: Position, fair: Position, log: Log | None = None) -> Page:
        """What a hello with these positions is answered with."""
        caller = self.crowd.callers[self.account]
        return await (log or self.node.ground.log).resume(caller.account, caller.fair, "team", at, fair)

    def at(self, pos: int) -> Position:
        """A position of the own stream."""
        return Position(epoch=self.start.account.epoch, pos=pos)

    def fair_at(self, pos: int) -> Position:
        """A position of the fair's stream."""
        return Position(epoch=self.start.fair.epoch, pos=pos)

    def check(self, page: Page, pos: int, fair_pos: int) -> None:
        """Recovered is what was missed: gapless, once, and it leads to the state that everybody else is in."""
        assert page.reason is None
        assert not page.more
        base = Base(self.states[pos], self.at(pos), self.fair_at(fair_pos))
        now = milliseconds(self.clock.now())
        state, end = evolved(base, page.items, now, MSGPACK)
        assert end == self.top
        same(state, self.states[self.top], now, f"from {pos}")
        assert [item.start for item in page.fair_items] == list(range(fair_pos + 1, self.fair_top + 1))


@asynccontextmanager
async def history(node: Node, clock: ManualClock, length: int) -> AsyncIterator[Past]:
    """Random life until the account's stream is long enough, with announcements in between."""
    crowd, account = await gather(node), "main"
    world = World(node, clock, crowd)
    start = await snapshot(node, crowd, account)
    dice = random.Random(6)
    names = [name for name in OPERATIONS if name not in QUIET]
    top = fair_top = 0
    while top < length:
        op = dice.choice((*("buyer_says", "team_says", "receive") * 4, *names))
        await world.act(op, (dice.randrange(24), dice.randrange(24), dice.randrange(24)))
        if world.said and dice.random() < 0.3:
            await _receipt(world, *world.said[-1][:2])
        if dice.random() < 0.03:
            fair_top = await announce(node, crowd, f"announcement {fair_top + 1}")
        async with node.works.read() as work:
            top = await work.connection.fetchval(crowd.sql["top"], crowd.ids[account])
    past = Past(node, clock, crowd, world, account, start, {0: start.state}, top, fair_top)
    page = await past.resume(start.account, start.fair)
    state, pos = start.state, 0
    for item in page.items:
        if item.body is not None:
            state = apply(state, event_of(item, MSGPACK), item.end, milliseconds(clock.now()))
        pos = item.end
        past.states[pos] = state
    assert pos == top
    yield past


async def _receipt(world: World, conversation: UUID, seq: int) -> None:
    """The holder's device has the newest message: markers that later ones supersede."""
    world.clock.advance(1.1)
    world.node.services.receipts.received(world.crowd.ids[await world.holder(conversation)], {conversation: seq})
    await world.node.services.receipts.flush()


async def announce(node: Node, crowd: Crowd, title: str) -> int:
    """One announcement to everybody; its position."""
    async with node.works.begin() as work:
        event = Announcement(id=crowd.fair, ts=milliseconds(work.now), title=title, text="")
        return await node.ground.streams.announce_fair(work, crowd.fair, event)


@asynccontextmanager
async def _past(url: str, folder: Path, length: int) -> AsyncIterator[Past]:
    clock = ManualClock()
    async with (
        running_node(url, folder, clock, recent_max=5, pins_max=2) as running,
        history(running.node, clock, length) as past,
    ):
        yield past


@pytest.fixture(scope="module")
async def past(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Past]:
    """A long stream of events of every sort, only to be read; the clock stands still."""
    async with postgres.database() as url, _past(url, tmp_path_factory.mktemp("past"), LONG) as past:
        yield past


@pytest.fixture
async def young(database_url: str, tmp_path: Path) -> AsyncIterator[Past]:
    """A shorter one, to go on with."""
    async with _past(database_url, tmp_path, SHORT) as past:
        yield past


async def test_every_position_recovers_exactly_what_it_missed_w6(past: Past) -> None:
    fresh = await snapshot(past.node, past.crowd, past.account)
    assert fresh.account.pos == past.top
    same(past.states[past.top], fresh.state, milliseconds(past.clock.now()), "from the beginning")
    for pos in sorted(past.states):
        fair_pos = pos % (past.fair_top + 1)
        past.check(await past.resume(past.at(pos), past.fair_at(fair_pos)), pos, fair_pos)


async def test_voids_only_stand_for_superseded_markers_w6(past: Past) -> None:
    """Nothing else may be left out, and neighbours are one void."""
    async with past.node.works.read() as work:
        rows = await work.connection.fetch(past.crowd.sql["events"], past.crowd.ids[past.account])
    types = {row["pos"]: row["type"] for row in rows}
    page = await past.resume(past.at(0), past.fair_at(0))
    voids = [item for item in page.items if item.body is None]
    assert len(voids) > 1, "a history without superseded markers proves nothing"
    assert all(types[pos] == "marker" for item in voids for pos in range(item.start, item.end + 1))
    assert all(one.end + 1 < other.start for one, other in pairwise(voids))


async def test_any_other_position_is_refused_honestly_w6(past: Past) -> None:
    """Stale, future, negative and foreign ones, of either stream: an answer in full, or a reason that is true."""
    dice, seen = random.Random(66), set[str]()
    foreign = await snapshot(past.node, past.crowd, "buyer")
    limited = past.log(resume_events=LIMIT)
    for _ in range(400):
        seen.add(await _schedule(past, limited, dice, foreign.account.epoch))
    assert seen == {"resumed", "epoch", "too_many"}


@pytest.mark.soak
async def test_ten_thousand_schedules_w6(past: Past) -> None:
    dice = random.Random(6666)
    foreign = await snapshot(past.node, past.crowd, "buyer")
    limited = past.log(resume_events=LIMIT)
    for _ in range(10_000):
        await _schedule(past, limited, dice, foreign.account.epoch)


async def _schedule(past: Past, limited: Log, dice: random.Random, foreign_epoch: int) -> str:
    """One client that comes back with something; answers what it was told."""

    def odd(top: int, real: int) -> tuple[int, int]:
        pos = dice.choice(
            (dice.randint(0, top), top, 0, top + 1, dice.randint(top, 2**53 - 1), -1, -dice.randint(1, 2**60))
        )
        return dice.choice((real, real, real, real, foreign_epoch, 0, real + 1, dice.randrange(2**53))), pos

    (epoch, pos), (fair_epoch, fair_pos) = odd(past.top, past.at(0).epoch), odd(past.fair_top, past.fair_at(0).epoch)
    if dice.random() < 0.6:
        fair_epoch, fair_pos = past.fair_at(0).epoch, dice.randint(0, past.fair_top)
    page = await past.resume(Position(epoch=epoch, pos=pos), Position(epoch=fair_epoch, pos=fair_pos), limited)
    ours = (epoch, fair_epoch) == (past.at(0).epoch, past.fair_at(0).epoch)
    known = ours and 0 <= pos <= past.top and 0 <= fair_pos <= past.fair_top
    assert (page.account.pos, page.fair.pos) == (past.top, past.fair_top), "an answer says where the streams stand"
    if page.reason is not None:
        assert not page.items
        assert not page.fair_items
    if not known:
        assert page.reason in {"epoch", "too_old"}, f"{epoch, pos} {fair_epoch, fair_pos} was {page.reason}"
        return "epoch"
    if past.top - pos > LIMIT:
        assert page.reason == "too_many"
        return "too_many"
    nearest = max(known_pos for known_pos in past.states if known_pos <= pos)
    if nearest == pos:
        past.check(page, pos, fair_pos)
    assert page.reason is None
    return "resumed"


async def test_the_window_of_age_ends_at_its_hour_w6(young: Past) -> None:
    """An event 24 h old is replayed, one a second older is not; pruned or not, the answer is the same."""
    last = young.top - 1
    young.clock.advance(WINDOW.total_seconds())
    await young.world.call(young.account, "account.update", name="young")  # the newest event of all is young
    young.clock.advance(1)
    assert (await young.resume(young.at(last), young.fair_at(young.fair_top))).reason == "too_old"
    page = await young.resume(young.at(young.top), young.fair_at(young.fair_top))
    assert page.reason is None
    young.clock.advance(WINDOW.total_seconds() * 2)
    for prunes in (False, True):
        if prunes:
            await young.node.ground.log.prune()
        for pos in (0, last, young.top):
            assert (await young.resume(young.at(pos), young.fair_at(young.fair_top))).reason == "too_old"
        while (
            True
        ):  # sweeps that the clock has woken may still write in between, and what they write may be a window old
            before, page = page, await young.resume(page.account, page.fair)
            if before.account == page.account:
                break
        assert page.reason is None
        assert not page.items


async def test_a_reset_stream_says_epoch_w6(young: Past) -> None:
    async with young.node.works.begin() as work:
        await young.node.ground.reset_streams(work, [young.crowd.ids[young.account]])
    page = await young.resume(young.at(young.top), young.fair_at(young.fair_top))
    assert page.reason == "epoch"
    assert page.account.epoch != young.at(0).epoch


def position(at: tuple[int, int]) -> dict[str, int]:
    """As hello says it."""
    return {"epoch": at[0], "pos": at[1]}


def resume_of(one: Peer) -> dict[str, Any]:
    """What this peer would come back with."""
    return {"account": position(one.account), "fair": position(one.fair)}


@pytest.mark.parametrize("codec", ["msgpack", "json"])
async def test_cuts_at_any_moment_lose_and_repeat_nothing_w6(
    young: Past, tmp_path: Path, database_url: str, codec: str
) -> None:
    """A device that is cut after a random number of events and comes back, while others write on."""
    token, dice = young.crowd.token(young.account), random.Random(codec)
    resume: dict[str, Any] = {
        "account": position((young.at(0).epoch, 0)),
        "fair": position((young.fair_at(0).epoch, 0)),
    }
    seen: list[int] = []
    async with open_doors(young.node) as doors:
        for turn in range(25):
            async with peer(f"http://127.0.0.1:{doors.port}", token, codec=codec, resume=resume, device="one") as one:
                first = next(frame for frame in one.frames if frame["t"] == "resumed")
                assert first["resumed"] is True
                assert first["account"] == resume["account"]
                for _ in range(dice.randrange(4)):
                    await young.world.act("buyer_says", (turn, 0, 0))
                taken = [frame for frame in one.frames if frame.get("stream") == "account"]
                kept = taken[: dice.randint(0, len(taken))]  # the cut came before the rest was read
                for frame in kept:
                    seen += [frame["pos"]] if frame["t"] == "event" else range(frame["from"], frame["to"] + 1)
                end = seen[-1] if seen else 0
                resume = {"account": position((young.at(0).epoch, end)), "fair": resume_of(one)["fair"]}
        async with peer(f"http://127.0.0.1:{doors.port}", token, codec=codec, resume=resume, device="one") as one:
            for frame in one.frames:
                if frame.get("stream") == "account":
                    seen += [frame["pos"]] if frame["t"] == "event" else range(frame["from"], frame["to"] + 1)
    async with young.node.works.read() as work:
        top = await work.connection.fetchval(young.crowd.sql["top"], young.crowd.ids[young.account])
    assert seen == list(range(1, top + 1))


@pytest.mark.parametrize(
    ("reason", "shifted"),
    [
        ("epoch", lambda at: (at[0] + 1, at[1])),
        ("epoch", lambda at: (at[0], at[1] + 1)),
        ("epoch", lambda at: (at[0], 2**53 - 1)),
    ],
)
async def test_a_refused_resume_is_followed_by_a_whole_snapshot_w6(
    past: Past, reason: str, shifted: Callable[[tuple[int, int]], tuple[int, int]]
) -> None:
    token = past.crowd.token(past.account)
    async with open_doors(past.node) as doors:
        url = f"http://127.0.0.1:{doors.port}"
        async with peer(url, token) as before:
            here = resume_of(before)
        wrong = {**here, "account": position(shifted((here["account"]["epoch"], here["account"]["pos"])))}
        async with peer(url, token, resume=wrong) as again:
            answer = next(frame for frame in again.frames if frame["t"] == "resumed")
            assert (answer["resumed"], answer["reason"]) == (False, reason)
            assert answer["account"] == here["account"]
            parts = [frame for frame in again.frames if frame["t"] == "snapshot"]
            assert [part["part"] for part in parts] == list(range(len(parts)))
            assert parts[-1]["last"] is True


async def test_it_goes_on_after_a_restart_of_the_node_w6(database: Database, database_url: str, tmp_path: Path) -> None:
    """Positions are the database's: another process answers as the first one would have."""
    async with running_node(database_url, tmp_path) as running:
        ground = running.ground
        async with peer(running.url, ground["buyer"].token) as buyer, peer(running.url, ground["main"].token) as main:
            reply = await buyer.ok("chat.open", exhibitor=str(ground.exhibitors["acme"]))
            conversation = reply["entry"]["conversation"]
            await buyer.ok("chat.send", conversation=conversation, text="before")
            await main.event("message")
            at = resume_of(main)
        async with peer(running.url, ground["buyer"].token) as buyer:
            await buyer.ok("chat.send", conversation=conversation, text="missed")
        settings = running.node.settings
    async with open_node(settings, database) as node, open_doors(node) as doors:
        url = f"http://127.0.0.1:{doors.port}"
        async with peer(url, ground["main"].token, resume=at) as main:
            answer = await main.wait(t="resumed")
            assert answer["resumed"] is True
            event = await main.event("message")
            assert event["message"]["text"] == "missed"
