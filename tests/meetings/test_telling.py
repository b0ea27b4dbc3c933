"""What is told of a booking, and to whom: the card, the events, and the first state that agrees with them (M6, A7, W3, W5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

import msgspec

from fairwire_protocol.events import BookingChanged
from fairwire_protocol.models import Booking, BookingNote
from fairwire_server.database.work import Work
from fairwire_server.meetings.members import Teams
from fairwire_server.meetings.records import Change
from fairwire_server.streams.told import Draft
from tests.meetings.booth import Booth


async def told(booth: Booth, who: str) -> list[Booking]:
    """The bookings in somebody's stream, oldest first."""
    node, caller = booth.running.node, await booth.desk.caller(who)
    async with node.works.read() as work:
        rows = await work.connection.fetch(
            "SELECT type, body FROM account_event WHERE account_id = $1 ORDER BY pos", caller.account
        )
    return [
        msgspec.msgpack.decode(row["body"], type=BookingChanged).booking for row in rows if row["type"] == "booking"
    ]


async def test_a_request_reaches_the_buyer_and_who_sees_all_bookings_a7(booth: Booth) -> None:
    booking = await booth.booking(await booth.slot(), topic="engines")
    for who in ("buyer", "main", "manager"):
        [heard] = await told(booth, who)
        assert heard.id == booking
        assert (await booth.kept(who))[booking] == heard
    for who in ("sales", "exhibit", "buyer2", "rival", "organiser"):
        assert await told(booth, who) == []
        assert await booth.kept(who) == {}


async def test_own_is_what_an_account_receives_or_received_once_a7(booth: Booth) -> None:
    booking = await booth.booking(await booth.slot())
    sales, sales2 = booth.running.ground["sales"].id, booth.running.ground["sales2"].id
    node = booth.running.node
    async with node.works.begin() as work:
        await work.connection.execute(booth.sql["receiver"], booking, 1, sales, work.now)
        await work.connection.execute(booth.sql["receiver"], booking, 2, sales2, work.now)
        await node.services.telling.told_again(work, [booking])
    for who in ("sales", "sales2"):
        assert [heard.id for heard in await told(booth, who)] == [booking]
        assert list(await booth.kept(who)) == [booking]


async def test_the_card_opens_no_chat_and_moves_no_marker_c1_w9(booth: Booth) -> None:
    booking = await booth.booking(await booth.slot(), topic="engines")
    for who in ("buyer", "main"):
        [entry] = (await booth.first(who)).recent.entries
        assert entry.last is not None
        assert entry.last.booking == BookingNote(
            booking=booking,
            change="requested",
            starts_at=(await booth.kept(who))[booking].starts_at,
            ends_at=(await booth.kept(who))[booking].ends_at,
            topic="engines",
        )
        assert not entry.open
        assert (entry.last_seq, entry.read, entry.received) == (1, 0, 0)


async def test_many_changes_of_one_transaction_share_statements_and_hooks(booth: Booth) -> None:
    """And what is registered is asked once, with all of them, before streams are locked (W4)."""
    slots = [await booth.slot(hours) for hours in (30, 31, 32)]
    bookings = [await booth.booking(slot) for slot in slots]
    asked: list[object] = []

    async def notify(_: Work, changes: Sequence[Change], __: Teams) -> Sequence[Draft]:
        asked.append([change.after.id for change in changes])
        return ()

    async def seat_freed(_: Work, freed: Collection[UUID]) -> Sequence[Draft]:
        asked.append(list(freed))
        return ()

    node, buyer = booth.running.node, booth.running.ground["buyer"]
    telling = node.services.telling
    telling.notify, telling.seat_freed = notify, seat_freed
    async with node.works.begin() as work:
        facts = await booth.store.lock(work.connection, bookings)
        after = [
            replace(fact, state="cancelled", reason="ill", ended_by="buyer", sequence=1) for fact in facts.values()
        ]
        await booth.store.save(work.connection, after, work.now)
        changes = [
            Change(kind="cancelled", before=facts[one.id], after=one, by=buyer.id, by_name=buyer.name, side="buyer")
            for one in after
        ]
        await telling.tell(work, changes)
    assert asked == [sorted(bookings), sorted(slots)]
    assert [(heard.id, heard.state) for heard in (await told(booth, "main"))[3:]] == [
        (b, "cancelled") for b in sorted(bookings)
    ]
    assert await booth.kept("main") == {}
    conversation = (await booth.row("row", bookings[0]))["conversation_id"]
    notes = [msgspec.json.decode(row["detail"], type=BookingNote) for row in await booth.rows("messages", conversation)]
    assert [note.change for note in notes] == ["requested"] * 3 + ["cancelled"] * 3
    assert {note.reason for note in notes[3:]} == {"ill"}
