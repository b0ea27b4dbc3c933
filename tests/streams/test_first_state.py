"""W5's property: for random operations and every role, `apply(snapshot₀, events₀..₁) == snapshot₁`.

`apply` is the SDK's reducer, the snapshot the server's, and the events come by every way there is: live, replayed, refilled.
Small lists (K1's 300 is 3 here, K4's 50 is 1) make contacts come and go all the time. A list of operations that fails is shrunk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import fairwire
from fairwire_server.compose import Node
from tests.harness.clock import ManualClock
from tests.harness.node import running_node
from tests.streams.crowd import BUYERS, TEAM, Crowd, gather
from tests.streams.followers import Follower
from tests.streams.world import OPERATIONS, Numbers, World

ROLES: Final = (*TEAM, *BUYERS[:3], "rival_main", "organiser")
LIVE: Final = ("buyer", "main", "sales")
OFTEN: Final = (
    ("buyer_says",) * 8
    + ("team_says",) * 4
    + ("open",) * 4
    + ("transfer", "ask", "answer", "pin", "read") * 2
    + ("slot", "request", "assign") * 6
    + ("propose", "answer_proposal") * 6
    + ("queue", "answer_place", "cancel") * 2
)
RARE: Final = {"suspend", "disable", "promote", "withdraw_slot"}
USUAL: Final = tuple(name for name in OPERATIONS if name not in RARE)
SMALL = st.integers(0, 23)
OPERATION = st.tuples(st.sampled_from((*OFTEN, *USUAL, *USUAL, *sorted(RARE), "check")), st.tuples(SMALL, SMALL, SMALL))
CHECK: Final = ("check", (0, 0, 0))
EACH: Final[list[tuple[str, Numbers]]] = [
    ("open", (0, 0, 1)),
    ("buyer_says", (0, 0, 0)),
    *(step for to in range(len(TEAM)) for step in (("transfer", (0, to, 2)), ("team_says", (0, 0, 0)))),
    *(step for who in range(len(TEAM)) for step in (("rename", (who, 0, 0)), CHECK)),
    *(step for name in USUAL for step in ((name, (0, 0, 0)), (name, (0, 1, 2)), CHECK)),
]
"""Every usual operation by two of the crowd, looked at at once, and new names of all who have held a chat: what chance may not meet in a
quick run."""
LISTS = st.lists(OPERATION, min_size=40, max_size=110)
CALM = (
    HealthCheck.function_scoped_fixture,
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
)
COMMON: Final = settings(deadline=None, database=None, print_blob=True, suppress_health_check=CALM)
QUICK: Final = settings(COMMON, max_examples=12, derandomize=True, phases=(Phase.explicit, Phase.generate))
LONG: Final = settings(COMMON, max_examples=400)


class Small:
    """A node with small lists, and what has been done on it. A plain class: hypothesis would print all of a dataclass."""

    def __init__(self, node: Node, url: str, clock: ManualClock) -> None:
        self.node = node
        self.url = url
        self.clock = clock
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.compared = self.kept = 0


@pytest.fixture
async def small(database_url: str, tmp_path: Path) -> AsyncIterator[Small]:
    """Lists of 3, one pin: everything is at its limit all the time."""
    clock = ManualClock()
    async with running_node(database_url, tmp_path, clock, recent_max=3, pins_max=1) as running:
        yield Small(running.node, running.url, clock)


async def example(small: Small, operations: list[tuple[str, Numbers]], *, live: bool) -> None:
    """One world from nothing through all of its operations."""
    crowd = await gather(small.node)
    world = World(small.node, small.clock, crowd)
    async with AsyncExitStack() as stack:
        followers = []
        for name in ROLES:
            client = await stack.enter_async_context(_device(small, crowd, name)) if live and name in LIVE else None
            follower = Follower(small.node, crowd, name, client)
            await follower.start()
            followers.append(follower)
        for op, numbers in [*operations, CHECK]:
            if op != "check":
                await world.act(op, numbers)
                continue
            for follower in followers:
                if follower.name not in world.away:
                    gone = follower.name in world.left
                    await follower.check(restarted=world.done["promote"] > 0, gone=gone)
    small.done += world.done
    small.refused += world.refused
    small.compared += sum(follower.compared for follower in followers)
    small.kept += sum(follower.kept for follower in followers)


def _device(small: Small, crowd: Crowd, name: str) -> fairwire.Client:
    """A client of the SDK that comes back at once."""

    async def token() -> str:
        return crowd.token(name)

    timing = fairwire.Timing(random=lambda: 0.0)
    return fairwire.connect(small.url, token=token, codec="json" if name == "main" else "msgpack", timing=timing)


@QUICK
@hypothesis.example(operations=EACH)
@given(operations=LISTS)
async def test_state_plus_events_is_the_state_fetched_again_w5(
    small: Small, operations: list[tuple[str, Numbers]]
) -> None:
    await example(small, operations, live=True)
    assert small.kept, "no account's stream ever stood still from one check to the next"


@pytest.mark.soak
@pytest.mark.timeout(3600)
@LONG
@given(operations=LISTS)
async def test_state_plus_events_at_length_w5(small: Small, operations: list[tuple[str, Numbers]]) -> None:
    await example(small, operations, live=True)
