"""The pool's errors: each failure of a unit of work has one meaning, and the pool is whole afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from fairwire_protocol.errors import Refused, Unavailable
from fairwire_server.database.pool import Connection, ConstraintViolated, Database, DatabaseRefused, OutcomeUnknown

TABLES = """
CREATE EXTENSION btree_gist;
CREATE TABLE things (
    id integer CONSTRAINT things_key PRIMARY KEY,
    size integer CONSTRAINT size_positive CHECK (size > 0),
    parent integer CONSTRAINT parent_exists REFERENCES things DEFERRABLE INITIALLY DEFERRED,
    span int4range,
    body jsonb,
    CONSTRAINT no_overlap EXCLUDE USING gist (span WITH &&)
);
INSERT INTO things (id, size, span) VALUES (1, 1, '[1,5)'), (2, 2, '[5,9)');
CREATE FUNCTION hang_up() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
CREATE TABLE cursed (id integer);
CREATE CONSTRAINT TRIGGER hang_up AFTER INSERT ON cursed DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION hang_up();
"""
SIZE = 4


@pytest.fixture
async def pool(empty_database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(empty_database_url, min_size=1, max_size=SIZE, lock_timeout_ms=50) as database:
        async with database.transaction() as tx:
            await tx.execute(TABLES)
        yield database


async def assert_whole(database: Database) -> None:
    """Every connection of the pool can be had at once and answers; none has an open transaction."""
    together = asyncio.Barrier(SIZE)

    async def use() -> bool:
        async with database.reader() as connection:
            await together.wait()
            assert not connection.is_in_transaction()
            return await connection.fetchval("SELECT true") is True

    assert await asyncio.gather(*(use() for _ in range(SIZE))) == [True] * SIZE


async def count(database: Database) -> int:
    async with database.reader() as connection:
        found = await connection.fetchval("SELECT count(*) FROM things")
    assert isinstance(found, int)
    return found


async def run(database: Database, sql: str, *values: object) -> None:
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO things (id) VALUES (77)")
        await tx.execute(sql, *values)


async def test_a_transaction_lasts_or_leaves_nothing(pool: Database) -> None:
    async with pool.transaction() as tx:
        await tx.execute("INSERT INTO things (id) VALUES (3)")
    assert await count(pool) == 3
    refusal = Refused("conflict")

    async def refused() -> None:
        async with pool.transaction() as tx:
            await tx.execute("INSERT INTO things (id) VALUES (4)")
            raise refusal

    with pytest.raises(Refused) as raised:
        await refused()
    assert raised.value is refusal
    assert await count(pool) == 3
    await assert_whole(pool)


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("INSERT INTO things (id) VALUES (1)", "things_key"),
        ("INSERT INTO things (id, size) VALUES (3, 0)", "size_positive"),
        ("INSERT INTO things (id, span) VALUES (3, '[4,6)')", "no_overlap"),
        ("INSERT INTO things (id, parent) VALUES (3, 99)", "parent_exists"),  # deferred: COMMIT reports it
    ],
)
async def test_a_constraint_is_told_by_its_name(pool: Database, sql: str, name: str) -> None:
    with pytest.raises(ConstraintViolated) as raised:
        await run(pool, sql)
    assert raised.value.name == name
    assert await count(pool) == 2
    await assert_whole(pool)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("53100", "storage_full"),
        ("40001", "busy"),
        ("40P01", "busy"),
        ("55P03", "busy"),
        ("53300", "busy"),
        ("57014", "busy"),
    ],
)
async def test_temporary_errors_of_the_server_are_unavailable(pool: Database, state: str, code: str) -> None:
    with pytest.raises(Unavailable) as raised:
        await run(pool, f"DO $$ BEGIN RAISE 'planted' USING ERRCODE = '{state}'; END $$")
    assert raised.value.code == code
    assert raised.value.retry_after_ms
    assert not isinstance(raised.value, OutcomeUnknown)
    assert await count(pool) == 2
    await assert_whole(pool)


async def test_a_fault_of_ours_passes_unchanged(pool: Database) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        await run(pool, "SELECT * FROM nowhere")
    with pytest.raises(asyncpg.DataError):
        await run(pool, "INSERT INTO things (id) VALUES ($1)", "no number")
    await assert_whole(pool)


async def test_a_held_row_makes_others_busy_not_wait(pool: Database) -> None:
    async with pool.transaction() as tx:
        await tx.execute("SELECT FROM things WHERE id = 1 FOR UPDATE")
        with pytest.raises(Unavailable):
            await run(pool, "SELECT FROM things WHERE id = 1 FOR UPDATE")
    await assert_whole(pool)


async def test_two_that_wait_for_each_other_lose_one(empty_database_url: str, pool: Database) -> None:
    async with await Database.open(empty_database_url, command_timeout=20, lock_timeout_ms=20_000) as patient:
        both = asyncio.Barrier(2)

        async def lock(first: int, second: int) -> None:
            async with patient.transaction() as tx:
                await tx.execute("SET LOCAL deadlock_timeout = '10ms'")
                await tx.execute("SELECT FROM things WHERE id = $1 FOR UPDATE", first)
                await both.wait()
                await tx.execute("SELECT FROM things WHERE id = $1 FOR UPDATE", second)

        ends = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    assert [type(end) for end in ends if end] == [Unavailable]


async def test_a_full_pool_is_busy_and_recovers(pool: Database) -> None:
    async def hold(ready: asyncio.Barrier, release: asyncio.Event) -> None:
        async with pool.reader():
            await ready.wait()
            await release.wait()

    ready, release = asyncio.Barrier(SIZE + 1), asyncio.Event()
    holders = [asyncio.create_task(hold(ready, release)) for _ in range(SIZE)]
    await ready.wait()
    with pytest.raises(Unavailable, match="busy"):
        async with pool.reader():
            pass
    release.set()
    await asyncio.gather(*holders)
    await assert_whole(pool)


async def test_a_unit_that_takes_too_long_is_given_up(empty_database_url: str) -> None:
    async with await Database.open(empty_database_url, max_size=SIZE, command_timeout=0.2) as hasty:
        with pytest.raises(Unavailable):
            async with hasty.transaction() as tx:
                await tx.execute("SELECT pg_sleep(60)")
        with pytest.raises(Unavailable):
            async with hasty.reader():
                await asyncio.Event().wait()
        await assert_whole(hasty)


async def test_a_lost_connection_is_busy_and_replaced(pool: Database) -> None:
    with pytest.raises(Unavailable) as raised:
        await run(pool, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert not isinstance(raised.value, OutcomeUnknown)
    with pytest.raises(Unavailable):
        async with pool.reader() as connection:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await count(pool) == 2
    await assert_whole(pool)


async def test_a_commit_without_an_answer_has_an_unknown_outcome(pool: Database) -> None:
    """W7: only a retry with the same cid may tell what happened."""
    with pytest.raises(OutcomeUnknown) as raised:
        await run(pool, "INSERT INTO cursed VALUES (1)")
    assert raised.value.code == "busy"
    assert not raised.value.final
    await assert_whole(pool)


async def test_cancelled_units_cost_the_pool_nothing(pool: Database) -> None:
    began = asyncio.Barrier(SIZE + 1)

    async def work() -> None:
        async with pool.transaction() as tx:
            await tx.execute("UPDATE things SET size = 9 WHERE id = 99")
            await began.wait()
            await tx.execute("SELECT pg_sleep(60)")

    tasks = [asyncio.create_task(work()) for _ in range(SIZE)]
    waiting = [asyncio.create_task(count(pool)) for _ in range(SIZE)]
    await began.wait()
    for task in [*tasks, *waiting]:
        task.cancel()
    ends = await asyncio.gather(*tasks, *waiting, return_exceptions=True)
    assert {type(end) for end in ends} == {asyncio.CancelledError}
    await assert_whole(pool)


@pytest.mark.parametrize("document", ['{"n":[1,null],"名":"展"}', '"text"', "null"])
async def test_jsonb_travels_as_bytes(pool: Database, document: str) -> None:
    async with pool.transaction() as tx:
        backs = [await tx.fetchval("SELECT $1::jsonb", given) for given in (document, document.encode())]
        assert [back.decode().replace(" ", "") for back in backs] == [document] * 2
        assert await tx.fetchval("SELECT array[$1::jsonb, null]", document) == [backs[0], None]
        assert await tx.fetchval("SELECT null::jsonb") is None


async def test_a_dedicated_connection_takes_its_session_with_it(pool: Database) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async with pool.dedicated() as connection:
        await connection.add_listener("news", lambda *args: heard.put_nowait(args[-1]))
        assert await connection.fetchval("SELECT pg_try_advisory_lock(5)")
        async with pool.transaction() as tx:
            assert not await tx.fetchval("SELECT pg_try_advisory_lock(5)")
            await tx.execute("NOTIFY news, 'hello'")
        assert await asyncio.wait_for(heard.get(), 10) == "hello"
    async with pool.reader() as reader:
        assert await _eventually_locked(reader)


async def _eventually_locked(connection: Connection) -> bool:
    # The server notices the end of the other session on its own time; waiting for the lock waits for that.
    await connection.execute("SET lock_timeout = 0")
    await connection.execute("SELECT pg_advisory_lock(5)")
    return bool(await connection.fetchval("SELECT pg_advisory_unlock(5)"))


async def test_a_wrong_configuration_is_told_apart_from_an_outage(empty_database_url: str, pool: Database) -> None:
    for url in ("postgresql://x:port/y", "mysql://x", empty_database_url.replace("/test_", "/missing_")):
        with pytest.raises(DatabaseRefused):
            await Database.open(url)
    with pytest.raises(Unavailable):
        await Database.open("postgresql://fairwire@/x?host=%2Fnowhere")
