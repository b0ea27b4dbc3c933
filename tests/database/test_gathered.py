"""Reads that come together are one statement: everybody gets their own answer, whoever else gives up or fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from fairwire_server.database.gathered import Gathered


class Reading:
    """A database that answers when told to, and remembers what it was asked together."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.may = asyncio.Event()
        self.fails = False

    async def read(self, keys: Sequence[int]) -> list[str]:
        self.asked.append(list(keys))
        await self.may.wait()
        if self.fails:
            raise ValueError("asked in vain")
        return [str(key) for key in keys]


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_comes_while_a_statement_is_under_way_shares_the_next() -> None:
    database = Reading()
    gathered = Gathered(database.read, batch=3, at_once=1)
    alone = asyncio.create_task(gathered.get(0))
    await turns()
    assert database.asked == [[0]], "who comes alone does not wait"
    others = [asyncio.create_task(gathered.get(key)) for key in (1, 2, 3, 4)]
    await turns()
    assert database.asked == [[0]]
    database.may.set()
    assert await alone == "0"
    assert await asyncio.gather(*others) == ["1", "2", "3", "4"]
    assert database.asked == [[0], [1, 2, 3], [4]]


async def test_as_many_statements_as_may_be_are_under_way() -> None:
    database = Reading()
    gathered = Gathered(database.read, batch=3, at_once=2)
    waiting = []
    for key in range(3):
        waiting.append(asyncio.create_task(gathered.get(key)))
        await turns()
    assert database.asked == [[0], [1]]
    database.may.set()
    assert await asyncio.gather(*waiting) == ["0", "1", "2"]


async def test_one_that_gives_up_takes_nobody_along() -> None:
    database = Reading()
    gathered = Gathered(database.read, batch=3, at_once=1)
    first, second = asyncio.create_task(gathered.get(1)), asyncio.create_task(gathered.get(2))
    await turns()
    first.cancel()
    await turns()
    database.may.set()
    assert await second == "2"
    assert first.cancelled()


async def test_a_statement_that_fails_fails_for_those_in_it_alone() -> None:
    database = Reading()
    gathered = Gathered(database.read, batch=3, at_once=1)
    database.may.set()
    database.fails = True
    with pytest.raises(ValueError, match="asked in vain"):
        await gathered.get(1)
    database.fails = False
    assert await gathered.get(2) == "2"
