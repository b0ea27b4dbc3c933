"""Slots, requests and places against a model: whatever is done in whatever order, seats add up and the line is kept (M2–M4, M13).

The model knows no transactions and no locks: a capacity, who has a booking, who stands in line, for whom a seat is held.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest

from tests.harness.clock import ManualClock
from tests.harness.node import running_node
from tests.meetings.agenda import Agenda

CAPACITY = 5
HOLD_S = 900
STEPS = 90


@dataclass
class Model:
    """One slot."""

    booked: set[str] = field(default_factory=set)
    line: list[str] = field(default_factory=list)
    held: dict[str, float] = field(default_factory=dict)
    """For whom a seat is held, and until when."""

    def is_open_to_newcomers(self) -> bool:
        """Whether somebody who does not stand in line finds a seat."""
        return len(self.booked) + len(self.held) + len(self.line) < CAPACITY

    def pass_on(self, now: float) -> None:
        """Free seats go to the first in line."""
        while self.line and len(self.booked) + len(self.held) < CAPACITY:
            self.held[self.line.pop(0)] = now + HOLD_S

    def wait(self, now: float, seconds: float) -> None:
        """Time passes, in steps in which whatever ran out is seen."""
        for who in [who for who, until in self.held.items() if until <= now + seconds]:
            del self.held[who]
        self.pass_on(now + seconds)

    def request(self, who: str) -> str:
        if who in self.booked:
            return "buyer_busy"
        if who in self.held or self.is_open_to_newcomers():
            self.held.pop(who, None)
            self.booked.add(who)
            return "ok"
        return "slot_full"

    def stand(self, who: str) -> str:
        if who in self.booked:
            return "buyer_busy"
        if who in self.held or who in self.line:
            return "ok"
        if self.is_open_to_newcomers():
            return "slot_not_full"
        self.line.append(who)
        return "ok"

    def answer(self, who: str, accept: bool, now: float) -> str:
        if who not in self.held:
            return "no_place"
        del self.held[who]
        if accept:
            self.booked.add(who)
        else:
            self.pass_on(now)
        return "ok"

    def leave(self, who: str, now: float) -> str:
        if who in self.line:
            self.line.remove(who)
        elif who in self.held:
            del self.held[who]
            self.pass_on(now)
        else:
            return "no_place"
        return "ok"

    def end(self, who: str, now: float) -> None:
        self.booked.discard(who)
        self.pass_on(now)


class Play:
    """The same done to the node and to the model."""

    def __init__(self, agenda: Agenda, clock: ManualClock, slot: UUID) -> None:
        self.agenda, self.clock, self.slot = agenda, clock, slot
        self.model = Model()
        self.places: dict[str, UUID] = {}
        self.seen: Counter[str] = Counter()

    async def step(self, rng: random.Random, crowd: list[str]) -> None:
        """One act of somebody, chosen so that most of them mean something."""
        who, now = rng.choice(crowd), self.clock.monotonic()
        act = rng.choice(
            ["request"] * 4 + ["stand"] * 4 + ["accept", "accept", "decline", "leave", "end", "end", "time"]
        )
        code = "ok"
        match act:
            case "request":
                code = await self.agenda.code(who, "bookings.request", slot=self.slot)
                assert code == self.model.request(who)
            case "stand":
                code = await self.agenda.code(who, "bookings.wait", slot=self.slot)
                assert code == self.model.stand(who)
            case "accept" | "decline" | "leave":
                code = await self.place_act(who, act, now)
            case "end":
                who = rng.choice(sorted(self.model.booked) or [""])
                if who:
                    await self.agenda.end(who, self.slot)
                    self.model.end(who, now)
            case "time":
                seconds = rng.choice([60.0, 600.0, 1000.0])
                self.clock.advance(seconds)
                await self.agenda.running.node.services.waiting.expire()
                self.model.wait(now, seconds)
        self.seen[f"{act} {code}"] += 1

    async def place_act(self, who: str, act: str, now: float) -> str:
        place = await self.agenda.place_of(who, self.slot)
        if place is None:
            assert who not in self.model.held
            assert who not in self.model.line
            return "nothing"
        if act == "leave":
            code = await self.agenda.code(who, "bookings.leave", place=place.id)
            assert code == self.model.leave(who, now)
        else:
            code = await self.agenda.code(who, "bookings.answer_place", place=place.id, accept=act == "accept")
            assert code == self.model.answer(who, act == "accept", now)
        return code

    async def check(self, crowd: list[str]) -> None:
        """The node shows what the model holds."""
        [listed] = (await self.agenda.listed()).slots
        model = self.model
        counts = (listed.pending, listed.taken, listed.waiting)
        assert counts == (len(model.booked), len(model.booked) + len(model.held), len(model.line))
        for who in crowd:
            place = await self.agenda.place_of(who, self.slot)
            assert (place is not None) == (who in model.held or who in model.line)
            assert (place is not None and place.expires_at is not None) == (who in model.held)


@pytest.fixture
async def timed(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Agenda, ManualClock]]:
    clock = ManualClock()
    async with running_node(database_url, tmp_path, clock) as running:
        yield Agenda(running), clock


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_seats_and_the_line_are_as_the_model_has_them(timed: tuple[Agenda, ManualClock], seed: int) -> None:
    agenda, clock = timed
    crowd = await agenda.crowd(10)
    play = Play(agenda, clock, await agenda.slot(48 * 20))
    rng = random.Random(seed)
    for who in crowd[:CAPACITY]:
        await agenda.book(who, play.slot)
        play.model.request(who)
    for number in range(STEPS):
        await play.step(rng, crowd)
        if number % 6 == 5:
            await play.check(crowd)
    assert play.seen["stand ok"]  # else it proved nothing
    assert await agenda.run("bookings") <= CAPACITY
