"""Two nodes in process over one database and one Valkey."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness.clock import ManualClock
from tests.harness.fairground import Fairground
from tests.harness.node import Running, running_node
from tests.harness.postgres import Cluster
from tests.harness.quiet import quiet_log
from tests.harness.valkey import Valkey


@dataclass(frozen=True, slots=True)
class Pair:
    """Two nodes and what they share."""

    one: Running
    two: Running
    valkey: Valkey

    @property
    def ground(self) -> Fairground:
        """The fair that both serve."""
        return self.one.ground


@asynccontextmanager
async def two_nodes(
    database_url: str, folder: Path, urls: tuple[str, str], clock: ManualClock | None = None, **changes: Any
) -> AsyncIterator[tuple[Running, Running]]:
    """Two nodes that reach the bus by `urls`."""
    async with running_node(database_url, folder, clock, redis_url=urls[0], **changes) as one:
        options: dict[str, Any] = {"redis_url": urls[1], **changes}
        async with running_node(database_url, folder, clock, one.ground, **options) as two:
            yield one, two


@pytest.fixture(autouse=True)
def log() -> Iterator[list[str]]:
    """What was logged as an error during this test; there must be nothing."""
    with quiet_log() as faults:
        yield faults


@pytest.fixture(scope="session")
async def valkey() -> AsyncIterator[Valkey]:
    """A Valkey for tests that leave it alone; each database has channels of its own on it."""
    async with Valkey() as server:
        yield server


@pytest.fixture(scope="module")
async def pair(postgres: Cluster, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """Two nodes for a module's tests."""
    async with (
        postgres.database() as url,
        two_nodes(url, tmp_path_factory.mktemp("node"), (valkey.url, valkey.url)) as (one, two),
    ):
        yield Pair(one, two, valkey)


@pytest.fixture
def clock() -> ManualClock:
    """Time as far as both nodes know."""
    return ManualClock()


@pytest.fixture
async def timed(database_url: str, tmp_path: Path, valkey: Valkey, clock: ManualClock) -> AsyncIterator[Pair]:
    """Two nodes on `clock` that hardly ever beat."""
    async with two_nodes(
        database_url, tmp_path, (valkey.url, valkey.url), clock, beat_interval_s=36_000.0, beat_answer_s=30_000.0
    ) as (one, two):
        yield Pair(one, two, valkey)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What was left behind is found here, and not in whatever test comes next."""
    yield
    gc.collect()
