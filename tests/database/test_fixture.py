"""The harness itself: every test has a database of its own."""

from __future__ import annotations

import pytest

from fairwire_server.database.pool import Database


@pytest.mark.parametrize("run", [1, 2])
async def test_no_test_sees_another_ones_rows(database: Database, run: int) -> None:
    async with database.transaction() as tx:
        await tx.execute("CREATE TABLE only_here (run integer)")
        await tx.execute("INSERT INTO only_here VALUES ($1)", run)
    async with database.reader() as reader:
        assert await reader.fetchval("SELECT array_agg(run) FROM only_here") == [run]
        assert await reader.fetchval("SELECT count(*) FROM schema_migrations") >= 1
