"""Slots by their operations: batches and what they skip, lists and filters, editing and withdrawing, what buyers see (M1–M3, M12)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.harness.clock import ManualClock
from tests.harness.node import running_node
from tests.meetings.agenda import DAY, HALF_HOUR, Agenda

BATCH: dict[str, Any] = {"start": "00:00", "end": "24:00"}


def day_of(ms: int) -> str:
    """The UTC day of an instant."""
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()


async def test_a_batch_keeps_and_reports_what_is_there_m1(agenda: Agenda) -> None:
    await agenda.run("zone", agenda.running.ground.fairs["one"], "UTC")
    same = await agenda.slot(4)
    await agenda.slot(10, minutes=45)
    first, last = day_of(agenda.at(0)), day_of(agenda.at(48))
    reply = await agenda.call("main", "slots.create_batch", first=first, last=last, **BATCH)
    assert reply.created == 96 - 3
    assert [(skip.starts_at, skip.reason) for skip in reply.skipped] == [
        (agenda.at(4), "exists"), (agenda.at(10), "overlaps"), (agenda.at(11), "overlaps"),
    ]  # fmt: skip
    slots = (await agenda.listed(limit=100)).slots
    assert len(slots) == 95
    assert any(slot.id == same for slot in slots)
    assert slots[-1].ends_at == agenda.at(96)  # 24:00


async def test_what_lies_in_the_past_is_reported_m1(agenda: Agenda) -> None:
    await agenda.run("zone", agenda.running.ground.fairs["one"], "UTC")
    today = day_of(agenda.at(0) - DAY)
    reply = await agenda.call("main", "slots.create_batch", first=today, last=today, **BATCH)
    assert {skip.reason for skip in reply.skipped} <= {"past"}
    assert reply.created + len(reply.skipped) == 48


async def test_a_batch_is_bounded_by_what_welcome_tells_m1_w15(agenda: Agenda) -> None:
    limit = agenda.running.node.socket_settings().limits.slot_batch
    first, last = day_of(agenda.at(0)), day_of(agenda.at(48 * (limit // 48 + 1)))
    assert await agenda.code("main", "slots.create_batch", first=first, last=last, **BATCH) == "invalid"
    for wrong in (
        {"last": "2026-02-30"},
        {"start": "25:00"},
        {"start": "T09"},
        {"first": "2026-W1-1"},
        {"start": "24:00"},
        {"last": day_of(agenda.at(-48))},
    ):
        assert (
            await agenda.code("main", "slots.create_batch", **{"first": first, "last": first, **BATCH, **wrong})
            == "invalid"
        )
    assert await agenda.run("slots") == 0


async def test_batches_at_the_same_time_leave_no_overlap_m1(agenda: Agenda) -> None:
    await agenda.run("zone", agenda.running.ground.fairs["one"], "UTC")
    day = day_of(agenda.at(0))
    replies = await asyncio.gather(
        *(
            agenda.call(who, "slots.create_batch", first=day, last=day, minutes=minutes, **BATCH)
            for who in ("main", "manager")
            for minutes in (30, 45, 60)
        )
    )
    assert await agenda.run("overlapping") == 0
    assert sum(reply.created for reply in replies) == await agenda.run("slots")


async def test_the_same_batch_twice_is_one_w7(agenda: Agenda) -> None:
    cid = agenda.context().cid
    day = day_of(agenda.at(48))
    one, two = [
        await agenda.call("main", "slots.create_batch", cid=cid, first=day, last=day, start="09:00", end="18:00")
        for _ in range(2)
    ]
    assert one == two
    assert one.created == 18


async def test_one_slot_that_overlaps_is_refused_m1(agenda: Agenda) -> None:
    await agenda.slot(4)
    assert await agenda.code("main", "slots.create", starts_at=agenda.at(4)) == "slot_taken"
    assert await agenda.code("main", "slots.create", starts_at=agenda.at(3), minutes=31) == "slot_taken"
    assert await agenda.code("main", "slots.create", starts_at=agenda.at(4) + 60_000) == "invalid"
    assert await agenda.code("rival", "slots.create", starts_at=agenda.at(4)) == "ok"


async def test_the_list_is_paged_and_filtered_by_day_m3(agenda: Agenda) -> None:
    await agenda.run("zone", agenda.running.ground.fairs["one"], "UTC")
    for half_hour in (0, 10, 47, 48, 96):
        await agenda.slot(half_hour)
    await agenda.slot(1, who="rival")
    found, after = [], None
    while True:
        page = await agenda.listed(limit=2, after=after)
        found += [(slot.starts_at - agenda.at(0)) // HALF_HOUR for slot in page.slots]
        if (after := page.next) is None:
            break
    assert found == [0, 10, 47, 48, 96]
    day = day_of(agenda.at(48))
    assert [slot.starts_at for slot in (await agenda.listed(first=day, last=day)).slots] == [agenda.at(48)]


async def test_the_states_are_found_as_time_passes_m3(database_url: str, tmp_path: Path) -> None:
    clock = ManualClock()
    async with running_node(database_url, tmp_path, clock) as running:
        agenda = Agenda(running)
        for half_hour in (0, 1, 2):
            await agenda.slot(half_hour)
        clock.advance(agenda.at(1) / 1000 - clock.now().timestamp() + 60)  # one minute into the second

        async def found(state: str) -> list[int]:
            return [slot.starts_at for slot in (await agenda.listed(state=state)).slots]

        origin = agenda.at(-48)
        assert await found("ended") == [origin]
        assert await found("under_way") == [origin + HALF_HOUR]
        assert await found("not_started") == [origin + 2 * HALF_HOUR]
        assert [slot.starts_at for slot in (await agenda.open_slots()).slots] == [origin + 2 * HALF_HOUR]


async def test_editing_gives_another_time_within_the_same_rules_m1_m3(agenda: Agenda) -> None:
    slot = await agenda.slot(4)
    await agenda.slot(6)
    reply = await agenda.call("main", "slots.edit", slot=slot, starts_at=agenda.at(8), minutes=60)
    assert (reply.slot.starts_at, reply.slot.ends_at) == (agenda.at(8), agenda.at(10))
    assert await agenda.code("main", "slots.edit", slot=slot, starts_at=agenda.at(6)) == "slot_taken"
    assert await agenda.code("main", "slots.edit", slot=slot, starts_at=agenda.at(5), minutes=31) == "slot_taken"
    assert await agenda.code("main", "slots.edit", slot=slot, minutes=90) == "ok"
    assert await agenda.code("rival", "slots.edit", slot=slot, minutes=90) == "not_found"


async def test_a_slot_that_nobody_touched_goes_for_good_m3(agenda: Agenda) -> None:
    slot = await agenda.slot(4)
    assert await agenda.code("rival", "slots.withdraw", slot=slot) == "not_found"
    await agenda.call("main", "slots.withdraw", slot=slot)
    assert await agenda.run("slots") == 0
    assert await agenda.code("main", "slots.withdraw", slot=slot) == "not_found"
    await agenda.slot(4)  # the time is free again


async def test_capacity_is_the_active_accounts_m2(agenda: Agenda) -> None:
    await agenda.slot(4)
    cast = agenda.running.ground
    assert (
        await agenda.listed()
    ).capacity == 5  # main, manager, two business, exhibit; the suspended one does not count
    assert (await agenda.open_slots()).slots[0].free == 5
    await agenda.run("receivers_only", cast.fairs["one"])
    assert (await agenda.listed()).capacity == 4
    await agenda.run("state", cast["sales"].id, "disabled")
    assert (await agenda.open_slots()).slots[0].free == 3


async def test_fair_time_and_own_time_stand_side_by_side_m12(agenda: Agenda) -> None:
    await agenda.slot(2)
    plain = (await agenda.open_slots()).slots[0]
    assert plain.own_start == plain.fair_start
    assert plain.fair_start.endswith("T09:00+08:00")
    await agenda.run("own_zone", agenda.running.ground["buyer"].id, "America/Sao_Paulo")
    reply = await agenda.open_slots()
    assert (reply.fair_zone, reply.own_zone) == ("Asia/Shanghai", "America/Sao_Paulo")
    assert reply.slots[0].own_start.endswith("T22:00-03:00")  # 11 hours behind Beijing
    apart = datetime.fromisoformat(reply.slots[0].fair_start) - datetime.fromisoformat(reply.slots[0].own_start)
    assert apart == timedelta()  # the same instant
    other = await agenda.open_slots(time_zone="Asia/Kathmandu")
    assert other.slots[0].own_end.endswith("T07:15+05:45")
    for wrong in ("Mars/Olympus", "../../etc/passwd", ""):
        assert (
            await agenda.code(
                "buyer", "slots.open", exhibitor=agenda.running.ground.exhibitors["acme"], time_zone=wrong
            )
            == "invalid"
        )
