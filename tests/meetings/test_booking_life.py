"""A booking's life against a model: several parties do what comes to their mind, and both agree on every outcome (M2, M4–M7, M14).

The model knows nothing of rows, locks or SQL: it is the rules in a few lines. Whatever is drawn, the server answers what the model
answers, and afterwards every booking, every seat and every counter is what the model says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fairwire_server.meetings.slot_store import SlotStore
from tests.harness.clock import ManualClock
from tests.harness.node import running_node
from tests.meetings.booth import Booth

TEAM: Final = ("main", "manager", "sales", "sales2")
BUYERS: Final = ("buyer", "buyer2", "third")
HOURS: Final = (0.4, 1.0, 2.0, 30.0)
STEPS: Final = (
    "request",
    "assign",
    "assign",
    "reject",
    "cancel",
    "propose",
    "propose",
    "answer",
    "answer",
    "withdraw",
    "wait",
)
SMALL: Final = st.integers(0, 11)
LIFE: Final = st.lists(st.tuples(st.sampled_from(STEPS), SMALL, SMALL, SMALL), min_size=15, max_size=45)
CALM: Final = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)


@dataclass
class Proposed:
    """A proposal that waits."""

    id: UUID
    slot: int
    team: bool
    expires: float


@dataclass
class Modelled:
    """A booking as the rules have it; times are hours since the example began."""

    id: UUID
    buyer: str
    slot: int
    state: str = "pending"
    receiver: str | None = None
    time_revision: int = 0
    assignment: int = 0
    sequence: int = 0
    proposal: Proposed | None = None


@dataclass
class Model:
    """Slots are numbers; each lasts half an hour."""

    starts: list[float]
    now: float = 0.0
    bookings: list[Modelled] = field(default_factory=list)

    def ends(self, slot: int) -> float:
        return self.starts[slot] + 0.5

    def seats(self, slot: int) -> int:
        live = [one for one in self.bookings if one.state in {"pending", "assigned"}]
        held = [one for one in live if one.proposal and one.proposal.slot == slot and one.proposal.expires > self.now]
        return 5 - sum(one.slot == slot for one in live) - len(held)

    def clash(self, one: int, other: int) -> bool:
        return self.starts[one] < self.ends(other) and self.starts[other] < self.ends(one)

    def busy(self, receiver: str, slot: int, but: Modelled) -> bool:
        return any(
            one is not but and one.state == "assigned" and one.receiver == receiver and self.clash(one.slot, slot)
            for one in self.bookings
        )

    def buyer_busy(self, buyer: str, slot: int, but: Modelled | None = None) -> bool:
        return any(
            one is not but
            and one.buyer == buyer
            and one.state in {"pending", "assigned"}
            and self.clash(one.slot, slot)
            for one in self.bookings
        )

    def assign(self, one: Modelled, receiver: str) -> str:
        if one.state not in {"pending", "assigned"}:
            return "wrong_state"
        if self.now >= self.ends(one.slot):
            return "too_late"
        if one.receiver == receiver:
            return "ok"
        if self.busy(receiver, one.slot, one):
            return "receiver_busy"
        one.state, one.receiver = "assigned", receiver
        one.assignment += 1
        one.sequence += 1
        return "ok"

    def end(self, one: Modelled, state: str) -> str:
        if one.state not in {"pending", "assigned"} or (state == "rejected" and one.state == "assigned"):
            return "wrong_state"
        if one.state == "assigned" and self.now >= self.ends(one.slot):
            return "too_late"
        one.state, one.receiver, one.proposal = state, None, None
        one.sequence += 1
        return "ok"

    def propose(self, one: Modelled, slot: int) -> str:
        if one.state not in {"pending", "assigned"}:
            return "wrong_state"
        if self.now >= self.starts[one.slot]:
            return "too_late"
        if slot == one.slot:
            return "invalid"
        if self.starts[slot] <= self.now:
            return "slot_over"
        waiting, one.proposal = one.proposal, None
        full, busy = self.seats(slot) < 1, self.buyer_busy(one.buyer, slot, one)
        if full or busy:
            one.proposal = waiting
        return "slot_full" if full else "buyer_busy" if busy else "ok"

    def answer(self, one: Modelled, team: bool, accept: bool) -> str:
        waiting = one.proposal
        if waiting is None or waiting.team is team or waiting.expires <= self.now:
            return "no_proposal"
        if not accept:
            one.proposal = None
            return "ok"
        if self.now >= self.starts[one.slot]:
            return "too_late"
        if self.buyer_busy(one.buyer, waiting.slot, one):
            return "buyer_busy"
        receiver = one.receiver
        free = receiver is None or not self.busy(receiver, waiting.slot, one)
        one.slot, one.proposal = waiting.slot, None
        one.time_revision += 1
        one.sequence += 1
        if not free:
            one.state, one.receiver = "pending", None
            one.assignment += 1
            one.sequence += 1
        return "ok"


class Life:
    """The model beside the server."""

    def __init__(self, booth: Booth, clock: ManualClock) -> None:
        self.booth = booth
        self.clock = clock
        self.slots: list[UUID] = []
        self.model = Model([])

    async def begin(self) -> None:
        """An example's own slots, with nothing of the examples before it in their time."""
        self.clock.advance(40 * 3600)
        async with self.booth.running.node.works.begin() as work:  # hundreds of examples are years
            await work.connection.execute("UPDATE session SET expires_at = $1", work.now + timedelta(days=30))
        self.model = Model(list(HOURS))
        self.slots = [await self.booth.slot(hours) for hours in HOURS]

    async def do(self, op: str, numbers: tuple[int, int, int]) -> None:
        """One step on both sides."""
        one, two, three = numbers
        if op == "request":
            await self.request(BUYERS[one % 3], two % 4)
        elif op == "wait":
            self.clock.advance(900)
            self.model.now += 0.25
            await self.booth.running.node.services.proposals.expire()
            for booking in self.model.bookings:
                if booking.proposal is not None and booking.proposal.expires <= self.model.now:
                    booking.proposal = None
        elif self.model.bookings:
            await self.act(op, self.model.bookings[one % len(self.model.bookings)], two, three)

    async def request(self, buyer: str, slot: int) -> None:
        model = self.model
        if model.starts[slot] <= model.now or model.seats(slot) < 1 or model.buyer_busy(buyer, slot):
            return  # what requests are refused for is another test's
        model.bookings.append(Modelled(await self.booth.booking(self.slots[slot], buyer), buyer, slot))

    async def act(self, op: str, one: Modelled, two: int, three: int) -> None:
        call, model = self.call, self.model
        who = one.buyer if three % 2 else "main"
        match op:
            case "assign":
                to = TEAM[two % 4]
                receiver = self.booth.running.ground[to].id
                args = {"booking": one.id, "receiver": receiver, "confirm_unreachable": True}
                assert await call("main", "bookings.assign", **args) == model.assign(one, to)
            case "reject":
                assert await call("main", "bookings.reject", booking=one.id, reason="no") == model.end(one, "rejected")
            case "cancel":
                assert await call(who, "bookings.cancel", booking=one.id, reason="no") == model.end(one, "cancelled")
            case "propose":
                got = await call(who, "bookings.propose", booking=one.id, slot=self.slots[two % 4])
                assert got == model.propose(one, two % 4)
                if got == "ok":
                    kept = (await self.booth.kept("main"))[one.id].proposal
                    assert kept is not None
                    until = min(model.now + 24, model.starts[one.slot], model.starts[two % 4])
                    one.proposal = Proposed(kept.id, two % 4, not three % 2, until)
            case "answer" if one.proposal is not None:
                args = {"proposal": one.proposal.id, "accept": two % 4 > 0}
                assert await call(who, "bookings.answer_proposal", **args) == model.answer(
                    one, not three % 2, two % 4 > 0
                )
            case "withdraw" if one.proposal is not None:
                ours = one.proposal.team is (not three % 2)
                got = await call(who, "bookings.withdraw_proposal", proposal=one.proposal.id)
                assert got == ("ok" if ours else "no_proposal")
                one.proposal = None if ours else one.proposal

    async def call(self, who: str, op: str, **fields: Any) -> str:
        """The outcome; what is temporary is tried again, as clients do: a notice of it is just being sent (N4)."""
        while True:
            if (code := await self.booth.desk.code(who, op, **fields)) != "busy":
                return code

    async def compare(self) -> None:
        """Every booking and every seat."""
        ground = self.booth.running.ground
        for one in self.model.bookings:
            fact = await self.booth.fact(one.id)
            receiver = None if fact.state != "assigned" else fact.receiver
            assert (fact.state, receiver, fact.slot) == (
                one.state, None if one.receiver is None else ground[one.receiver].id, self.slots[one.slot],
            )  # fmt: skip
            counted = (fact.time_revision, fact.assignment, fact.sequence)
            assert counted == (one.time_revision, one.assignment, one.sequence)
        async with self.booth.running.node.works.read() as work:
            seats = await SlotStore().seats(work.connection, self.slots, work.now)
        assert [5 - seats[slot].taken for slot in self.slots] == [self.model.seats(number) for number in range(4)]


@pytest.fixture
async def life(database_url: str, tmp_path: Path) -> AsyncIterator[Life]:
    """A node whose time the test moves."""
    clock = ManualClock()
    async with running_node(database_url, tmp_path, clock) as running:
        booth = Booth(running)
        await booth.add_buyer("third")
        yield Life(booth, clock)


async def live(life: Life, steps: list[tuple[str, int, int, int]]) -> None:
    await life.begin()
    for op, *numbers in steps:
        await life.do(op, (numbers[0], numbers[1], numbers[2]))
    await life.compare()


@settings(
    deadline=None,
    database=None,
    max_examples=15,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=CALM,
)
@given(steps=LIFE)
async def test_server_and_model_agree_on_every_step_m2_m4_m5_m6_m7_m14(
    life: Life, steps: list[tuple[str, int, int, int]]
) -> None:
    await live(life, steps)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(deadline=None, database=None, max_examples=400, print_blob=True, suppress_health_check=CALM)
@given(steps=LIFE)
async def test_server_and_model_agree_at_length_m5(life: Life, steps: list[tuple[str, int, int, int]]) -> None:
    await live(life, steps)
