"""Work that gathers on a row: one transaction for all who wait, and nobody pays for another's fault (W7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from fairwire_protocol.errors import Refused, Unavailable
from fairwire_server.clock import SystemClock
from fairwire_server.database.pool import Database
from fairwire_server.database.together import BATCH, Together
from fairwire_server.database.work import Planned, Work, Works


@pytest.fixture
async def pool(empty_database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(empty_database_url, min_size=1, max_size=4) as database:
        yield database


async def transaction(work: Work) -> int:
    return int(await work.connection.fetchval("SELECT txid_current()"))


async def test_those_who_come_together_share_a_transaction(pool: Database) -> None:
    together, row = Together(Works(pool, SystemClock())), uuid4()
    ids = await asyncio.gather(*(together.run(row, transaction) for _ in range(BATCH + 1)))
    assert [ids.count(one) for one in (ids[0], ids[-1])] == [BATCH, 1]
    other = await together.run(row, transaction)
    assert other not in ids


async def test_whoever_comes_while_one_is_under_way_joins_it(pool: Database) -> None:
    together, row = Together(Works(pool, SystemClock())), uuid4()
    joined: list[asyncio.Task[int]] = []

    async def first(work: Work) -> int:
        joined.append(asyncio.create_task(together.run(row, transaction)))
        await asyncio.sleep(0)
        return await transaction(work)

    assert await together.run(row, first) == await joined[0]


async def test_all_who_wait_hear_at_once_that_no_transaction_can_begin(pool: Database) -> None:
    begun = 0

    class Away(Works):
        @asynccontextmanager
        async def begin(self, *, planned: Planned = "once") -> AsyncIterator[Work]:
            nonlocal begun
            begun += 1
            await asyncio.sleep(0)
            raise Unavailable
            yield

    together, row = Together(Away(pool, SystemClock())), uuid4()
    outcomes = await asyncio.gather(*(together.run(row, transaction) for _ in range(3)), return_exceptions=True)
    assert begun == 1
    assert all(isinstance(one, Unavailable) for one in outcomes)


async def test_a_cancelled_retry_leaves_nobody_behind(pool: Database) -> None:
    together, row = Together(Works(pool, SystemClock())), uuid4()
    again: asyncio.Event = asyncio.Event()
    calls = 0

    async def stays(_: Work) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            again.set()
            await asyncio.Event().wait()

    async def refused(_: Work) -> None:
        raise Refused("forbidden")

    first, second, third = (asyncio.create_task(together.run(row, job)) for job in (transaction, stays, refused))
    await again.wait()
    first.cancel()
    with pytest.raises(Unavailable):
        await third
    with pytest.raises(Unavailable):
        await second


async def test_rows_do_not_wait_for_each_other(pool: Database) -> None:
    together = Together(Works(pool, SystemClock()))
    entered: asyncio.Event = asyncio.Event()
    free: asyncio.Event = asyncio.Event()

    async def held(work: Work) -> int:
        entered.set()
        await free.wait()
        return await transaction(work)

    first = asyncio.create_task(together.run(uuid4(), held))
    await entered.wait()
    await together.run(uuid4(), transaction)
    free.set()
    await first


async def test_a_fault_is_its_own_callers_and_the_others_are_committed(pool: Database) -> None:
    together, row = Together(Works(pool, SystemClock())), uuid4()

    async def refused(_: Work) -> int:
        raise Refused("forbidden")

    outcomes = await asyncio.gather(
        *(together.run(row, job) for job in (transaction, transaction, refused, transaction)), return_exceptions=True
    )
    assert isinstance(outcomes[2], Refused)
    assert len({one for one in outcomes if isinstance(one, int)}) == 3


async def test_whoever_gives_up_leaves_the_others_their_turn(pool: Database) -> None:
    together, row = Together(Works(pool, SystemClock())), uuid4()
    entered: asyncio.Event = asyncio.Event()

    async def held(_: Work) -> int:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    first = asyncio.create_task(together.run(row, held))
    await entered.wait()
    second = asyncio.create_task(together.run(row, transaction))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    with pytest.raises(asyncio.CancelledError):
        await first
