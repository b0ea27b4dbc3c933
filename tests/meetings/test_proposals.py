"""Another time: proposed, accepted, declined, taken back, run out (M2, M6, M7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from fairwire_protocol.events import Notice
from fairwire_protocol.models import Booking, BookingNote
from fairwire_server.meetings.slot_store import SlotStore
from tests.harness.clock import ManualClock
from tests.harness.node import running_node
from tests.harness.until import until
from tests.meetings.booth import Booth


class Timed(Booth):
    """A booth whose time a test moves."""

    clock: ManualClock


@pytest.fixture
async def booth(database_url: str, tmp_path: Path) -> AsyncIterator[Timed]:
    """A node with a clock that stands still."""
    clock = ManualClock()
    async with running_node(database_url, tmp_path, clock) as running:
        booth = Timed(running)
        booth.clock = clock
        yield booth


async def assigned(booth: Booth, booking: UUID, to: str = "sales") -> Booking:
    args: dict[str, Any] = {"booking": booking, "receiver": booth.running.ground[to].id, "confirm_unreachable": True}
    reply = await booth.desk.call("main", "bookings.assign", **args)
    found: Booking = reply.booking
    return found


async def propose(booth: Booth, who: str, booking: UUID, slot: UUID, **more: Any) -> Booking:
    found: Booking = (await booth.desk.call(who, "bookings.propose", booking=booking, slot=slot, **more)).booking
    assert found.proposal is not None
    return found


async def answer(booth: Booth, who: str, booking: Booking, accept: bool) -> Any:
    assert booking.proposal is not None
    return await booth.desk.call(who, "bookings.answer_proposal", proposal=booking.proposal.id, accept=accept)


async def taken(booth: Booth, slot: UUID) -> int:
    async with booth.running.node.works.read() as work:
        return (await SlotStore().seats(work.connection, [slot], work.now))[slot].taken


async def test_a_proposal_changes_nothing_but_holds_a_seat_m7(booth: Timed) -> None:
    old, new = await booth.slot(48), await booth.slot(50)
    before = await assigned(booth, await booth.booking(old))
    after = await propose(booth, "buyer", before.id, new, note="later?")
    assert msgspec.structs.replace(after, proposal=None, changed_at=0) == msgspec.structs.replace(before, changed_at=0)
    assert after.proposal is not None
    assert (after.proposal.slot, after.proposal.side, after.proposal.note) == (new, "buyer", "later?")
    assert (await taken(booth, old), await taken(booth, new)) == (1, 1)
    for who in ("buyer", "main", "sales"):
        assert (await booth.kept(who))[before.id] == after


async def test_the_other_sides_yes_moves_it_with_its_identity_m6_m7(booth: Timed) -> None:
    old, new = await booth.slot(48), await booth.slot(50)
    before = await assigned(booth, await booth.booking(old))
    after = (await answer(booth, "sales", await propose(booth, "buyer", before.id, new), accept=True)).booking
    assert (after.id, after.slot, after.state, after.receiver) == (before.id, new, "assigned", before.receiver)
    assert after.starts_at == before.starts_at + 2 * 3_600_000
    assert (after.time_revision, after.assignment, after.room_number) == (1, 1, before.room_number)
    assert after.proposal is None
    assert (await taken(booth, old), await taken(booth, new)) == (0, 1)
    assert (await booth.fact(before.id)).sequence == 2
    for who in ("buyer", "main", "sales"):
        assert (await booth.kept(who))[before.id] == after


@pytest.mark.parametrize("who", ["buyer", "main"])
async def test_nobody_answers_the_own_sides_proposal_m7(booth: Timed, who: str) -> None:
    new = await booth.slot(50)
    waiting = await propose(booth, who, await booth.booking(await booth.slot(48)), new)
    assert waiting.proposal is not None
    other = {"buyer": "main", "main": "buyer"}[who]
    args: dict[str, Any] = {"proposal": waiting.proposal.id}
    assert await booth.desk.code(who, "bookings.answer_proposal", accept=True, **args) == "no_proposal"
    assert await booth.desk.code(other, "bookings.withdraw_proposal", **args) == "no_proposal"
    assert (await booth.desk.call(who, "bookings.withdraw_proposal", **args)).booking.proposal is None
    assert await taken(booth, new) == 0
    assert await booth.desk.code(other, "bookings.answer_proposal", accept=True, **args) == "no_proposal"


async def test_a_no_leaves_it_where_it_is_m7(booth: Timed) -> None:
    old, new = await booth.slot(48), await booth.slot(50)
    waiting = await propose(booth, "manager", await booth.booking(old), new)
    after = (await answer(booth, "buyer", waiting, accept=False)).booking
    assert (after.slot, after.time_revision, after.proposal) == (old, 0, None)
    assert await taken(booth, new) == 0


async def test_moved_to_where_its_receiver_is_not_free_it_is_pending_again_m2_m7(booth: Timed) -> None:
    old, new = await booth.slot(48), await booth.slot(50)
    await assigned(booth, await booth.booking(new, "buyer2"))
    before = await assigned(booth, await booth.booking(old))
    reply = await answer(booth, "buyer", await propose(booth, "main", before.id, new), accept=True)
    assert reply.unassigned
    after = reply.booking
    assert (after.state, after.receiver, after.room_number) == ("pending", None, None)
    assert (after.time_revision, after.assignment) == (1, 2)
    rows = await booth.rows("messages", after.conversation)
    notes = [msgspec.json.decode(row["detail"], type=BookingNote) for row in rows]
    assert [note.change for note in notes] == ["requested", "assigned", "moved", "unassigned"]
    again = await assigned(booth, before.id, "sales2")
    assert again.room_number == before.room_number  # kept over reassignments (M9)


async def test_it_runs_out_and_lets_go_of_its_seat_m7(booth: Timed) -> None:
    old, new = await booth.slot(72), await booth.slot(74)
    waiting = await propose(booth, "buyer", await booth.booking(old), new)
    booth.clock.advance(24 * 3600 - 1)
    await booth.running.node.services.proposals.expire()
    assert (await booth.kept("buyer"))[waiting.id].proposal is not None
    booth.clock.advance(1)
    assert waiting.proposal is not None
    args = {"proposal": waiting.proposal.id, "accept": True}
    assert await booth.desk.code("main", "bookings.answer_proposal", **args) == "no_proposal"
    assert await taken(booth, new) == 0
    await booth.running.node.services.proposals.expire()
    assert (await booth.kept("buyer"))[waiting.id].proposal is None


async def test_it_never_waits_past_either_start_m7(booth: Timed) -> None:
    soon, later, sooner = await booth.slot(6), await booth.slot(50), await booth.slot(3)
    booking = await booth.booking(soon)
    first = await propose(booth, "buyer", booking, later)
    assert first.proposal is not None
    assert first.proposal.expires_at == first.starts_at
    second = await propose(booth, "buyer", booking, sooner)
    assert second.proposal is not None
    assert second.proposal.expires_at == second.proposal.starts_at
    assert await taken(booth, later) == 0  # a new one takes the place of the one that waited


async def test_what_cannot_be_proposed_m2_m4_m7(booth: Timed) -> None:
    slot, other = await booth.slot(48), await booth.slot(50)
    booking = await booth.booking(slot)

    async def code(slot: UUID, who: str = "buyer") -> str:
        return await booth.desk.code(who, "bookings.propose", booking=booking, slot=slot)

    assert await code(slot) == "invalid"
    foreign = await booth.slot(50.25, "rival")
    assert await code(foreign) == "not_found"
    assert await code(await booth.slot(-1)) == "slot_over"
    await booth.booking(foreign, exhibitor="rival")
    assert await code(other) == "buyer_busy"
    full = await booth.slot(60)
    for number in range(5):
        await booth.add_buyer(f"extra{number}")
        await booth.booking(full, f"extra{number}")
    assert await code(full) == "slot_full"
    assert await code(other, "sales") == "not_found"


async def test_cancelling_ends_the_question_and_frees_both_seats_m7(booth: Timed) -> None:
    old, new = await booth.slot(48), await booth.slot(50)
    waiting = await propose(booth, "buyer", await booth.booking(old), new)
    reply = await booth.desk.call("buyer", "bookings.cancel", booking=waiting.id, reason="ill")
    assert reply.booking.proposal is None
    assert (await taken(booth, old), await taken(booth, new)) == (0, 0)


async def test_who_may_answer_is_told_in_app_n10(booth: Timed) -> None:
    booking = await booth.booking(await booth.slot(48))
    await propose(booth, "buyer", booking, await booth.slot(50))
    await told(booth, "main", booking)
    await told(booth, "manager", booking)
    assert await noticed(booth, "buyer") == []
    await assigned(booth, booking)
    await propose(booth, "buyer", booking, await booth.slot(52))
    await told(booth, "sales", booking)
    await propose(booth, "sales", booking, await booth.slot(54))
    await told(booth, "buyer", booking)


async def told(booth: Timed, who: str, booking: UUID) -> None:
    """Somebody is told of one proposal, by a worker."""

    async def once() -> bool:
        return await noticed(booth, who) == [booking]

    await until(once)


async def noticed(booth: Timed, who: str) -> list[UUID | None]:
    """Bookings that somebody was told of as proposed anew."""
    async with booth.running.node.works.read() as work:
        rows = await work.connection.fetch(booth.sql["notices"], booth.running.ground[who].id)
    notices = [msgspec.msgpack.decode(row["body"], type=Notice) for row in rows]
    return [notice.booking for notice in notices if notice.kind == "proposed"]
