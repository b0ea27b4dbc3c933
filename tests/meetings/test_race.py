"""The race for seats on a real PostgreSQL: nobody is in two places, and no slot holds more than fit (M2, M4, W7)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import cycle
from uuid import UUID, uuid4

from fairwire_protocol.errors import FairwireError
from fairwire_protocol.operations.slots import RequestBooking
from fairwire_server.chat.posting import Posting
from fairwire_server.compose.meetings import build_meetings
from fairwire_server.meetings.requesting import Requesting
from tests.meetings.agenda import Agenda

CONNECTIONS = 32
REQUESTS = 480


Book = Callable[[str, UUID], Awaitable[str]]


def through(agenda: Agenda) -> Book:
    """Requests by the node's own service; the error's code, or `ok`."""
    return lambda who, slot: agenda.code(who, "bookings.request", slot=slot)


@asynccontextmanager
async def another_process(agenda: Agenda) -> AsyncIterator[Book]:
    """A second service that gathers batches of its own, as another node's does, over the same database."""
    node = agenda.running.node
    posting = partial(Posting, node.ground.chat_store, node.ground.contact_store, node.ground.streams, span=10)
    service = build_meetings(node.ground, node.services.transfers, posting, node.services.keyword_lists)["requesting"]
    assert isinstance(service, Requesting)

    async def book(who: str, slot: UUID) -> str:
        try:
            await service.request(await agenda.caller(who), agenda.context(), RequestBooking(slot=slot))
        except FairwireError as error:
            return error.code
        return "ok"

    running = asyncio.create_task(service.run())
    try:
        yield book
    finally:
        running.cancel()


async def race(books: Sequence[Book], wishes: Sequence[tuple[str, UUID]]) -> Counter[str]:
    """So many callers at once, each with one request on its way, by one service or another. Counts the answers' codes."""
    codes: Counter[str] = Counter()
    left = list(wishes)
    turns = cycle(books)

    async def caller() -> None:
        while left:
            who, slot = left.pop()
            codes[await next(turns)(who, slot)] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(caller())
    return codes


async def slots_of(agenda: Agenda) -> list[UUID]:
    """Slots of two exhibitors, the second's half overlapping the first's."""
    ours = [await agenda.slot(2 * number, minutes=60) for number in range(12)]
    return ours + [await agenda.slot(2 * number + 1, who="rival", minutes=60) for number in range(12)]


async def check(agenda: Agenda, slots: Sequence[UUID], granted: int) -> None:
    assert await agenda.run("double_booked") == 0
    assert await agenda.run("bookings") == granted
    capacity = {slot: 5 if number < 12 else 2 for number, slot in enumerate(slots)}
    for slot, most in capacity.items():
        assert await agenda.run("live_in", slot) <= most


async def test_half_overlapping_requests_over_32_connections_m2_m4(agenda: Agenda) -> None:
    rng = random.Random(4)
    slots, crowd = await slots_of(agenda), await agenda.crowd(40)
    codes = await race([through(agenda)], [(rng.choice(crowd), rng.choice(slots)) for _ in range(REQUESTS)])
    assert set(codes) == {"ok", "buyer_busy", "slot_full"}
    await check(agenda, slots, codes["ok"])
    left = {slot.id for slot in (await agenda.open_slots(limit=100)).slots if slot.free}
    if left:  # whoever was refused for the slot alone was refused rightly
        assert await agenda.code((await agenda.crowd(1))[0], "bookings.request", slot=left.pop()) == "ok"


async def test_one_slot_and_many_more_than_fit_m2(agenda: Agenda) -> None:
    slot, crowd = await agenda.slot(4), await agenda.crowd(100)
    codes = await race([through(agenda)], [(who, slot) for who in crowd])
    assert codes == {"ok": 5, "slot_full": 95}


async def test_two_processes_on_one_database_m2_m4(agenda: Agenda) -> None:
    """What one process gathers in a batch protects nobody from the other: the locks do."""
    rng = random.Random(5)
    slots, crowd = await slots_of(agenda), await agenda.crowd(30)
    async with another_process(agenda) as other:
        wishes = [(rng.choice(crowd), rng.choice(slots)) for _ in range(REQUESTS)]
        codes = await race([through(agenda), other], wishes)
    assert set(codes) == {"ok", "buyer_busy", "slot_full"}
    await check(agenda, slots, codes["ok"])


async def test_two_processes_each_with_buyers_of_its_own_share_the_seats_of_a_slot_m2(agenda: Agenda) -> None:
    """No buyer asks both, whose lock would put them one after the other: it is the slot's that does."""
    crowd = await agenda.crowd(32)
    async with another_process(agenda) as other:
        for number in range(6):
            slot, here = await agenda.slot(2 * number), through(agenda)
            codes = Counter(
                await asyncio.gather(
                    *(book(who, slot) for own, book in ((crowd[:16], here), (crowd[16:], other)) for who in own)
                )
            )
            assert codes == {"ok": 5, "slot_full": 27}


async def test_the_same_cid_a_hundred_times_in_parallel_is_one_booking_w7(agenda: Agenda) -> None:
    slot, cid = await agenda.slot(4), uuid4()
    replies = await asyncio.gather(*(agenda.book("buyer", slot, cid=cid) for _ in range(100)))
    assert len({reply.booking for reply in replies}) == 1
    assert await agenda.run("bookings") == 1
    assert await agenda.run("cards") == 1


async def test_one_buyer_in_many_slots_at_once_has_one_meeting_m4(agenda: Agenda) -> None:
    slots = [await agenda.slot(4, minutes=60), await agenda.slot(5, who="rival", minutes=60)]
    codes = await race([through(agenda)], [("buyer", slot) for slot in slots * 20])
    assert codes == {"ok": 1, "buyer_busy": 39}


async def test_what_the_constraint_refuses_costs_nobody_else_of_the_batch(agenda: Agenda) -> None:
    slot, crowd = await agenda.slot(4), await agenda.crowd(4)
    for statement in ("poison", "poisoned"):
        await agenda.run(statement)

    async def asked(who: str, topic: str) -> str:
        return await agenda.code(who, "bookings.request", slot=slot, topic=topic)

    codes = await asyncio.gather(*(asked(who, "poison" if number == 1 else "") for number, who in enumerate(crowd)))
    assert codes == ["ok", "buyer_busy", "ok", "ok"]
    assert await agenda.run("bookings") == 3
