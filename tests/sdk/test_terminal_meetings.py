"""Meetings from two terminals: a buyer books, the exhibitor assigns, both arrange another time, the schedule shows it (M4–M7, M15)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from rich.text import Text

import fairwire
from fairwire.terminal.commands import COMMANDS, execute
from fairwire.terminal.desk import Desk
from fairwire.terminal.meetings import MEETINGS, when
from tests.harness.node import Running
from tests.meetings.agenda import Agenda
from tests.meetings.booth import Booth


class Terminal:
    """Types, and keeps what was said."""

    plain = True

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.desk: Desk | None = None

    def say(self, kind: str, text: Text | str = "") -> None:
        self.lines.append(f"{kind} {text.plain if isinstance(text, Text) else text}".strip())

    async def type(self, line: str) -> str:
        """What one command says, without what arrives meanwhile."""
        assert self.desk is not None
        self.lines.clear()
        await execute(self.desk, line)
        return "\n".join(line for line in self.lines if line.split(" ", 1)[0] not in {"new", "notice"})


@asynccontextmanager
async def terminal(running: Running, who: str) -> AsyncIterator[Terminal]:
    async with fairwire.connect(running.url, token=running.ground[who].token) as client:
        it = Terminal()
        it.desk = Desk(client, it)
        yield it


async def until(it: Terminal, word: str, command: str) -> str:
    """Type a command until it says the word: events arrive when they do."""
    async with asyncio.timeout(10):
        while True:
            if word in (said := await it.type(command)):
                return said
            await asyncio.sleep(0)


async def test_a_meeting_from_two_terminals_m4_m5_m6_m7_m15(running: Running) -> None:
    booth = Booth(running)
    await booth.slot(30)
    await booth.slot(32)
    async with terminal(running, "buyer") as buyer, terminal(running, "main") as main:
        await buyer.type("/exhibitors")
        said = await buyer.type("/slots 1")
        assert said.count("at the fair), 5 free") == 2
        assert "booked" in await buyer.type("/book 1 engines")
        said = await main.type("/bookings pending")
        assert "Buyer 先生 motorcycles/BR [pending]" in said
        assert said.count("at the fair)") == 1
        assert (await main.type("/slots")).count("at the fair) not started") == 2
        assert "engines" in said
        assert "counts all 1, pending 1, assigned 0, rejected 0, cancelled 0" in said
        assert "receiver Sales 先生 (no address)" in await main.type("/receivers 1")
        assert "receiver_unreachable" in await main.type("/assign 1 Sales 先")
        assert "received by Sales 先生 room" in await main.type("/assign 1 Sales 先 anyway")
        said = await main.type("/meeting 1")
        assert "[assigned] received by Sales 先生" in said
        assert "receiver Sales 先生, by " in said
        await until(buyer, "received by Sales 先生", "/meetings")
        assert len((await buyer.type("/meeting 1")).splitlines()) == 1, "who has received it is not for buyers"
        assert "buyer proposes" in await buyer.type("/propose 1 2 later please")
        await until(main, "buyer proposes", "/meetings")
        assert "[assigned]" in await main.type("/agree 1")
        said = await buyer.type("/schedule")
        assert "Acme Ltd [assigned]" in said
        assert "[cancelled]" in await buyer.type("/cancel 1 I am ill")
        assert "empty" in await until(main, "empty", "/meetings")
    async with terminal(running, "organiser") as organiser:
        said = await organiser.type("/fair")
        assert "bookings 0 pending, 0 assigned, 0 rejected, 1 cancelled; 0 attended, 0 missed" in said


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("Asia/Shanghai", "(19:00 at the fair)"), ("Pacific/Kiritimati", "(11-25 01:00 at the fair)")],
)
def test_the_fairs_time_stands_beside_the_readers_with_its_day_where_that_differs_m12(
    monkeypatch: pytest.MonkeyPatch, zone: str, shown: str
) -> None:
    starts_at = 1_795_518_000_000  # 2026-11-24T11:00Z
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "UTC")
        time.tzset()
        said = when(starts_at, starts_at + 1_800_000, ZoneInfo(zone))
    time.tzset()
    assert said == f"2026-11-24 11:00–11:30 {shown}"


async def test_a_long_list_of_slots_is_shown_whole_m3(running: Running) -> None:
    first, last = (running.node.clock.now().date() + timedelta(days=days) for days in (2, 4))
    async with terminal(running, "buyer") as buyer, terminal(running, "main") as main:
        assert "planned 144 slots" in await main.type(f"/plan {first}..{last} 00:00-24:00")
        await buyer.type("/exhibitors")
        assert (await buyer.type("/slots 1")).count("at the fair), 5 free") == 144
        assert (await main.type("/slots")).count("0 taken") == 144


async def test_what_is_typed_wrong_is_said(running: Running) -> None:
    async with terminal(running, "buyer") as buyer:
        for line in (
            "/assign 1",
            "/cancel 1 ill",
            "/propose",
            "/slots 9",
            "/book 3",
            "/agree 1",
            "/schedule never",
            "/bookings odd",
        ):
            assert (await buyer.type(line)).startswith("error"), line


async def test_bookings_are_listed_page_by_page_m5(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    agenda = Agenda(running)
    await agenda.fill(await agenda.slot(30))
    monkeypatch.setattr("fairwire.terminal.meetings.PAGE", 2)
    async with terminal(running, "main") as main:
        said = await main.type("/bookings")
        assert said.count("[pending]") == 5
        assert "\nmore" not in said
        monkeypatch.setattr("fairwire.terminal.meetings.LISTED_MOST", 4)
        said = await main.type("/bookings")
        assert said.count("[pending]") == 4
        assert "more only the newest 4 are shown" in said


def test_every_meeting_command_is_among_the_commands() -> None:
    assert set(MEETINGS) <= set(COMMANDS)
