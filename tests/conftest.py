"""What every test may ask for. A fixture lives here only when tests of several folders use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairwire_server.database.pool import Database
from tests.harness.node import Running, running_node
from tests.harness.postgres import Cluster, session_cluster


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """The session's real PostgreSQL, started when the first test asks for it."""
    async with session_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
async def database_url(postgres: Cluster) -> AsyncIterator[str]:
    """A migrated database of this test's own."""
    async with postgres.database() as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool over `database_url`."""
    async with await Database.open(database_url, min_size=1, max_size=10) as database:
        yield database


@pytest.fixture
async def empty_database_url(postgres: Cluster) -> AsyncIterator[str]:
    """A database of this test's own without any table."""
    async with postgres.empty_database() as url:
        yield url


@pytest.fixture
async def running(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    """A whole node in process with its doors open, and a small fair."""
    async with running_node(database_url, tmp_path) as running:
        yield running
