"""N10: what is no change of a meeting. Planned in the transaction that causes it, in the app always and by mail for who asked, and
dropped in a named state where nobody needs to be told any more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import pytest

from fairwire_protocol.events import Notice, NoticeKind
from tests.harness.clock import ManualClock
from tests.harness.node import Running, running_node
from tests.harness.peer import peer
from tests.harness.until import until
from tests.hub.wire import passes
from tests.meetings.agenda import Agenda
from tests.meetings.lounge import Lounge

MINUTES = 60


class Newsroom(Agenda):
    """A fair on a clock that stands still, whose notices wait until the test has them drained. Everybody asks for mail of everything."""

    def __init__(self, running: Running, clock: ManualClock) -> None:
        super().__init__(running)
        self.clock = clock
        self.lounge = Lounge(running)
        self.last: Any = None
        """What the last cause answered, for whoever settles it."""

    async def open_desk(self) -> Newsroom:
        mails = dict.fromkeys(get_args(NoticeKind), ("email",))
        for who in ("main", "manager", "sales", "buyer", "buyer2", "organiser"):
            await self.call(who, "notices.set_preferences", channels=mails)
        return self

    async def spoken(self) -> UUID:
        """A chat that main holds and that waits for an answer."""
        conversation = await self.open("buyer")
        await self.say("buyer", conversation, "hello")
        return conversation

    async def ended(self, kind: str) -> set[tuple[str, str, str, str | None]]:
        """(who, channel, state, reason) of every notice of that kind."""
        names = {somebody.id: name for name, somebody in self.running.ground.cast.items()}
        async with self.running.node.works.read() as work:
            rows = await work.connection.fetch(NOTICES, kind)
        return {(names[row["recipient_id"]], row["channel"], row["state"], row["reason"]) for row in rows}

    async def drain(self) -> None:
        """A worker comes and does what is due."""
        running = asyncio.ensure_future(self.running.node.services.lanes.run())

        async def nothing_due() -> bool:
            async with self.running.node.works.read() as work:
                return not await work.connection.fetchval(DUE, work.now)

        try:
            await until(nothing_due)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def told(self, who: str, kind: str) -> list[Notice]:
        """In the app."""
        return [one for one in await self.heard(who, Notice) if one.kind == kind]

    async def mails(self) -> Counter[tuple[str, str]]:
        """Address and subject of what left."""
        async with self.running.node.works.read() as work:
            return Counter((row["recipient"], row["subject"]) for row in await work.connection.fetch(MAILS))


NOTICES = "SELECT recipient_id, channel, state, reason FROM notice WHERE kind = $1"
DUE = "SELECT count(*) FROM notice WHERE state = 'claimed' OR (state = 'planned' AND due_at <= $1)"
MAILS = "SELECT recipient, subject FROM outbox_mail"

Step = Callable[[Newsroom], Awaitable[None]]


@pytest.fixture
async def room(database_url: str, tmp_path: Path) -> AsyncIterator[Newsroom]:
    clock = ManualClock()
    async with running_node(database_url, tmp_path, clock, background="worker") as running:
        yield await Newsroom(running, clock).open_desk()


async def transfers(room: Newsroom) -> None:
    room.last = await room.spoken()
    await room.transfer("main", room.last, "sales")


async def asks_first(room: Newsroom) -> None:
    conversation, sales = await room.spoken(), room.running.ground["sales"].id
    reply = await room.call("main", "chat.transfer", conversation=conversation, to=sales, ask_first=True, note="VIP")
    assert reply.target_offline
    room.last = reply.offer.id


async def keeps_waiting(room: Newsroom) -> None:
    room.last = await room.spoken()
    await room.transfer("main", room.last, "sales")
    await room.transfer("sales", room.last, "main")
    room.clock.advance(16 * MINUTES)
    await room.running.node.services.acts.sweep_waiting()


async def reports(room: Newsroom) -> None:
    conversation = await room.spoken()
    room.last = (await room.call("main", "chat.report", conversation=conversation, seqs=[1], reason="rude")).report


async def requests(room: Newsroom) -> None:
    room.last = (await room.book("buyer", await room.slot(12))).booking


async def proposes(room: Newsroom) -> None:
    await requests(room)
    other = await room.slot(15)
    reply = await room.call("buyer", "bookings.propose", booking=room.last, slot=other, note="later")
    room.last = reply.booking


async def frees_a_seat(room: Newsroom) -> None:
    slot = await room.slot(4)
    crowd = await room.fill(slot)
    room.last = (await room.call("buyer", "bookings.wait", slot=slot)).place.id
    await room.call("buyer2", "bookings.wait", slot=slot)
    await room.end(crowd[0], slot)


async def knocks(room: Newsroom) -> None:
    room.last = await room.lounge.meeting()
    path = await room.lounge.link(room.last)
    async with room.lounge.browsers() as browser:
        assert (await browser().post(path, name="Ana")).state == "waiting"


@pytest.mark.parametrize(
    ("cause", "kind", "people", "subject"),
    [
        (requests, "requested", {"main", "manager"}, "新的预约"),
        (proposes, "proposed", {"main", "manager"}, "提议改期"),
        (frees_a_seat, "place_offered", {"buyer"}, "候补有空位"),
        (knocks, "guest_waiting", {"sales"}, "访客等候：Ana"),
        (transfers, "transfer_offline", {"sales"}, "有对话转接给您：Buyer 先生"),
        (asks_first, "transfer_offline", {"sales"}, "请求转接：Buyer 先生"),
        (keeps_waiting, "waiting", {"main"}, "有对话等待答复：Buyer 先生"),
        (reports, "report", {"organiser"}, "新的举报：Main 先生"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)  # fmt: skip
async def test_each_kind_is_planned_with_its_cause_and_told_once_in_the_app_and_by_mail_n10(
    room: Newsroom, cause: Step, kind: str, people: set[str], subject: str
) -> None:
    await cause(room)
    at_once = kind == "requested"  # the app is told of a request by the transaction that makes it
    planned = {
        (who, channel, "sent" if at_once and channel == "in_app" else "planned", None)
        for who in people
        for channel in ("in_app", "email")
    }
    assert await room.ended(kind) == planned
    told = [len(await room.told(who, kind)) for who in people]
    assert told == [1 if at_once else 0] * len(people), "by its notice, and by nothing else"
    await room.drain()
    assert await room.ended(kind) == {(who, channel, "sent", None) for who, channel, _, _ in planned}
    assert [len(await room.told(who, kind)) for who in people] == [1] * len(people)
    mailed = [address for address, title in (await room.mails()).elements() if title.startswith(subject)]
    assert sorted(mailed) == sorted(f"{who}@example.test" for who in people)
    counts = (await room.call("organiser", "organiser.notices", kind=kind)).counts
    assert {(one.state, one.channel, one.count) for one in counts} == {
        ("sent", name, len(people)) for name in ("in_app", "email")
    }


async def read(room: Newsroom) -> None:
    reading = asyncio.ensure_future(room.call("sales", "chat.read", conversation=room.last, seq=99))
    while not reading.done():
        await passes(room.clock, 0.25)  # receipts are gathered
    await reading


async def back_to_main(room: Newsroom) -> None:
    await room.transfer("sales", room.last, "main")


async def accepts_the_chat(room: Newsroom) -> None:
    await room.call("sales", "chat.answer_offer", offer=room.last, accept=True)


async def offer_runs_out(room: Newsroom) -> None:
    room.clock.advance(121)
    await room.running.node.services.transfers.expire()


async def answers(room: Newsroom) -> None:
    await room.say("main", room.last, "here I am")


async def handles(room: Newsroom) -> None:
    await room.call("main", "chat.handle", conversation=room.last)


async def closes(room: Newsroom) -> None:
    await room.call("organiser", "organiser.close_report", report=room.last)


async def declines_the_time(room: Newsroom) -> None:
    await room.call("main", "bookings.answer_proposal", proposal=room.last.proposal.id, accept=False)


async def is_assigned(room: Newsroom) -> None:
    sales = room.running.ground["sales"].id
    await room.call("main", "bookings.assign", booking=room.last.id, receiver=sales, confirm_unreachable=True)


async def takes_the_seat(room: Newsroom) -> None:
    await room.call("buyer", "bookings.answer_place", place=room.last, accept=True)


async def leaves_the_line(room: Newsroom) -> None:
    await room.call("buyer", "bookings.leave", place=room.last)


async def admits(room: Newsroom) -> None:
    await room.lounge.admit(room.last)


@pytest.mark.parametrize(
    ("cause", "settle", "kind", "who", "reason"),
    [
        (transfers, read, "transfer_offline", "sales", "read"),
        (transfers, back_to_main, "transfer_offline", "sales", "transferred"),
        (asks_first, accepts_the_chat, "transfer_offline", "sales", "accepted"),
        (keeps_waiting, answers, "waiting", "main", "answered"),
        (keeps_waiting, handles, "waiting", "main", "handled"),
        (reports, closes, "report", "organiser", "closed"),
        (proposes, declines_the_time, "proposed", "main", "declined"),
        (proposes, is_assigned, "proposed", "manager", "reassigned"),
        (frees_a_seat, takes_the_seat, "place_offered", "buyer", "accepted"),
        (frees_a_seat, leaves_the_line, "place_offered", "buyer", "left"),
        (knocks, admits, "guest_waiting", "sales", "admitted"),
        (asks_first, offer_runs_out, "transfer_offline", "sales", "too_late"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)  # fmt: skip
async def test_what_is_settled_before_it_was_told_is_told_to_nobody_and_says_why_n2_n10(
    room: Newsroom, cause: Step, settle: Step, kind: str, who: str, reason: str
) -> None:
    await cause(room)
    await settle(room)
    await room.drain()
    found = {one for one in await room.ended(kind) if one[0] == who}
    assert found == {(who, channel, "skipped", reason) for channel in ("in_app", "email")}
    assert await room.told(who, kind) == []


async def test_an_online_target_needs_no_notice_c7(room: Newsroom) -> None:
    conversation, sales = await room.spoken(), room.running.ground["sales"]
    async with peer(room.running.url, sales.token):
        reply = await room.call("main", "chat.transfer", conversation=conversation, to=sales.id)
    assert not reply.target_offline
    assert await room.ended("transfer_offline") == set()


async def test_a_second_wait_is_told_again_and_the_first_one_no_more_c11(room: Newsroom) -> None:
    await keeps_waiting(room)
    await answers(room)
    await room.say("buyer", room.last, "and then?")
    room.clock.advance(16 * MINUTES)
    await room.running.node.services.acts.sweep_waiting()
    await room.drain()
    states = {
        ("main", channel, *end) for channel in ("in_app", "email") for end in (("skipped", "answered"), ("sent", None))
    }
    assert await room.ended("waiting") == states
    [told] = await room.told("main", "waiting")
    assert (told.conversation, told.by) == (room.last, None)


async def test_without_a_preference_in_the_app_alone_n10(room: Newsroom) -> None:
    for who in ("main", "sales"):
        await room.call(who, "notices.set_preferences")
    await transfers(room)
    await reports(room)
    assert await room.ended("transfer_offline") == {("sales", "in_app", "planned", None)}
    assert {channel for _, channel, _, _ in await room.ended("report")} == {"in_app", "email"}


async def test_who_tells_and_what_about_n10(room: Newsroom) -> None:
    await proposes(room)
    await knocks(room)
    await transfers(room)
    await room.drain()
    [proposed], [guest], [chat] = [
        await room.told(who, kind)
        for who, kind in (("main", "proposed"), ("sales", "guest_waiting"), ("sales", "transfer_offline"))
    ]
    assert proposed.by is not None
    assert (proposed.by.name, proposed.starts_at) == ("Buyer 先生", room.at(15))
    assert guest.about is not None
    assert guest.about.name == "Ana"
    assert chat.by is not None
    assert (chat.by.name, chat.conversation) == ("Main 先生", room.last)
