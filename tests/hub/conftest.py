"""A node on a clock that tests move, and a log that must have no fault in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.harness.clock import ManualClock
from tests.harness.node import Running, running_node
from tests.harness.postgres import Cluster
from tests.harness.quiet import quiet_log


@pytest.fixture(autouse=True)
def log() -> Iterator[list[str]]:
    """What was logged as an error during this test; there must be nothing."""
    with quiet_log() as faults:
        yield faults


@pytest.fixture(scope="module")
async def running(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One node for a module's tests: none of them may depend on what another has said or on how many there are."""
    async with postgres.database() as url, running_node(url, Path(tmp_path_factory.mktemp("node"))) as running:
        yield running


@pytest.fixture
def clock() -> ManualClock:
    """Time as far as the node knows."""
    return ManualClock()


@pytest.fixture
async def timed(database_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Running]:
    """A whole node on `clock`."""
    async with running_node(database_url, tmp_path, clock) as running:
        yield running
