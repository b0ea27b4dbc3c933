"""An exhibitor's packed card says what its row and its sections say, whoever changes them, also at the same time (W5, K2)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest

from fairwire_protocol.codec import MSGPACK
from fairwire_protocol.models import ExhibitorCard
from fairwire_server.database.pool import Database
from fairwire_server.database.queries import parse_queries

SQL: Final = parse_queries(Path(__file__).with_name("cards.sql").read_text("utf-8"), "cards.sql")


class World:
    """Two exhibitors and three sections."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.fair = uuid4()
        self.exhibitors = sorted(uuid4() for _ in range(2))
        self.sections = [uuid4() for _ in range(3)]

    async def run(self, name: str, *values: object) -> None:
        """One statement, and then every card is as it should be."""
        async with self.database.transaction() as connection:
            await connection.execute(SQL[name], *values)
        await self.check()

    async def check(self) -> None:
        """Every card says what its row says."""
        async with self.database.reader() as connection:
            rows = await connection.fetch(SQL["cards"])
        assert rows
        for row in rows:
            card, sections, values = row["card"], tuple(row["sections"]), dict(row)
            del values["card"], values["sections"]
            assert MSGPACK.decode(card, ExhibitorCard) == ExhibitorCard(**values, sections=sections)


@pytest.fixture
async def world(database: Database) -> World:
    world = World(database)
    await world.run("world", world.fair, world.exhibitors, world.sections, datetime(2026, 10, 1, tzinfo=UTC))
    return world


async def test_a_card_follows_every_change(world: World) -> None:
    one, other = world.exhibitors
    await world.run("renamed")
    await world.run("told_of", one)
    await world.run("join_section", one, world.sections[1])
    await world.run("join_section", other, world.sections[0])
    await world.run("leave_sections")
    await world.run("join_section", one, world.sections[0])
    await world.run("change_section", one, other, world.sections[2])
    await world.run("add_with_sections", uuid4(), world.fair, world.sections)


async def test_sections_that_come_at_the_same_time_are_all_there(world: World) -> None:
    async def join(section: UUID) -> None:
        async with world.database.transaction() as connection:
            await connection.execute(SQL["join_section"], world.exhibitors[1], section)

    async with world.database.transaction() as first:
        await first.execute(SQL["join_section"], world.exhibitors[1], world.sections[0])
        others = [asyncio.create_task(join(section)) for section in world.sections[1:]]
        done, _ = await asyncio.wait(others, timeout=0.2)
        assert not done, "they wait for the first to commit"
    await asyncio.gather(*others)
    await world.check()
