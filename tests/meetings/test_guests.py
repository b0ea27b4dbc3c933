"""M9: links, room numbers and the lobby, as guests and their hosts meet them. A GET never acts (N8)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from fairwire_server.meetings.links import Invitation
from tests.harness.until import until
from tests.meetings.lounge import Browser, Lounge, Page


async def knocked(browser: Browser, path: str, name: str, *, follow: bool = True) -> Page:
    """Say a name; who is told that the server is busy tries again."""
    while (page := await browser.post(path, name=name, follow=follow)).status == 503:
        pass
    return page


async def waited_on(lounge: Lounge, who: str, count: int) -> list[Any]:
    """Notices of waiting guests, once there are so many of them."""

    async def notices() -> list[Any]:
        return [one for one in await lounge.told(who, "notice") if one.kind == "guest_waiting"]

    async def all_of_them() -> bool:
        return len(await notices()) >= count

    await until(all_of_them)
    return await notices()


async def test_a_guest_says_a_name_waits_is_admitted_and_enters_m9_m11(lounge: Lounge) -> None:
    booking = await lounge.meeting()
    path = await lounge.link(booking)
    async with lounge.browsers() as browser:
        guest = browser()
        first = await guest.get(path)
        assert (first.status, first.state) == (200, "open")
        assert "Meeting with Acme Ltd" in first.words
        waiting = await guest.post(path, name="  Ana \u202e Souza ")
        assert waiting.state == "waiting"
        assert await lounge.guests(booking) == [("Ana Souza", "waiting")]
        assert await lounge.guests(booking, "buyer") == []  # the other side's lobby is not this one's
        kept_out = await guest.post(path + "/enter")
        assert (kept_out.status, kept_out.state) == (403, "waiting")
        await lounge.admit(booking)
        assert (await guest.get(path)).state == "admitted"
        assert '"admitted"' in (await guest.get(path + "/state")).text
        gone = await guest.post(path + "/enter")
        assert gone.status == 303
        assert gone.headers["Location"].endswith("/meeting-room")
        assert await lounge.run("attendance", booking) == "unknown attended"
        inside = await guest.get("/meeting-room")
        assert inside.state == "inside"


async def test_the_side_that_invited_hears_of_its_guest_and_the_other_does_not_m9(lounge: Lounge) -> None:
    booking = await lounge.meeting()
    await lounge.call("sales", "meetings.invite", booking=booking, account=lounge.running.ground["sales2"].id)
    path = await lounge.link(booking)
    async with lounge.browsers() as browser:
        await browser().post(path, name="Ana")
    for who in ("sales", "sales2", "main", "manager"):
        (lobby,) = await lounge.told(who, "lobby")
        assert (lobby.guest.name, lobby.guest.state, lobby.guest.side) == ("Ana", "waiting", "team")
    for who, count in {"sales": 1, "sales2": 1, "main": 0}.items():
        notices = await waited_on(lounge, who, count)
        assert all((one.booking, one.about.name) == (booking, "Ana") for one in notices)
    for who in ("buyer", "rival", "suspended"):
        assert await lounge.told(who, "lobby") == []
    await lounge.admit(booking, "manager")
    assert [event.guest.state for event in await lounge.told("sales", "lobby")] == ["waiting", "admitted"]


async def test_only_a_member_of_the_side_that_invited_admits_m9(lounge: Lounge) -> None:
    booking = await lounge.meeting()
    path = await lounge.link(booking, "buyer")
    async with lounge.browsers() as browser:
        await browser().post(path, name="Ana")
    (guest,) = (await lounge.call("buyer", "meetings.lobby", booking=booking)).guests
    refusals = {"sales": "not_found", "main": "not_found", "sales2": "not_found", "buyer2": "not_found", "rival": "not_found",
                "far_main": "not_found", "exhibit": "forbidden"}  # fmt: skip
    for who, code in refusals.items():
        assert await lounge.code(who, "meetings.admit", guest=guest.id) == code, who
    assert await lounge.guests(booking, "buyer") == [("Ana", "waiting")]
    await lounge.admit(booking, "buyer")
    assert await lounge.guests(booking, "buyer") == [("Ana", "admitted")]


@pytest.mark.parametrize(
    ("hours", "state", "words"), [(30, "early", "too early"), (24.01, "early", "too early"), (-2.6, "late", "over")]
)
async def test_too_early_and_too_late_say_so_m9(lounge: Lounge, hours: float, state: str, words: str) -> None:
    booking = await lounge.meeting(hours)
    path = await lounge.own_link(booking, "team")
    async with lounge.browsers() as browser:
        guest = browser()
        page = await guest.get(path)
        assert (page.status, page.state) == (200, state)
        assert words in page.words
        assert ("data-until" in page.text) == (state == "early")
        assert (await guest.post(path, name="Ana")).state == state
        assert (await guest.post(path + "/enter")).status == 403
    assert await lounge.run("guests") == 0
    assert guest.set_cookies == []


async def test_links_hold_from_24_h_ahead_to_2_h_after_m9(lounge: Lounge) -> None:
    async with lounge.browsers() as browser:
        for hours in (23.99, 0.6, -0.4, -2.4):
            path = await lounge.own_link(await lounge.meeting(hours), "buyer")
            assert (await browser().get(path)).state == "open", hours


async def test_a_link_sent_before_a_move_shows_the_new_time_and_holds_m9(lounge: Lounge) -> None:
    booking = await lounge.meeting(1)
    path = await lounge.link(booking)
    async with lounge.browsers() as browser:
        before = await browser().get(path)
        await lounge.run("move", booking, timedelta(hours=48))
        moved = await browser().get(path)
        assert moved.state == "early"
        assert moved.words != before.words
        await lounge.run("move", booking, timedelta(hours=-47))
        assert (await browser().get(path)).state == "open"


async def test_revoked_cancelled_and_guessed_links_let_nobody_in_m9(lounge: Lounge) -> None:
    booking, other = await lounge.meeting(), await lounge.meeting(3, buyer="buyer2", receiver="sales2")
    path = await lounge.link(booking)
    invitation = lounge.invitation(path)
    forged = [
        Invitation(uuid4(), booking, "team"),  # signed by us, and no row
        Invitation(invitation.id, other, "team"),  # another meeting
        Invitation(invitation.id, booking, "buyer"),  # another side
    ]
    async with lounge.browsers() as browser:
        waiting, admitted = browser(), browser()
        await admitted.post(path, name="In")
        await lounge.admit(booking)
        await waiting.post(path, name="Out")
        for one in forged:
            page = await browser().get("/m/" + lounge.links.token(one))
            assert (page.status, page.state) == (404, "unknown")
            assert (await browser().post("/m/" + lounge.links.token(one), name="Eve")).status == 404
        for guess in ("x", "A" * 66, path[3:-1] + ("A" if path[-1] != "A" else "B"), "%00", "a" * 5000):
            assert (await browser().get(f"/m/{guess}")).status in {400, 404}
        await lounge.call("sales", "meetings.revoke_invitation", invitation=invitation.id)
        assert await lounge.guests(booking) == [("In", "admitted"), ("Out", "refused")]
        for one in (browser(), waiting, admitted):
            page = await one.get(path)
            assert (page.status, page.state) == (410, "revoked")
            assert (await one.post(path, name="Eve")).status == 410
            assert (await one.post(path + "/enter")).status == 403
        second = await lounge.link(booking)
        await lounge.run("cancel", booking)
        assert (await browser().get(second)).state == "off"
        assert (await browser().post(second, name="Eve")).state == "off"
    assert await lounge.run("guests") == 2


async def test_a_hundred_prefetches_change_nothing_n8(lounge: Lounge) -> None:
    booking = await lounge.meeting()
    path = await lounge.link(booking)
    guest_path = path + "/state"
    events = [len(await lounge.told(who, "lobby")) for who in ("sales", "main")]
    async with lounge.browsers() as browser:
        await asyncio.gather(
            *(browser().get(one) for one in (path, guest_path, path + "/enter", "/room") for _ in range(25))
        )
        admitted = browser()
        await admitted.post(path, name="Ana")
        await lounge.admit(booking)
        await asyncio.gather(*(admitted.get(path) for _ in range(100)))
    assert await lounge.run("guests") == 1
    assert await lounge.run("attendance", booking) == "unknown unknown"
    assert [len(await lounge.told(who, "lobby")) for who in ("sales", "main")] == [count + 2 for count in events]


async def test_one_browser_is_one_guest_however_often_it_asks_m9(lounge: Lounge) -> None:
    """A hundred replays in parallel, from the same browser."""
    booking = await lounge.meeting()
    path = await lounge.link(booking)
    async with lounge.browsers() as browser:
        guest = browser()
        await guest.get(path)
        pages = await asyncio.gather(*(knocked(guest, path, "Ana", follow=False) for _ in range(100)))
        assert {page.status for page in pages} == {303}
        assert await lounge.guests(booking) == [("Ana", "waiting")]
        await guest.post(path, name="Ana Souza")
        assert await lounge.guests(booking) == [("Ana Souza", "waiting")]
    assert len(await waited_on(lounge, "sales", 1)) == 1


async def test_entering_a_hundred_times_at_once_is_one_entrance_m9_m11(lounge: Lounge) -> None:
    """And prefetching with whatever changes nothing is none: a scanner may ask by HEAD too (N8)."""
    booking = await lounge.meeting()
    path = await lounge.link(booking)
    async with lounge.browsers() as browser:
        guest = browser()
        await guest.post(path, name="Ana")
        await lounge.admit(booking)
        for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
            answers = [await guest.ask(method, one) for one in (path, f"{path}/enter")]
            assert [one.status for one in answers] == [200 if method == "HEAD" else 405, 405]
        assert await lounge.run("attendance", booking) == "unknown unknown"
        pages = await asyncio.gather(*(knocked(guest, f"{path}/enter", "Ana", follow=False) for _ in range(100)))
        assert {page.status for page in pages} == {303}
        assert len({page.headers["Location"] for page in pages}) == 1
    told = [event.booking.team_attendance for event in await lounge.told("buyer", "booking")]
    assert told.count("attended") == 1


async def test_a_guest_of_one_meeting_is_nobody_at_another_m9(lounge: Lounge) -> None:
    """Of the same exhibitor, of another one, of another fair: a browser that brings its cookie there has not been let in there."""
    here = await lounge.meeting()
    path = await lounge.link(here)
    others = [
        await lounge.own_link(await lounge.meeting(3), "team"),
        await lounge.own_link(
            await lounge.meeting(1, exhibitor="rival", receiver="rival_sales", buyer="buyer2"), "buyer"
        ),
        await lounge.own_link(await lounge.meeting(1, exhibitor="far", receiver="far_main", buyer="far_buyer"), "team"),
    ]
    async with lounge.browsers() as browser:
        guest = browser()
        await guest.post(path, name="Ana")
        await lounge.admit(here)
        for other in others:
            guest.cookies[other] = guest.cookies[path]
            assert (await guest.get(other)).state == "open"
            assert (await guest.post(f"{other}/enter")).status == 403
        (known,) = (await lounge.call("sales", "meetings.lobby", booking=here)).guests
        assert (await browser().get(f"/room/{known.id}")).status == 404
        assert await lounge.guests(here, "buyer") == []
    assert await lounge.run("guests") == 1


async def test_a_link_admits_ten_also_when_all_come_at_once_m9(lounge: Lounge) -> None:
    booking = await lounge.meeting()
    path = await lounge.link(booking)
    async with lounge.browsers() as browser:
        pages = await asyncio.gather(*(knocked(browser(), path, f"G{n}") for n in range(25)))
        assert sorted(page.state for page in pages) == ["full"] * 15 + ["waiting"] * 10
        assert {page.status for page in pages} == {200, 409}
        await lounge.admit(booking)
        assert [state for _, state in await lounge.guests(booking)] == ["admitted"] * 10
        (first, *_) = (await lounge.call("sales", "meetings.lobby", booking=booking)).guests
        await lounge.call("sales", "meetings.admit", guest=first.id, admit=False)
        assert (await browser().post(path, name="Eleven")).state == "waiting"  # a refused guest has left its place
        assert await lounge.code("sales", "meetings.admit", guest=first.id) == "guest_limit"
        another = await lounge.link(booking)
        assert (await browser().post(another, name="Twelve")).state == "waiting"


async def test_a_refused_guest_may_be_let_in_after_all_m9(lounge: Lounge) -> None:
    booking = await lounge.meeting()
    path = await lounge.own_link(booking, "buyer")
    async with lounge.browsers() as browser:
        guest = browser()
        await guest.post(path, name="Ana")
        await lounge.admit(booking, "buyer", admit=False)
        assert (await guest.get(path)).state == "refused"
        assert (await guest.post(path, name="Ana again")).state == "refused"
        assert (await guest.post(path + "/enter")).status == 403
        await lounge.admit(booking, "buyer")
        assert (await guest.get(path)).state == "admitted"


async def test_a_room_number_leads_to_the_lobby_only_m9(lounge: Lounge) -> None:
    booking = await lounge.meeting()
    number = await lounge.run("number", booking)
    async with lounge.browsers() as browser:
        guest = browser()
        assert (await guest.get("/room")).state == "room"
        typed = f"{number[:3]} {number[3:6]}-{number[6:]}"
        page = await guest.post("/room", number=typed, name="Ana", side="team")
        assert page.state == "waiting"
        assert "Acme" not in page.text  # a number can be guessed: it tells nothing until somebody opens
        assert await lounge.guests(booking) == [("Ana", "waiting")]
        room = next(path for path in guest.cookies if path == "/room")
        assert room == "/room"
        lobby = (await lounge.call("sales", "meetings.lobby", booking=booking)).guests
        await lounge.admit(booking)
        own = f"/room/{lobby[0].id}"
        assert (await guest.get(own)).state == "admitted"
        assert "Acme Ltd" in (await guest.get(own)).words
        assert (await browser().get(own)).status == 404  # another browser is not this guest
        assert (await browser().post(own + "/enter")).status in {403, 404}
        assert (await guest.post(own + "/enter")).status == 303


async def test_numbers_that_lead_nowhere_are_all_answered_alike_m9(lounge: Lounge) -> None:
    early, late = await lounge.meeting(30), await lounge.meeting(-2.6, buyer="buyer2", receiver="sales2")
    full = await lounge.meeting(1, exhibitor="rival", receiver="rival_sales")
    async with lounge.browsers() as browser:
        number = await lounge.run("number", full)
        for n in range(10):
            assert (await browser().post("/room", number=number, name=f"G{n}", side="buyer")).state == "waiting"
        numbers = [await lounge.run("number", booking) for booking in (early, late, full)] + ["000000000"]
        pages = [await browser().post("/room", number=number, name="Eve", side="buyer") for number in numbers]
        texts = {page.text.replace(number, "") for page, number in zip(pages, numbers, strict=True)}
        assert {page.status for page in pages} == {404}
        assert len(texts) == 1
        wrong = await browser().post("/room", number="12345", name="Eve", side="buyer")
        assert (wrong.status, "nine digits" in wrong.words) == (422, True)
        nameless = await browser().post("/room", number="000000000", name=" ", side="buyer")
        assert nameless.status == 422


async def test_guessing_numbers_is_throttled_by_address_and_right_ones_are_not_m9(lounge: Lounge) -> None:
    booking = await lounge.meeting()
    number = await lounge.run("number", booking)
    async with lounge.browsers() as browser:
        guest = browser()
        for _ in range(20):
            assert (await guest.post("/room", number=number, name="Ana", side="team")).state == "waiting"
        pages = await asyncio.gather(
            *(browser().post("/room", number=f"{n:09}", name="Eve", side="team") for n in range(30))
        )
        assert sorted({page.status for page in pages}) == [404, 429]
        assert [page.status for page in pages].count(404) == 10
        slow = await guest.post("/room", number=number, name="Ana", side="team")
        assert slow.status == 429
        assert int(slow.headers["Retry-After"]) > 0


async def test_pages_keep_what_is_secret_to_themselves_m9(lounge: Lounge) -> None:
    booking = await lounge.meeting()
    path = await lounge.link(booking)
    async with lounge.browsers() as browser:
        guest = browser()
        page = await guest.get(path)
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        policy = page.headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "<script>" not in page.text
        assert "style=" not in page.text
        (cookie,) = guest.set_cookies
        assert f"Path={path}" in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Secure" not in cookie  # this server is reached by http
        await guest.post(path, name="Ana")
        value = guest.cookies[path].partition("=")[2]
        assert value not in await lounge.run("cookies")
        foreign = await guest.post(path, name="Ana", origin="https://evil.example")
        assert foreign.status == 403


async def test_pages_speak_chinese_and_english_and_fair_time_m9_m12(lounge: Lounge) -> None:
    booking = await lounge.meeting(30)
    path = await lounge.own_link(booking, "team")
    await lounge.run("zone", "Australia/Lord_Howe")
    async with lounge.browsers() as browser:
        chinese = await browser("zh-CN,zh;q=0.9,en;q=0.8").get(path)
        english = await browser("fr, en;q=0.5").get(path)
    assert 'lang="zh"' in chinese.text
    assert "现在还不能进入" in chinese.words
    assert "与acme公司的洽谈" in chinese.words
    assert 'lang="en"' in english.text
    assert "Fair time" in english.words
    assert "Australia/Lord_Howe, GMT+1" in english.words


async def test_own_links_are_made_once_and_anew_after_a_revocation_m9(lounge: Lounge) -> None:
    booking = await lounge.meeting()
    first = await asyncio.gather(*(lounge.own_link(booking, "team") for _ in range(10)))
    assert len(set(first)) == 1
    assert first[0] != await lounge.own_link(booking, "buyer")
    shown = await lounge.call("sales", "meetings.invitations", booking=booking)
    assert [(one.by, one.address.endswith(first[0])) for one in shown.invitations] == [(None, True)]
    await lounge.call("sales", "meetings.revoke_invitation", invitation=lounge.invitation(first[0]).id)
    assert await lounge.own_link(booking, "team") != first[0]


async def test_a_form_that_is_none_is_refused_and_nothing_is_kept(lounge: Lounge) -> None:
    path = await lounge.link(await lounge.meeting())
    async with lounge.browsers() as browser:
        assert (await browser().post(path, name="x" * 61)).status == 422
        assert (await browser().post(path, name="\u200b")).status == 422
        assert (await browser().post(path)).status == 422
        assert (await browser().post(path, name="x" * 10_000)).status == 413
        assert (await browser().post("/room", number="123456789", name="Ana", side="both")).status == 422
        assert (await browser().get(f"/room/{UUID(int=5)}")).status == 404
        assert (await browser().get("/room/none")).status == 404
    assert await lounge.run("guests") == 0
