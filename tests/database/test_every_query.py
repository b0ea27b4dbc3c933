"""Every named query is one that PostgreSQL can prepare on the migrated schema: no typing slip waits for its first use."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from fairwire_server.chat.snapshot import chat_parts
from fairwire_server.clock import SystemClock
from fairwire_server.database.pool import Database
from fairwire_server.database.queries import load_queries
from fairwire_server.database.work import Works
from fairwire_server.meetings.snapshot import meeting_parts
from fairwire_server.streams.snapshot import Snapshots

ROOT = Path(str(files("fairwire_server")))
PART = "snapshot_"
"""Pieces of first states, of accounts that only the whole statement knows; prepared below."""
FILES = sorted(
    path for path in ROOT.rglob("*.sql") if not {"migrations", "importing"} & {*path.parts}
)  # importing works on a table of its own making


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
async def test_postgresql_prepares_every_query(path: Path, database: Database) -> None:
    package = ".".join(["fairwire_server", *path.relative_to(ROOT).parent.parts])
    queries = load_queries(package, path.name)
    broken = {}
    async with database.reader() as connection:
        for name, sql in queries.items():
            if name.startswith(PART):
                continue
            try:
                await connection.prepare(sql)
            except Exception as error:  # every kind of refusal is a finding
                broken[name] = str(error)
    assert not broken


async def test_the_snapshot_is_one_statement_that_prepares_w5(database: Database) -> None:
    snapshots = Snapshots(Works(database, SystemClock()), [*chat_parts(), *meeting_parts()], (300, 20, 20))
    async with database.reader() as connection:
        await connection.prepare(snapshots.sql)


@pytest.mark.parametrize(("name", "arguments"), [("resume", 5), ("arrive_resuming", 4)])
async def test_what_is_replayed_is_planned_in_the_place_of_its_call_w6(
    name: str, arguments: int, database: Database
) -> None:
    """The functions that say what a replay is cost nothing, as long as the planner sees through them."""
    async with database.reader() as connection:
        await connection.execute(f"PREPARE {name} AS {load_queries('fairwire_server.streams')[name]}")
        rows = await connection.fetch(f"EXPLAIN EXECUTE {name} ({', '.join(['NULL'] * arguments)})")
    plan = "\n".join(row[0] for row in rows)
    assert "account_event_pkey" in plan
    assert "fair_event_pkey" in plan
