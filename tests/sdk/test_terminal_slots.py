"""Slots and lines from the terminal: an exhibitor plans, moves, withdraws; a buyer waits for a seat (M1–M3, M13)."""

from __future__ import annotations

from datetime import timedelta

from fairwire.terminal.commands import COMMANDS
from fairwire.terminal.slots import SLOTS
from tests.harness.node import Running
from tests.meetings.agenda import Agenda
from tests.sdk.test_terminal_meetings import terminal, until


async def test_slots_are_planned_moved_and_withdrawn_m1_m3_m12(running: Running) -> None:
    days = [running.node.clock.now().date() + timedelta(days=number) for number in (10, 11, 12)]
    async with terminal(running, "main") as main, terminal(running, "buyer") as buyer:
        assert await main.type("/plan tomorrow 22:00-23:30") == "planned 3 slots"
        assert await main.type("/plan tomorrow 22:30-24:00") == "planned 1 slot\nskipped 2, exists"
        assert await main.type(f"/plan {days[0]}..{days[1]} 09:00") == "planned 2 slots"
        await buyer.type("/exhibitors")
        said = await buyer.type("/slots 1")
        assert said.count("(22:00 at the fair), 5 free") == 1
        assert said.count("(09:00 at the fair), 5 free") == 2
        await main.type("/slots")
        assert (await main.type(f"/move 1 {days[2]} 15:00")).startswith("slot   1 ")
        await main.type("/slots")
        assert (await main.type("/unplan 1")).startswith("ok")
        assert "(15:00 at the fair)" in (said := await buyer.type("/slots 1"))
        assert "(22:00" not in said
        assert "(22:30" not in said


async def test_a_buyer_waits_for_a_full_slot_and_takes_the_seat_m13(running: Running) -> None:
    agenda = Agenda(running)
    slot = await agenda.slot(30)
    async with terminal(running, "buyer") as buyer, terminal(running, "main") as main:
        await buyer.type("/exhibitors")
        await buyer.type("/slots 1")
        assert "slot_not_full" in await buyer.type("/wait 1")
        await agenda.fill(slot)
        assert (await buyer.type("/wait 1 brakes")).startswith("waiting   1 ")
        assert "Acme Ltd" in await buyer.type("/places")
        assert "no_place" in await buyer.type("/sit")
        await until(main, "5", "/meetings")
        await main.type("/cancel 1 we are ill")
        await until(buyer, "a seat is held until", "/places")
        assert "the seat is yours" in await buyer.type("/sit")
        await until(buyer, "[pending]", "/meetings")
        await until(buyer, "you wait for no slot", "/places")


async def test_what_cannot_be_done_is_said(running: Running) -> None:
    async with terminal(running, "main") as main, terminal(running, "buyer") as buyer:
        for line in (
            "/plan",
            "/plan noon 09:00",
            "/plan tomorrow nine",
            "/move 1",
            "/unplan 1",
            "/plan tomorrow 10:00-09:00",
        ):
            assert (await main.type(line)).startswith("error"), line
        for line in ("/plan tomorrow 09:00", "/wait 1", "/sit", "/pass 1", "/unwait"):
            assert (await buyer.type(line)).startswith("error"), line


def test_every_command_of_slots_is_among_the_commands() -> None:
    assert set(SLOTS) <= set(COMMANDS)
