"""Migrations: applied once, in order, all or none; anything that does not fit stops the run before it starts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from fairwire_server.database.migrate import MigrationError, migrate_database, pending_in, read_migrations


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "0001_first", "CREATE TABLE first (id integer); INSERT INTO first VALUES (1);")
    write(tmp_path, "0002_second", "CREATE TABLE second (id integer);")
    return tmp_path


def write(folder: Path, name: str, sql: str) -> None:
    (folder / f"{name}.sql").write_text(sql, "utf-8")


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


async def test_pending_ones_run_once_and_in_order(empty_database_url: str, folder: Path) -> None:
    told: list[str] = []
    assert await pending_in(empty_database_url, folder) == ["0001_first", "0002_second"]
    assert await migrate_database(empty_database_url, told.append, folder) == ["0001_first", "0002_second"] == told
    assert await migrate_database(empty_database_url, told.append, folder) == []
    write(folder, "0003_third", "ALTER TABLE first ADD COLUMN more text;")
    assert await pending_in(empty_database_url, folder) == ["0003_third"]
    assert await migrate_database(empty_database_url, None, folder) == ["0003_third"]


async def test_a_failing_one_leaves_nothing_behind(empty_database_url: str, folder: Path) -> None:
    write(folder, "0003_broken", "CREATE TABLE third (id integer); SELECT nonsense;")
    with pytest.raises(MigrationError, match="0003_broken failed"):
        await migrate_database(empty_database_url, None, folder)
    assert await tables(empty_database_url) == set()


async def test_ten_at_once_take_turns(empty_database_url: str, folder: Path) -> None:
    done = await asyncio.gather(*(migrate_database(empty_database_url, None, folder) for _ in range(10)))
    assert sorted(map(len, done)) == [0] * 9 + [2]


async def test_an_edited_migration_stops_the_run(empty_database_url: str, folder: Path) -> None:
    await migrate_database(empty_database_url, None, folder)
    write(folder, "0002_second", "CREATE TABLE second (id bigint);")
    write(folder, "0003_third", "CREATE TABLE third (id integer);")
    for attempt in (migrate_database(empty_database_url, None, folder), pending_in(empty_database_url, folder)):
        with pytest.raises(MigrationError, match="0002_second changed after it was applied"):
            await attempt
    assert "third" not in await tables(empty_database_url)


async def test_other_line_endings_are_no_edit(empty_database_url: str, folder: Path) -> None:
    write(folder, "0003_third", "CREATE TABLE third (\n  id integer\n);\n")
    await migrate_database(empty_database_url, None, folder)
    (folder / "0003_third.sql").write_bytes(b"CREATE TABLE third (\r\n  id integer\r\n);\r\n")
    assert await migrate_database(empty_database_url, None, folder) == []


async def test_a_newer_database_stops_an_older_program(empty_database_url: str, folder: Path) -> None:
    await migrate_database(empty_database_url, None, folder)
    (folder / "0002_second.sql").unlink()
    with pytest.raises(MigrationError, match=r"newer than this program: it has 0002_second"):
        await migrate_database(empty_database_url, None, folder)


async def test_a_migration_cannot_end_the_transaction(empty_database_url: str, folder: Path) -> None:
    write(folder, "0003_third", "COMMIT;")
    with pytest.raises(MigrationError, match="0003_third ended the transaction itself"):
        await migrate_database(empty_database_url, None, folder)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("0004_hole", "stands where 0003"), ("0002_again", "stands where"), ("3_short", "not named like")],
)
def test_numbers_count_without_holes(folder: Path, name: str, complaint: str) -> None:
    write(folder, name, "SELECT 1;")
    with pytest.raises(MigrationError, match=complaint):
        read_migrations(folder)


async def test_ours_apply_to_an_empty_database(empty_database_url: str) -> None:
    names = await migrate_database(empty_database_url)
    assert names == [migration.name for migration in read_migrations()] != []
