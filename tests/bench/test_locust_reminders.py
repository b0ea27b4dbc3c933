"""A minute in which T−15 falls due, at the smallest scale: meetings made up, notices planned and drained by the product, and counted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bench.locust.reminded import Ended
from bench.locust.reminders import plan, read
from fairwire_server.database.pool import Database
from fairwire_server.database.queries import load_queries
from tests.bench.test_locust_run import GOOD, account_file, counted, run
from tests.harness.node import Running
from tests.harness.until import until

MEETINGS = 2


@pytest.fixture
async def demo(running: Running, database: Database) -> Database:
    """The running node's database, of an installation for demos."""
    async with database.transaction() as connection:
        await connection.execute(load_queries("tests.bench", "reminders.sql")["become_demo"])
    return database


async def test_reminders_fall_due_together_and_their_lateness_is_read(running: Running, demo: Database) -> None:
    """N1, N2, N4: two people each, in the app and by the prescribed channel; each ends once, none early."""
    due = running.node.clock.now().replace(microsecond=0) + timedelta(seconds=2)
    planned = await plan(demo, "one", MEETINGS, due)
    assert planned.meetings == MEETINGS
    assert planned.reminders >= MEETINGS * 4
    before = await read(demo, due)
    assert before.unfinished == planned.reminders
    ended: list[Ended] = []

    async def all_ended() -> bool:
        ended.append(await read(demo, due))
        return not ended[-1].unfinished

    await until(all_ended, within=20)
    last = ended[-1]
    assert (last.early, last.twice, last.maybe) == (0, 0, 0)
    assert last.states["sent"] >= MEETINGS * 2
    assert sum(last.late["in_app"].values()) == MEETINGS * 2


async def test_more_meetings_than_people_who_can_receive_them_are_refused(running: Running, demo: Database) -> None:
    with pytest.raises(ValueError, match="there are 2"):
        await plan(demo, "one", 3, running.node.clock.now() + timedelta(hours=1))


async def test_nothing_is_made_up_in_a_real_fair(running: Running, database: Database) -> None:
    with pytest.raises(ValueError, match="real fair"):
        await plan(database, "one", 1, running.node.clock.now() + timedelta(hours=1))


async def test_a_run_reports_lateness_beside_chat(
    running: Running, demo: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N5: the shape's own entries, from the database and from the people who are here."""
    monkeypatch.setenv("FAIRWIRE_DATABASE_URL", database_url)
    accounts = account_file(running, tmp_path / "accounts.jsonl")
    code, said = await run(
        running, accounts, "--shape", "reminder_minute", "--reminders", str(MEETINGS), "--seconds", "9", "--speed", "30"
    )  # fmt: skip
    print(said)
    assert code == GOOD, said
    assert counted(said, "reminders.planned", "meetings") == MEETINGS
    assert counted(said, "reminders.planned", "sent") >= MEETINGS * 2
    assert counted(said, "reminders.planned", "unfinished") == 0
    assert counted(said, "reminder.due_to_outcome ", "count") >= MEETINGS * 2
    assert counted(said, "reminder.due_to_in_the_app", "count") >= 1
