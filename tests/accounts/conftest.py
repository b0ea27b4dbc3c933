"""A fair that every test of accounts starts from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest

from fairwire_server.database.pool import Database
from tests.accounts.world import World, open_world


@dataclass(frozen=True)
class People:
    """Who is at the fair."""

    fair: UUID
    exhibitor: UUID
    main: UUID
    manager: UUID
    business: UUID
    exhibit: UUID
    stranger: UUID
    buyer: UUID
    organiser: UUID


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """The services over an empty database."""
    async with open_world(database) as world:
        yield world


@pytest.fixture
async def people(world: World) -> People:
    """A domestic exhibitor with one account of each type, another exhibitor's main, a buyer and an organiser."""
    fair = await world.fair()
    exhibitor = await world.exhibitor(fair)
    other = await world.exhibitor(fair, "Other Tools", domicile="overseas")
    return People(
        fair=fair,
        exhibitor=exhibitor,
        main=await world.account(fair, "main", "main", exhibitor=exhibitor, email="main@example.com"),
        manager=await world.account(fair, "manager", "manager", exhibitor=exhibitor),
        business=await world.account(fair, "business", "business", exhibitor=exhibitor),
        exhibit=await world.account(fair, "exhibit", "exhibit", exhibitor=exhibitor),
        stranger=await world.account(fair, "main", "stranger", exhibitor=other),
        buyer=await world.account(fair, "buyer", "buyer", email="buyer@example.com", mobile="+8613800138000"),
        organiser=await world.account(fair, "organiser", "organiser"),
    )
