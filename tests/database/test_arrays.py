"""What may be passed as an array of SQL: asyncpg is told so in concrete types, and asks nothing abstract of each element."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncIterator
from types import FrameType
from uuid import UUID

import asyncpg
import pytest

from fairwire_server.database.pool import Database


@pytest.fixture
async def pool(empty_database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(empty_database_url, min_size=1, max_size=1) as database:
        yield database


IDS = [UUID(int=number) for number in range(3)]
BY_ID = {id_: id_ for id_ in IDS}


@pytest.mark.parametrize(
    "ids",
    [IDS, tuple(IDS), set(IDS), frozenset(IDS), deque(IDS), BY_ID.keys(), BY_ID.values()],
    ids=lambda ids: type(ids).__name__,
)
async def test_a_collection_is_an_array(pool: Database, ids: object) -> None:
    async with pool.reader() as connection:
        assert set(await connection.fetchval("SELECT $1::uuid[]", ids)) == set(IDS)


async def test_elements_are_what_they_are(pool: Database) -> None:
    async with pool.reader() as connection:
        assert await connection.fetchval("SELECT $1::text[]", ["a", None, "中"]) == ["a", None, "中"]
        assert await connection.fetchval("SELECT $1::bytea[]", [b"a", b""]) == [b"a", b""]
        assert await connection.fetchval("SELECT $1::int[]", [[1, 2], [3, 4]]) == [[1, 2], [3, 4]]
        assert await connection.fetchval("SELECT $1::int[]", range(3)) == [0, 1, 2]


@pytest.mark.parametrize("wrong", ["text", b"bytes", 7, BY_ID], ids=lambda wrong: type(wrong).__name__)
async def test_nothing_else_is_an_array(pool: Database, wrong: object) -> None:
    async with pool.reader() as connection:
        with pytest.raises(asyncpg.DataError):
            await connection.fetchval("SELECT $1::text[]", wrong)


async def test_nobody_is_asked_for_an_abstract_class(pool: Database) -> None:
    """It would be a call of Python for each array, and for each of its elements."""
    asked: list[object] = []

    def seen(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name == "__instancecheck__":
            asked.append(frame.f_locals.get("instance"))

    many = list(range(1000))
    async with pool.reader() as connection:
        sys.setprofile(seen)
        try:
            await connection.fetchval("SELECT $1::int[]", many)
        finally:
            sys.setprofile(None)
    assert not [one for one in asked if isinstance(one, list | int)]
