"""Every named query is one that PostgreSQL can prepare on the migrated schema: no typing slip waits for its first use."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from uuid import uuid4

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
        prepared = await connection.prepare(snapshots.sql)
        assert prepared.get_parameters()
        assert prepared.get_attributes()


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


async def test_a_request_is_looked_for_among_cids_and_not_among_all_of_a_buyer_s_w7(database: Database) -> None:
    """Its plan is made while there are no bookings, when every index is as good, and is kept when there are many."""
    told: list[str] = []
    async with database.dedicated() as connection:
        await connection.execute(
            "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;"
            " SET client_min_messages = log"
        )
        connection.add_log_listener(lambda _, message: told.append(str(message)))
        one = [uuid4()]
        await connection.fetch("SELECT * FROM request_facts($1, $1, $1, $1, now())", one)
    (plan,) = [text for text in told if "Index Cond" in text and "booking v" in text]
    assert "booking_cid_unique" in plan
