"""M8, M9: an installation reached by https, whose meetings take place at a room elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientSession

from tests.harness.node import running_node
from tests.meetings.lounge import Lounge

ROOM = "https://meet.example/r/{room}?who={name}&as={role}"
PUBLIC = "https://fair.example"


@pytest.fixture
async def abroad(database_url: str, tmp_path: Path) -> AsyncIterator[Lounge]:
    """The lounge of such a node."""
    async with running_node(database_url, tmp_path, public_url=PUBLIC, room_url=ROOM) as running:
        yield Lounge(running)


async def test_members_and_guests_meet_in_one_room_m8_m9(abroad: Lounge) -> None:
    booking, other = await abroad.meeting(), await abroad.meeting(3)
    made = await abroad.call("sales", "meetings.invite", booking=booking)
    assert made.address.startswith(f"{PUBLIC}/m/")
    path = urlsplit(made.address).path
    member = urlsplit((await abroad.call("buyer", "meetings.enter", booking=booking)).address)
    async with abroad.browsers() as browser:
        guest = browser()
        page = await guest.get(path)
        assert "form-action 'self' https://meet.example;" in page.headers["Content-Security-Policy"]
        assert all("; Secure" in line for line in guest.set_cookies)
        assert guest.set_cookies
        await guest.post(path, name="Ana & Co", origin=PUBLIC)
        await abroad.admit(booking)
        gone = await guest.post(path + "/enter", origin=PUBLIC)
    assert gone.status == 303
    assert gone.headers["Referrer-Policy"] == "no-referrer"
    there = urlsplit(gone.headers["Location"])
    assert (there.netloc, there.path) == (member.netloc, member.path)
    assert parse_qs(there.query) == {"who": ["Ana & Co"], "as": ["guest"]}
    assert parse_qs(member.query)["as"] == ["member"]
    assert path.rpartition("/")[2] not in gone.headers["Location"]
    assert urlsplit((await abroad.call("buyer", "meetings.enter", booking=other)).address).path != member.path


async def test_only_forms_come_without_an_origin_of_ours_w1(abroad: Lounge) -> None:
    """`Origin: null` is what a page without a Referer sends; the API and everything that is no form still refuse it."""
    path = urlsplit((await abroad.call("sales", "meetings.invite", booking=await abroad.meeting())).address).path
    url, headers = abroad.running.url, {"Origin": "null"}
    async with ClientSession() as session:
        for target, body in (
            ("/v1/sign-in", {"json": {}}),
            ("/v1/sign-in", {"data": {"a": "b"}}),
            (path, {"json": {}}),
        ):
            async with session.post(url + target, headers=headers, **body) as reply:
                assert reply.status == 403, target
        async with session.get(url + path, headers=headers) as reply:
            assert reply.status == 403
        async with session.post(url + path, headers=headers, data={"name": "Ana"}, allow_redirects=False) as reply:
            assert reply.status == 303
