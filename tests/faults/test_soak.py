"""Soak: people come and go for half an hour while a node and the bus are killed, and nothing of them is left behind (quality).

Everybody visits once before the base is taken, so that what is kept on purpose is there already; kept first states have so little room
that it is full by then, since what fills up for an hour looks like what leaks. Then rounds: visits, a node killed
and started again, the bus killed and back empty; everybody leaves; and what two nodes, a worker, PostgreSQL and Valkey hold must be
what it was. Node `a` lives through all of it: its memory is what counts.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.cluster.test_processes import nodes
from tests.faults.census import Census, Place
from tests.faults.town import HALF_HOUR_MS, Town, Visit, settle
from tests.faults.visits import any_visit, each_visit
from tests.harness.server import ServerProcess
from tests.harness.smtp import smtp_sink
from tests.harness.until import until
from tests.harness.valkey import Valkey

MINUTES: Final = 30
ROUND_S: Final = 300.0
AT_REST_S: Final = 60.0
"""The grace of presence, of offers, of beats and of slow readers, and a worker's last mails, with room for a busy machine."""
WARM: Final = 6
"""Visits of each kind before the base is taken."""
SHORT: Final = 250
MORE_MIB: Final = 3.0
"""What node `a` may grow by after the first round: a leak of 200 bytes a visit does not pass."""
NONSENSE: Final = {"no.such", "chat.show"}
LUCK: Final = {"chat.answer_offer"}
OFTEN, SELDOM = 60, 300
"""Visits between two faults."""


@dataclass(slots=True)
class Soak:
    """An installation with visitors, and its census at rest."""

    town: Town
    place: Place
    servers: list[ServerProcess]
    valkey: Valkey
    empty: Census
    """Before anybody came."""
    now: Census
    warm: Census | None = None
    """When everything had been used, and everybody was gone again."""

    async def round(self, visits: Iterator[Visit], faults: int) -> list[str]:
        """These visits, with a fault after so many; then everybody leaves. Answers what is left behind."""
        before = self.town.visits.total()
        churn = asyncio.create_task(self.town.churn(visits))
        try:
            while faults and not churn.done():
                await self._break(churn, faults)
            await churn
        finally:
            churn.cancel()
        return await self._left(self.town.visits.total() - before)

    async def _break(self, churn: asyncio.Task[None], every: int) -> None:
        """A node is killed and started again, then the bus, and people come all the while."""
        node, bus = self.servers[1], self.valkey
        for fault in (node.kill, node.start, bus.kill, bus.start):
            goal = self.town.visits.total() + every
            while not churn.done() and self.town.visits.total() < goal:
                await asyncio.wait([churn], timeout=0.05)
            await fault()

    async def _left(self, visits: int) -> list[str]:
        """What is still there when everything has had its time to go."""
        left: list[str] = []

        async def nothing() -> bool:
            nonlocal left
            self.now = await self.place.census()
            left = self.now.grown(self.empty, self.warm or self.now, visits)
            return not left

        await until(self.place.empty, AT_REST_S)
        await self.town.wake()
        with suppress(AssertionError):
            await until(nothing, AT_REST_S)
        return left

    def used(self) -> None:
        """What there is now is what there may be from now on."""
        self.warm = self.now


async def _met(place: Place) -> Census:
    """The first census, once each process knows of the nodes."""
    census = await place.census()

    async def all_met() -> bool:
        nonlocal census
        census = await place.census()
        return [census.inside[name].entries.get("Elsewhere._nodes") for name in ("a", "b", "worker")] == [1, 1, 2]

    await until(all_met, AT_REST_S)
    return census


@asynccontextmanager
async def soak(database_url: str, folder: Path, seed: int) -> AsyncIterator[Soak]:
    """Two nodes, a worker, a bus, a mail server, and a fair; everybody has been there once."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        valkey, sink = await enter(Valkey()), await enter(smtp_sink())
        settings = {
            "database_url": database_url, "redis_url": valkey.url, "background": "worker", "rate_factor": 1,
            "pool_min": 6, "pool_max": 6, "presence_grace_s": 5, "offer_s": 2, "beat_interval_s": 3, "beat_answer_s": 2,
            "first_frame_s": 2, "lagging_max_s": 2, "queue_max_bytes": 100_000, "first_states_bytes": 40_000,
            "smtp_host": "127.0.0.1", "smtp_port": sink.port, "smtp_from": "fair@example.test", "smtp_starttls": "false",
            "smtp_connections": 2,
        }  # fmt: skip
        ground = await settle(database_url, data_dir=folder)
        servers = await enter(nodes(folder, 2, "tests.harness.inspected", **settings))
        worker = ServerProcess(folder, "worker", "tests.harness.inspected", **settings)
        stack.push_async_callback(worker.stop)
        await worker.start()
        soon_ms = (int(time.time() * 1000) // HALF_HOUR_MS + 1) * HALF_HOUR_MS
        town = Town(servers[0].url, ground, random.Random(seed), soon_ms)
        place = Place(database_url, valkey, {"a": servers[0], "b": servers[1], "worker": worker})
        empty = await _met(place)
        one = Soak(town, place, servers, valkey, empty, empty)
        stack.push_async_callback(town.wake)
        await town.open()
        left = await one.round(iter(each_visit(town, WARM)), faults=0)
        assert not left, "\n".join(left)
        one.used()
        yield one
        print(f"seed {seed}, {town.visits.total()} visits: {dict(town.visits)}, cut off: {dict(town.cut)}")
        print(_told(town.outcomes))
        assert not [outcome for outcome in town.outcomes if outcome[1] == "internal"]
        never = {op for op, _ in town.outcomes if not town.outcomes[op, "ok"]}
        assert never <= NONSENSE | LUCK, "each operation has been answered with a reply"
        for server in (*servers, worker):
            assert '"level": "error"' not in server.said, server.said


def _told(outcomes: Counter[tuple[str, str]]) -> str:
    lines: dict[str, dict[str, int]] = {}
    for (op, outcome), count in sorted(outcomes.items()):
        lines.setdefault(op, {})[outcome] = count
    return "\n".join(f"  {op}: {counts}" for op, counts in lines.items())


@pytest.mark.timeout(300)
async def test_hundreds_come_and_go_and_nothing_is_left_behind(database_url: str, tmp_path: Path) -> None:
    async with soak(database_url, tmp_path, random.randrange(10**9)) as one:
        left = await one.round((any_visit(one.town) for _ in range(SHORT)), OFTEN)
        assert not left, "\n".join(left)


def _within(town: Town, seconds: float) -> Iterator[Visit]:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        yield any_visit(town)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_thousands_come_and_go_for_half_an_hour(database_url: str, tmp_path: Path) -> None:
    async with soak(database_url, tmp_path, random.randrange(10**9)) as one:
        curve, left = [one.now.resident()], []
        for _ in range(int(MINUTES * 60 / ROUND_S)):
            left += await one.round(_within(one.town, ROUND_S), SELDOM)
            if len(curve) == 1:
                one.used()  # a busy hour is more than what was used to warm up
            curve.append(one.now.resident())
            print(f"{one.town.visits.total()} visits, resident MiB:", *curve, *left, sep="\n  ", flush=True)
        assert not left, "\n".join(left)
        assert curve[-1]["a"] - curve[1]["a"] <= MORE_MIB
