"""Entering a meeting from a terminal: a link, its guest, the lobby, the room, the calendar (M8, M9, M11, M14)."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from fairwire.terminal.commands import COMMANDS
from fairwire.terminal.rooms import ROOMS
from tests.harness.node import Running
from tests.meetings.lounge import Lounge
from tests.sdk.test_terminal_meetings import terminal, until


async def test_a_guest_by_link_from_two_terminals_m8_m9_m11(running: Running, tmp_path: Path) -> None:
    lounge = Lounge(running)
    over = await lounge.meeting(-1)
    await lounge.meeting(2)
    async with terminal(running, "sales") as sales, terminal(running, "buyer") as buyer, lounge.browsers() as browser:
        await sales.type("/meetings")
        assert "/meeting-room" in await sales.type("/enter 1")
        link = re.search(r"http\S+", await sales.type("/invite 1"))
        assert link is not None
        assert "invited Sales2" in await sales.type("/invite 1 Sales2")
        said = await sales.type("/invitations 1")
        assert "by Sales 先生, 0 guests" in said
        assert re.search(r"number \d{9} on http://\S+/room", said)
        guest = browser()
        await guest.post(urlsplit(link[0]).path, name="Ana")
        assert "Ana [waiting]" in await until(sales, "Ana", "/lobby 1")
        assert "admitted Ana" in await sales.type("/admit 1")
        assert "refused Ana" in await sales.type("/refuse 1")
        assert "revoked Sales2" in await sales.type("/revoke 2")
        assert "revoked http" in await sales.type("/revoke 1")
        assert (await guest.get(urlsplit(link[0]).path)).state == "revoked"

        await buyer.type("/meetings")
        assert "empty nobody" in await buyer.type("/lobby 1")
        assert "/calendar new" in await buyer.type("/calendar")
        address = await buyer.type("/calendar new")
        assert address == await buyer.type("/calendar")
        assert "saved" in await buyer.type(f"/calendar 1 {tmp_path / 'm.ics'}")
        assert (tmp_path / "m.ics").read_bytes().startswith(b"BEGIN:VCALENDAR")
        await buyer.type("/bookings assigned")
        assert buyer.desk is not None
        number = 1 + [booking.id for booking in buyer.desk.bookings].index(over)
        assert "buyer attended, team unknown" in await buyer.type(f"/came {number} buyer yes")
        assert "buyer attended, team no show" in await buyer.type(f"/came {number} team no")


async def test_what_is_typed_wrong_is_said(running: Running) -> None:
    async with terminal(running, "buyer") as buyer:
        for line in ("/enter", "/invite 1", "/invitations x", "/revoke 1", "/lobby 2", "/admit 1", "/refuse 0", "/came 1 both yes",
                     "/calendar 1", "/calendar 1 x.ics"):  # fmt: skip
            assert (await buyer.type(line)).startswith("error"), line


def test_every_command_of_rooms_is_among_the_commands() -> None:
    assert set(ROOMS) <= set(COMMANDS)
