"""A small fair for each test."""

from __future__ import annotations

import pytest

from fairwire_server.database.pool import Database
from tests.notices.world import World


@pytest.fixture
async def world(database: Database) -> World:
    return await World(database).open()
