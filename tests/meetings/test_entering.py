"""M8, M11, M14, M15: entering, inviting, attendance and calendars, as operations of the accounts on both sides."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import icalendar
import pytest
from aiohttp import ClientSession

from fairwire_server.clock import milliseconds
from tests.meetings.lounge import Lounge

OUTSIDERS = {
    "buyer2": "not_found",
    "rival": "not_found",
    "far_main": "not_found",
    "far_buyer": "not_found",
    "exhibit": "forbidden",
}


async def test_receiver_and_buyer_enter_from_24_h_ahead_and_others_as_invited_m8(lounge: Lounge) -> None:
    booking = await lounge.meeting(23.9)
    for who in ("sales", "buyer"):
        entered = await lounge.call(who, "meetings.enter", booking=booking)
        assert entered.address.endswith("/meeting-room")
    assert await lounge.run("entries", booking) == 2
    for who in ("main", "manager"):
        assert await lounge.code(who, "meetings.enter", booking=booking) == "forbidden", who
    assert await lounge.code("sales2", "meetings.enter", booking=booking) == "not_found"
    for who in ("main", "sales2"):
        account = lounge.running.ground[who].id
        await lounge.call("sales", "meetings.invite", booking=booking, account=account)
        await lounge.call(who, "meetings.enter", booking=booking)
    for who, code in OUTSIDERS.items():
        assert await lounge.code(who, "meetings.enter", booking=booking) == code, who


async def test_entering_too_early_too_late_or_what_is_not_on_m8(lounge: Lounge) -> None:
    early, late, pending = (
        await lounge.meeting(24.2),
        await lounge.meeting(-2.6, buyer="buyer2", receiver="sales2"),
        await lounge.meeting(2, receiver=None),
    )
    assert await lounge.code("sales", "meetings.enter", booking=early) == "too_early"
    assert await lounge.code("buyer", "meetings.enter", booking=early) == "too_early"
    assert await lounge.code("buyer2", "meetings.enter", booking=late) == "too_late"
    assert await lounge.code("buyer", "meetings.enter", booking=pending) == "wrong_state"
    with pytest.raises(Exception, match="too_early") as refused:
        await lounge.call("buyer", "meetings.enter", booking=early)
    starts_at = (await lounge.booth.fact(early)).starts_at
    detail: Any = getattr(refused.value, "detail", None)
    assert detail == {"opens_at": milliseconds(starts_at - timedelta(hours=24))}


async def test_who_was_reassigned_away_does_not_enter_any_more_m8(lounge: Lounge) -> None:
    booking = await lounge.meeting()
    await lounge.run("receiver", booking, lounge.running.ground["sales2"].id)
    assert await lounge.code("sales2", "meetings.enter", booking=booking) == "ok"
    assert await lounge.code("sales", "meetings.enter", booking=booking) == "forbidden"


async def test_receiver_and_buyer_invite_and_nobody_else_does_m8(lounge: Lounge) -> None:
    booking, ground = await lounge.meeting(), lounge.running.ground
    for who in ("sales", "buyer"):
        assert await lounge.code(who, "meetings.invite", booking=booking) == "ok"
    for who in ("main", "manager"):
        assert await lounge.code(who, "meetings.invite", booking=booking) == "forbidden"
    for who, code in OUTSIDERS.items():
        assert await lounge.code(who, "meetings.invite", booking=booking) == code
    # a colleague of the exhibitor's that sees bookings; strangers and unknown ones are not told apart
    for whom in ("buyer2", "rival", "far_main", "exhibit", "suspended"):
        assert await lounge.code("sales", "meetings.invite", booking=booking, account=ground[whom].id) == "bad_guest"
    assert await lounge.code("sales", "meetings.invite", booking=booking, account=uuid4()) == "bad_guest"
    assert await lounge.code("buyer", "meetings.invite", booking=booking, account=ground["buyer2"].id) == "bad_guest"
    pending = await lounge.meeting(3, receiver=None)
    assert await lounge.code("buyer", "meetings.invite", booking=pending) == "wrong_state"


async def test_an_invited_colleague_sees_the_meeting_enters_and_can_be_uninvited_m8_m15(lounge: Lounge) -> None:
    booking, sales2 = await lounge.meeting(), lounge.running.ground["sales2"].id
    assert booking not in await lounge.booth.kept("sales2")
    await lounge.call("sales", "meetings.invite", booking=booking, account=sales2)
    assert booking in await lounge.booth.kept("sales2")
    assert [event.booking.id for event in await lounge.told("sales2", "booking")] == [booking]
    shown = await lounge.call("sales2", "meetings.invitations", booking=booking)
    assert [(one.account.id, one.by.id) for one in shown.invitations] == [(sales2, lounge.running.ground["sales"].id)]
    await lounge.call("sales", "meetings.uninvite", booking=booking, account=sales2)
    assert await lounge.code("sales2", "meetings.enter", booking=booking) == "forbidden"
    assert await lounge.code("sales2", "meetings.lobby", booking=booking) == "forbidden"
    assert booking in await lounge.booth.kept("sales2")  # what it has seen stays so, as after a reassignment
    assert await lounge.code("sales", "meetings.uninvite", booking=booking, account=sales2) == "not_found"
    await lounge.call("sales", "meetings.invite", booking=booking, account=sales2)
    assert await lounge.code("sales2", "meetings.enter", booking=booking) == "ok"


async def test_one_command_makes_one_link_and_a_side_has_so_many_m9(lounge: Lounge) -> None:
    booking, cid = await lounge.meeting(), uuid4()
    made = await asyncio.gather(*(lounge.call("sales", "meetings.invite", booking=booking, cid=cid) for _ in range(5)))
    assert len({one.address for one in made}) == 1
    assert await lounge.code("buyer", "meetings.invite", booking=booking) == "ok"
    with pytest.raises(Exception, match="cid_reused"):
        await lounge.call("buyer", "meetings.invite", booking=booking, cid=cid)
    for _ in range(19):
        await lounge.link(booking)
    assert await lounge.code("sales", "meetings.invite", booking=booking) == "invitation_limit"
    await lounge.call("sales", "meetings.revoke_invitation", invitation=made[0].id)
    assert await lounge.code("sales", "meetings.invite", booking=booking) == "ok"


async def test_a_side_sees_and_revokes_its_own_links_only_m9(lounge: Lounge) -> None:
    booking = await lounge.meeting()
    ours, theirs = await lounge.link(booking), await lounge.link(booking, "buyer")
    number = await lounge.run("number", booking)
    for who, own in (("sales", ours), ("main", ours), ("buyer", theirs)):
        shown = await lounge.call(who, "meetings.invitations", booking=booking)
        assert [urlsplit(one.address).path for one in shown.invitations] == [own]
        assert (shown.room_number, urlsplit(shown.room_page).path) == (number, "/room")
    mine = lounge.invitation(theirs).id
    for who in ("sales", "main", "buyer2", "rival", "far_main"):
        assert await lounge.code(who, "meetings.revoke_invitation", invitation=mine) == "not_found"
    for _ in range(2):
        assert await lounge.code("buyer", "meetings.revoke_invitation", invitation=mine) == "ok"
    assert await lounge.code("buyer", "meetings.revoke_invitation", invitation=uuid4()) == "not_found"


async def test_whoever_enters_has_attended_and_all_who_see_the_meeting_are_told_m11(lounge: Lounge) -> None:
    booking = await lounge.meeting()
    assert await lounge.run("attendance", booking) == "unknown unknown"
    for _ in range(2):
        await lounge.call("buyer", "meetings.enter", booking=booking)
    assert await lounge.run("attendance", booking) == "attended unknown"
    for who in ("buyer", "sales", "main", "manager"):
        told = [event.booking for event in await lounge.told(who, "booking")]
        assert [one.buyer_attendance for one in told][-1] == "attended"
        assert sum(one.buyer_attendance == "attended" for one in told) == 1  # news once
    assert (await lounge.booth.kept("main"))[booking].buyer_attendance == "attended"


async def test_attendance_is_said_after_the_slot_and_can_be_corrected_m11(lounge: Lounge) -> None:
    over, now = await lounge.meeting(-1), await lounge.meeting(-0.2, buyer="buyer2", receiver="sales2")
    said: dict[str, Any] = {"booking": over, "side": "buyer", "attendance": "no_show"}
    reply = await lounge.call("sales", "meetings.attendance", **said)
    assert (reply.buyer, reply.team) == ("no_show", "unknown")
    reply = await lounge.call("buyer", "meetings.attendance", booking=over, side="team", attendance="attended")
    assert (reply.buyer, reply.team) == ("no_show", "attended")
    reply = await lounge.call("main", "meetings.attendance", **said | {"attendance": "attended"})
    assert (reply.buyer, reply.team) == ("attended", "attended")
    for who, code in OUTSIDERS.items():
        assert await lounge.code(who, "meetings.attendance", **said) == code
    assert await lounge.code("sales2", "meetings.attendance", **said | {"booking": now}) == "too_early"
    told = [event.booking for event in await lounge.told("buyer", "booking") if event.booking.id == over]
    assert [(one.buyer_attendance, one.team_attendance) for one in told][-3:] == [
        ("no_show", "unknown"), ("no_show", "attended"), ("attended", "attended"),
    ]  # fmt: skip
    pending = await lounge.meeting(-3, receiver=None)
    assert await lounge.code("buyer", "meetings.attendance", **said | {"booking": pending}) == "wrong_state"


async def fetch(lounge: Lounge, path: str, who: str | None = None, **headers: str) -> tuple[int, bytes, Any]:
    """Bytes by HTTP."""
    if who is not None:
        headers["Authorization"] = f"Bearer {lounge.running.ground[who].token}"
    async with ClientSession() as session, session.get(lounge.running.url + path, headers=headers) as reply:
        return reply.status, await reply.read(), reply.headers


async def test_a_meeting_is_a_calendar_file_for_whoever_sees_it_m14(lounge: Lounge) -> None:
    booking = await lounge.meeting(30)
    path = f"/v1/bookings/{booking}/calendar"
    status, data, headers = await fetch(lounge, path, "buyer")
    assert status == 200
    assert headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert headers["Content-Disposition"] == f'attachment; filename="meeting-{booking}.ics"'
    assert "immutable" not in headers["Cache-Control"]
    (event,) = icalendar.Calendar.from_ical(data).events
    fact = await lounge.booth.fact(booking)
    assert fact.starts_at.replace(microsecond=0) == event.DTSTART
    assert (str(event["UID"]), event["SEQUENCE"], str(event["STATUS"])) == (f"{booking}@fairwire", 1, "CONFIRMED")
    assert (await fetch(lounge, path, "buyer", **{"If-None-Match": headers["ETag"]}))[0] == 304
    for who in ("sales", "main"):
        assert (await fetch(lounge, path, who))[0] == 200
    assert [(await fetch(lounge, path, who))[0] for who in ("buyer2", "rival", "sales2", "exhibit", None)] == [
        404,
        404,
        404,
        403,
        401,
    ]


async def feed_path(lounge: Lounge, who: str) -> str:
    """The path of a new feed."""
    made = await lounge.call(who, "meetings.reset_feed")
    return str(urlsplit(made.address).path)


async def ids_in(lounge: Lounge, path: str) -> set[str]:
    """Which bookings a feed names."""
    status, data, _ = await fetch(lounge, path)
    assert status == 200
    return {str(event["UID"]).partition("@")[0] for event in icalendar.Calendar.from_ical(data).events}


async def test_a_feed_holds_the_own_schedule_m14_m15(lounge: Lounge) -> None:
    """A buyer's bookings; of the exhibitor's accounts what they receive or are invited to, not all that main could see."""
    mine, pending = await lounge.meeting(30), await lounge.meeting(50, receiver=None)
    other = await lounge.meeting(70, buyer="buyer2", receiver="sales2")
    await lounge.call("sales2", "meetings.invite", booking=other, account=lounge.running.ground["sales"].id)
    gone, old = await lounge.meeting(90), await lounge.meeting(-24 * 40)
    await lounge.run("cancel", gone)
    expected = {"buyer": {mine, pending}, "sales": {mine, other}, "sales2": {other}, "main": set(), "buyer2": {other}}
    for who, bookings in expected.items():
        assert await ids_in(lounge, await feed_path(lounge, who)) == {str(one) for one in bookings}, who
    assert str(old) not in await ids_in(lounge, await feed_path(lounge, "buyer"))
    await lounge.call("sales2", "meetings.uninvite", booking=other, account=lounge.running.ground["sales"].id)
    assert await ids_in(lounge, await feed_path(lounge, "sales")) == {str(mine)}


async def test_a_feed_s_address_is_shown_again_kept_as_a_digest_and_ends_with_a_reset_m14(lounge: Lounge) -> None:
    await lounge.meeting(30)
    assert (await lounge.call("buyer", "meetings.feed")).address is None
    first = await feed_path(lounge, "buyer")
    assert urlsplit((await lounge.call("buyer", "meetings.feed")).address).path == first
    secret = first.removeprefix("/calendar/").removesuffix(".ics")
    assert len(secret) == 43
    assert secret not in await lounge.run("feed", lounge.running.ground["buyer"].id)
    status, data, headers = await fetch(lounge, first)
    assert (status, headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert (await fetch(lounge, first, **{"If-None-Match": f"W/{headers['ETag']}, x"}))[0] == 304
    assert (await fetch(lounge, first))[1] == data
    second = await feed_path(lounge, "buyer")
    assert (await fetch(lounge, first))[0] == 404
    assert (await fetch(lounge, second))[0] == 200
    for guess in ("x", "A" * 43, "é" * 43, secret[:-1]):
        assert (await fetch(lounge, f"/calendar/{guess}.ics"))[0] == 404
    await lounge.run("state", lounge.running.ground["buyer"].id, "suspended")
    assert (await fetch(lounge, second))[0] == 404
