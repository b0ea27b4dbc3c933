"""A fair in virtual time: nothing missing, nothing twice, nothing early, whatever happens to workers, clocks and providers (N1–N6)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from fairwire_protocol.errors import Unavailable
from fairwire_server.meetings.records import BookingFact, Change
from fairwire_server.notices.claiming import LEASE_S
from fairwire_server.notices.outcomes import Ended
from fairwire_server.notices.parcels import Parcel, Receipt, TryLater
from fairwire_server.notices.rules import Failure
from tests.harness.clock import ManualClock
from tests.harness.until import until
from tests.notices.draining import Both, Counting, Draining, draining, make_worker
from tests.notices.world import DAY, Team, World

MINUTE = timedelta(minutes=1)
SOON = 15 * MINUTE
PROMISED = ("assigned", "reminder_soon")


def left_by_notice(drain: Draining) -> dict[UUID, list[datetime]]:
    found: dict[UUID, list[datetime]] = {}
    for one in drain.left:
        found.setdefault(one.parcel.reference, []).append(one.at)
    return found


async def ended(world: World) -> list[dict[str, Any]]:
    """Every notice, which must have ended in a named state."""
    notices = await world.notices()
    open_ = [n for n in notices if n["state"] not in ("sent", "failed", "skipped", "unknown")]
    assert not open_, Counter((n["kind"], n["state"]) for n in open_)
    return notices


def judge(notices: list[dict[str, Any]], left: dict[UUID, list[datetime]]) -> None:
    """Sent ones left exactly once, not early and not after their use; nothing else left."""
    by_id = {n["id"]: n for n in notices}
    outside = [n for n in notices if n["channel"] != "in_app"]
    missing = [n for n in outside if n["state"] == "sent" and n["id"] not in left]
    unexpected = [notice for notice in left if by_id[notice]["state"] != "sent"]
    duplicate = [notice for notice, times in left.items() if len(times) > 1]
    early = [n for notice, times in left.items() if times[0] < (n := by_id[notice])["due_at"] - timedelta(seconds=1)]
    useless = [notice for notice, times in left.items() if times[-1] >= by_id[notice]["useless_at"]]
    assert (missing, unexpected, duplicate, early, useless) == ([], [], [], [], [])


async def fair_of(world: World, teams: int, buyers: int) -> tuple[list[Team], list[UUID]]:
    made = [await world.team("domestic" if n % 2 else "overseas") for n in range(teams)]
    return made, [await world.buyer() for _ in range(buyers)]


@pytest.mark.parametrize(
    "count", [60, pytest.param(1_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])], ids=["small", "whole"]
)
async def test_bookings_of_a_fair_over_26_hours_missing_0_duplicate_0_early_0(world: World, count: int) -> None:
    """The whole life: requested, assigned, moved, cancelled, reassigned at random moments; everything accounted for."""
    rng = random.Random(7)
    begin = world.clock.now()
    teams, buyers = await fair_of(world, max(6, count // 25), max(10, count // 25))
    starts = {(t, s) for t in range(len(teams)) for s in range(52)}
    plan = rng.sample(sorted(starts), count)
    buyer_at: set[tuple[UUID, int]] = set()
    async with draining(world) as drain:
        for number, (t, s) in enumerate(plan):
            start = begin + 30 * MINUTE * (s + 1)
            await drain.go(begin + timedelta(hours=8) * number / len(plan))
            if start - world.clock.now() < 20 * MINUTE:
                continue
            buyer = next(b for b in rng.sample(buyers, len(buyers)) if (b, s) not in buyer_at)
            buyer_at.add((buyer, s))
            booking = await world.request(teams[t], buyer, start)
            if rng.random() < 0.9:
                booking = await world.assign(booking, teams[t].sales)
                match rng.randrange(6):
                    case 0:
                        await world.cancel(booking)
                    case 1:
                        await world.assign(booking, teams[t].sales2)
                    case 2:
                        await world.move(booking, begin + 3 * DAY + 30 * MINUTE * number)
                    case _:
                        pass
        await drain.go(begin + 4 * DAY + 30 * MINUTE * count)  # a day after the last one that was moved
        left = left_by_notice(drain)
    notices = await ended(world)
    judge(notices, left)
    assigned = [b for b in world.bookings.values() if b.state == "assigned"]
    reminded = {
        (n["subject_id"], n["recipient_id"], n["time_revision"])
        for n in notices
        if n["kind"] == "reminder_soon" and n["state"] == "sent"
    }
    for booking in assigned:
        assert booking.receiver is not None
        assert (booking.id, booking.receiver, booking.time_revision) in reminded
        assert (booking.id, booking.buyer, booking.time_revision) in reminded
    late = [n["ended_at"] - n["wanted_at"] for n in notices if n["state"] == "sent"]
    assert max(late) <= timedelta(seconds=30)


@pytest.mark.parametrize("down", [MINUTE, 20 * MINUTE, 25 * 60 * MINUTE], ids=["1min", "20min", "25h"])
async def test_down_across_due_times_everything_ends_and_nothing_after_the_beginning_n3(
    world: World, down: timedelta
) -> None:
    begin = world.clock.now()
    teams, buyers = await fair_of(world, 4, 12)
    async with draining(world) as drain:
        for number, buyer in enumerate(buyers):
            booking = await world.request(
                teams[number % 4], buyer, begin + 26 * 60 * MINUTE + 30 * MINUTE * (number // 4)
            )
            await world.assign(booking, teams[number % 4].sales)
        await drain.go(begin + 2 * 60 * MINUTE - MINUTE / 2)
        first = left_by_notice(drain)
    world.clock.advance(down.total_seconds())  # nobody works meanwhile
    async with draining(world) as drain:
        await drain.go(begin + 3 * DAY + DAY)
        second = left_by_notice(drain)
    notices = await ended(world)
    judge(notices, {**first, **second})
    assert not first.keys() & second.keys()
    if down < 20 * MINUTE:
        assert {n["state"] for n in notices if n["kind"] in ("assigned", "reminder_day", "reminder_soon")} == {"sent"}
    if down > DAY:
        assert {n["reason"] for n in notices if n["state"] == "skipped"} >= {"too_late"}


async def test_two_workers_with_wrong_clocks_send_each_notice_once_n4(world: World) -> None:
    """±90 s: what is due is decided by the clock they share, and a lease by the time that passes."""
    begin = world.clock.now()
    teams, buyers = await fair_of(world, 4, 16)
    channels = [Counting("email", world.clock), Counting("sms", world.clock)]

    async def shared(work: object) -> datetime:
        return world.clock.now()

    class Wrong(ManualClock):
        def __init__(self, by: float) -> None:
            super().__init__()
            self._by = by

        def now(self) -> datetime:
            return world.clock.now() + timedelta(seconds=self._by)

        def boottime(self) -> float:
            return world.clock.boottime() + self._by

        async def sleep(self, seconds: float) -> None:
            await world.clock.sleep(seconds)

    workers = [make_worker(world, channels, clock=Wrong(by), present=shared) for by in (90.0, -90.0)]
    async with AsyncExitStack() as stack:
        for worker in workers:
            stack.callback(asyncio.ensure_future(worker.lanes.run()).cancel)
        for number, buyer in enumerate(buyers):
            booking = await world.request(teams[number % 4], buyer, begin + 2 * DAY + 30 * MINUTE * (number // 4))
            await world.assign(booking, teams[number % 4].sales)
        await Both(world, workers).go(begin + 3 * DAY + 6 * 60 * MINUTE)
        left = left_by_notice(Draining(world, channels[0], channels[1], workers[0]))
    judge(await ended(world), left)
    used = await world.fetch(
        "SELECT count(DISTINCT a.worker) AS n FROM notice_attempt a JOIN notice n ON n.id = a.notice_id WHERE n.kind <> 'requested'"
    )
    assert used[0]["n"] == 2, "both have worked"


async def test_a_worker_frozen_while_it_holds_claims_sends_nothing_when_it_wakes_n4(world: World) -> None:
    """Five minutes pass between its claim and its hand-over; another worker has sent by then, flagged."""
    begin = world.clock.now()
    team, buyer = await world.team("overseas"), await world.buyer()
    booking = await world.assign(await world.request(team, buyer, begin + 2 * DAY), team.sales)
    frozen = make_worker(world, [email := Counting("email", world.clock, name="frozen")])
    await frozen.claims.know("frozen", "email", 1e6)
    held, _ = await frozen.claims.claim("frozen", "email", 10)
    assert len(held) == 2
    async with draining(world) as drain:
        await drain.go(begin + 5 * MINUTE)
        sent_meanwhile = left_by_notice(drain)
        for one in held:
            result, _ = await frozen.lanes._hand_over(email, one)
            assert getattr(result, "reason", "sent") == "lease_over"
        assert not email.left
    assert {one.notice.id for one in held} == set(sent_meanwhile)
    notices = {n["id"]: n for n in await world.notices()}
    assert all(notices[one.notice.id]["maybe_duplicate"] for one in held), "a second sending, flagged"
    assert booking.id == held[0].notice.subject_id


async def test_a_late_outcome_changes_nothing_n4(world: World) -> None:
    """An attempt that was given up and is being made again: the first one's word comes late."""
    begin = world.clock.now()
    team, buyer = await world.team("overseas"), await world.buyer()
    await world.assign(await world.request(team, buyer, begin + 2 * DAY), team.sales)
    worker = make_worker(world, [Counting("email", world.clock, name="one")])
    await worker.claims.know("one", "email", 1e6)
    held, _ = await worker.claims.claim("one", "email", 10)
    world.clock.advance(45)
    assert await worker.outcomes.sweep() == 2
    again, _ = await worker.claims.claim("one", "email", 10)
    assert {one.number for one in again} == {2}
    await worker.outcomes.write([Ended(one, Failure(reason="late", final=True), "one") for one in held])
    states = {n["id"]: n["state"] for n in await world.notices()}
    assert {states[one.notice.id] for one in again} == {"claimed"}
    outcomes = await world.fetch("SELECT number, outcome FROM notice_attempt WHERE provider = 'one' ORDER BY number")
    assert Counter((row["number"], row["outcome"]) for row in outcomes) == {(1, "lost"): 2, (2, None): 2}


async def test_a_lost_day_ahead_reminder_is_unknown_a_lost_t15_is_sent_once_more_n4(world: World) -> None:
    begin = world.clock.now()
    team, buyer = await world.team("overseas"), await world.buyer()
    await world.assign(await world.request(team, buyer, begin + 2 * DAY), team.sales)
    world.clock.advance((2 * DAY - SOON).total_seconds())
    async with draining(world):
        pass  # what is too late by now ends
    dead = make_worker(world, [Counting("email", world.clock, name="dead")])
    await dead.claims.know("dead", "email", 1e6)
    await dead.claims.claim("dead", "email", 50)
    async with draining(world) as drain:
        await drain.go(world.clock.now() + MINUTE)
        left = left_by_notice(drain)
    by_kind = {(n["kind"], n["recipient_id"]): n for n in await world.notices() if n["channel"] == "email"}
    for who in (team.sales, buyer):
        assert by_kind["reminder_day", who]["state"] == "unknown"
        assert by_kind["reminder_soon", who]["state"] == "sent"
        assert by_kind["reminder_soon", who]["maybe_duplicate"]
        assert by_kind["reminder_soon", who]["id"] in left


@pytest.mark.parametrize(
    "slots", [4, pytest.param(200, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])], ids=["40", "2000"]
)
async def test_cancel_at_the_due_instant_nothing_for_the_old_time_after_the_ack_n4(world: World, slots: int) -> None:
    """While a claim is being handed over the change is not acknowledged; once it is, nothing leaves any more."""
    begin = world.clock.now()
    teams, buyers = await fair_of(world, 10, 10 * slots)
    acked: dict[UUID, int] = {}
    order: list[tuple[str, UUID]] = []

    async def slow(parcel: Parcel) -> None:
        await asyncio.sleep(0)
        order.append(("left", parcel.reference))

    async with draining(world, email=slow, sms=slow) as drain:
        bookings = []
        for number, buyer in enumerate(buyers):
            start = begin + 2 * DAY + 30 * MINUTE * (number // 10)
            bookings.append(
                await world.assign(await world.request(teams[number % 10], buyer, start), teams[number % 10].sales)
            )
        await drain.go(begin + 2 * DAY - SOON - MINUTE)
        order.clear()

        async def change(number: int) -> None:
            booking = bookings[number]
            while booking.id not in acked:
                with suppress(Unavailable):  # rather than wait so long; a client sends the same again
                    if number % 2:
                        await world.cancel(booking)
                    else:
                        await world.move(booking, booking.starts_at + 5 * DAY)
                    acked[booking.id] = len(order)

        for slot in range(slots):
            due = begin + 2 * DAY - SOON + 30 * MINUTE * slot
            world.clock.advance((due - world.clock.now()).total_seconds())
            drain.worker.lanes.hint()
            await asyncio.gather(*(change(number) for number in range(slot * 10, slot * 10 + 10)))
            await drain.rest()
    reminders = {n["id"]: n for n in await world.notices() if n["kind"] == "reminder_soon" and n["time_revision"] == 0}
    after = [
        notice
        for at, (_, notice) in enumerate(order)
        if notice in reminders and at >= acked[reminders[notice]["subject_id"]]
    ]
    assert not after


async def test_a_mailbox_that_is_busy_for_ever_fails_alone_n5_n6(world: World) -> None:
    begin = world.clock.now()
    victim: list[UUID] = []

    async def busy(parcel: Parcel) -> None:
        if parcel.reference in victim or not victim:
            victim.append(parcel.reference)
            raise TryLater("mailbox_busy")

    async with draining(world, sms=busy) as drain:
        for _ in range(6):
            team = await world.team("domestic")
            await world.assign(await world.request(team, await world.buyer(), begin + 2 * DAY), team.sales)
        await drain.rest()
        assert len(drain.email.left) == 6, "mails did not wait for short messages"
        await drain.go(begin + 2 * DAY + 60 * MINUTE)
    told = Counter(n["state"] for n in await ended(world) if n["channel"] == "sms" and n["kind"] == "assigned")
    assert told == {"sent": 5, "failed": 1}


async def test_a_change_is_not_acknowledged_while_its_notice_is_being_handed_over_n4(world: World) -> None:
    """The mail has been claimed and its bytes are about to leave; the cancellation waits for that, and so comes after it."""
    begin = world.clock.now()
    entered, release = asyncio.Event(), asyncio.Event()
    order: list[str] = []

    async def slow(parcel: Parcel) -> None:
        entered.set()
        await release.wait()
        order.append("left")

    async def cancelled(booking: BookingFact) -> None:
        while True:
            try:
                await world.cancel(booking)
            except Unavailable:  # the server would rather not wait so long; a client sends the same again
                continue
            order.append("acked")
            return

    release.set()
    async with draining(world, email=slow) as drain:
        team, buyer = await world.team("overseas"), await world.buyer()
        booking = await world.assign(await world.request(team, buyer, begin + 2 * DAY), team.sales)
        await drain.go(begin + 2 * DAY - SOON - MINUTE)
        order.clear()
        entered.clear()
        release.clear()
        world.clock.advance(60)
        await entered.wait()
        cancelling = asyncio.ensure_future(cancelled(booking))
        done, _ = await asyncio.wait({cancelling}, timeout=0.5)
        assert not done, "acknowledged, and the reminder still leaves"
        release.set()
        await cancelling
        await drain.rest()
    assert order[:3] == ["left", "left", "acked"]


async def test_what_a_report_plans_while_its_meeting_is_cancelled_does_not_leave_after_the_ack_n4(world: World) -> None:
    """A short message turns out not to have arrived when the cancellation has just taken back what it found."""
    entered, release = asyncio.Event(), asyncio.Event()
    release.set()
    order: list[object] = []

    async def slow(parcel: Parcel) -> None:
        entered.set()
        await release.wait()
        order.append(parcel.reference)

    async with draining(world, email=slow) as drain:
        team, buyer = await world.team(), await world.buyer()
        start = world.clock.now() + 2 * DAY
        booking = await world.assign(await world.request(team, buyer, start), team.sales)
        await drain.go(start - SOON)
        (soon,) = [n for n in await world.notices(team.sales) if (n["kind"], n["channel"]) == ("reminder_soon", "sms")]
        lost = Receipt(
            provider="test-sms", reference=soon["id"].hex, outcome="failed", reason="absent", at=world.clock.now()
        )
        entered.clear()
        release.clear()
        order.clear()
        async with world.database.transaction() as somebody:
            await somebody.execute("SELECT FROM account WHERE id = $1 FOR UPDATE", buyer)
            cancelling = asyncio.ensure_future(world.cancel(booking))
            await until(partial(waiting, world, 1))  # it has taken back what it found, and plans to tell the buyer
            reporting = asyncio.ensure_future(drain.worker.taking_in.take_in([lost]))
            await until(lambda: entered.is_set() or waiting(world, 2))
        await cancelling
        order.append("acknowledged")
        release.set()
        await reporting
        await drain.rest()
    (again,) = [n for n in await world.notices(team.sales) if n["instead_of"] == soon["id"]]
    assert (again["state"], again["reason"]) == ("skipped", "cancelled")
    assert order[0] == "acknowledged"
    assert again["id"] not in order


async def waiting(world: World, transactions: int) -> bool:
    """Whether so many wait for rows that somebody else has."""
    [row] = await world.fetch(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return int(row["count"]) == transactions


async def killed_in_hand(world: World) -> BookingFact:
    """A meeting whose worker was killed with both mails in its hands, longer ago than its lease."""
    held: list[Parcel] = []

    async def hold(parcel: Parcel) -> None:
        held.append(parcel)
        await asyncio.Event().wait()

    async with draining(world, email=hold) as drain:
        team, buyer = await world.team("overseas"), await world.buyer()
        booking = await world.assign(await world.request(team, buyer, world.clock.now() + 2 * DAY), team.sales)
        drain.worker.lanes.hint()
        await until(lambda: len(held) == 2)
    world.clock.advance(LEASE_S + 1)
    return booking


async def test_a_change_waits_for_a_sweep_that_plans_its_notice_anew_n4(world: World) -> None:
    """A sweeper gives a dead worker's mail up in the very moment in which the meeting is cancelled."""
    booking = await killed_in_hand(world)
    (claimed,) = await world.fetch("SELECT id FROM notice WHERE state = 'claimed' AND side = 'buyer'")
    async with world.database.transaction() as sweeper:
        await sweeper.execute("SELECT FROM notice WHERE id = $1 FOR NO KEY UPDATE", claimed["id"])
        with pytest.raises(Unavailable) as refused:
            await world.cancel(booking)
        await sweeper.execute("UPDATE notice SET state = 'planned', lease_until = NULL WHERE id = $1", claimed["id"])
    assert refused.value.code == "busy"
    await world.cancel(booking)
    ended_as = {
        n["side"]: (n["state"], n["reason"])
        for n in await world.notices()
        if n["kind"] == "assigned" and n["channel"] == "email"
    }
    assert ended_as == {"buyer": ("skipped", "cancelled"), "team": ("claimed", None)}


async def test_two_changes_of_a_meeting_at_once_do_not_wait_for_a_dead_worker_n4(world: World) -> None:
    before = await killed_in_hand(world)
    unassigned = replace(before, state="pending", receiver=None, assignment=before.assignment + 1)
    cancelled = replace(unassigned, state="cancelled", ended_by="buyer", reason="ill", sequence=before.sequence + 1)
    change = partial(Change, by=before.buyer, by_name="B", side="buyer")
    await world.tell(
        change(kind="unassigned", before=before, after=unassigned),
        change(kind="cancelled", before=unassigned, after=cancelled),
    )
    assert await world.planned(before.buyer) == {("cancelled", "email"), ("cancelled", "in_app")}


async def test_every_connection_to_the_database_lost_in_mid_burst_n4(world: World) -> None:
    """As in a restart: outcomes wait until it is back, claims that did not commit are made again, and nobody is told twice unflagged."""
    begin = world.clock.now()
    teams, buyers = await fair_of(world, 8, 40)
    parcels: list[UUID] = []

    async def cut(parcel: Parcel) -> None:
        parcels.append(parcel.reference)
        if len(parcels) in (15, 40):
            await world.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    async with draining(world, email=cut, sms=cut) as drain:
        for number, buyer in enumerate(buyers):
            booking = await world.request(teams[number % 8], buyer, begin + 2 * DAY + 30 * MINUTE * (number // 8))
            await world.assign(booking, teams[number % 8].sales)
        await drain.go(begin + 3 * DAY)
        left = left_by_notice(drain)
    notices = {n["id"]: n for n in await world.notices()}
    promised = [n for n in notices.values() if n["kind"] in PROMISED and n["channel"] != "in_app"]
    assert {n["state"] for n in promised if n["reason"] != "budget"} == {"sent"}
    twice = [notices[notice] for notice, times in left.items() if len(times) > 1]
    assert all(n["maybe_duplicate"] for n in twice)
