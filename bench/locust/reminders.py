"""A whole fair's T−15 falling due at one instant: the meetings for it, and afterwards how late each reminder ended (N1–N5).

    python -m bench.locust.reminders plan --fair demo --count 2000 --due 1795302000000
    python -m bench.locust.reminders read --due 1795302000000

A process of its own, started by the run, on the database that the `FAIRWIRE_*` variables name; demo installations only. Slots start on
the half hour, so a run would have to wait for the clock. Instead assigned bookings are written straight into the tables, which do not
mind when a meeting begins, and the product's own planning makes their notices. Whatever drains them is the server's worker.
Each command says one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils.compat import uuid7

from bench.locust.reminded import Ended, Planned
from fairwire_protocol.errors import FairwireError
from fairwire_server.chat.store import ChatStore
from fairwire_server.clock import SystemClock, moment
from fairwire_server.commands.common import open_database
from fairwire_server.database.pool import Database
from fairwire_server.database.present import database_time
from fairwire_server.database.queries import load_queries
from fairwire_server.database.work import Work, Works
from fairwire_server.meetings.noticing import wanted_by
from fairwire_server.meetings.records import BookingFact, Change
from fairwire_server.notices.planning import Planning
from fairwire_server.notices.store import NoticeStore
from fairwire_server.settings import from_environment

__all__ = ["plan", "read"]

AHEAD: Final = timedelta(minutes=15)
LENGTH: Final = timedelta(minutes=30)
AT_ONCE: Final = 500
STATEMENT_S: Final = 120.0
ROOMS: Final = range(10**8, 10**9)
PLACES: Final = ("FAIRWIRE_DATABASE_URL", "FAIRWIRE_DATA_DIR")


async def plan(database: Database, fair: str, count: int, due: datetime) -> Planned:
    """Meetings that begin 15 minutes after `due`, and their notices. Raises ValueError when the fair is too small, or real."""
    sql = load_queries("bench.locust", "reminders.sql")
    works, starts_at = Works(database, SystemClock()), due + AHEAD
    async with works.read() as work:
        if not await work.connection.fetchval(sql["is_demo"]):
            raise ValueError("this installation holds a real fair: nothing is made up in it")
        rows = await work.connection.fetch(sql["pairs"], fair, starts_at, starts_at + LENGTH, count)
    if len(rows) < count:
        raise ValueError(
            f"{count} meetings at once need as many free receiving accounts and buyers; there are {len(rows)}"
        )
    meetings = [_Meeting(row, uuid7(), str(room)) for row, room in zip(rows, random.sample(ROOMS, count), strict=True)]
    homes = {meeting.row["exhibitor_id"]: meeting.row for meeting in meetings}
    slots = {home: uuid7() for home in homes}
    async with works.begin() as work:
        columns = _columns((slots[home], row["fair_id"], home, row["receiver_id"]) for home, row in homes.items())
        await work.connection.execute(sql["slots"], *columns, starts_at, starts_at + LENGTH, work.now)
    for first in range(0, count, AT_ONCE):
        async with works.begin() as work:
            await _book(work, sql["bookings"], meetings[first : first + AT_ONCE], slots, starts_at)
    async with works.read() as work:
        await work.connection.execute(sql["analyze"])
        return Planned(meetings=count, reminders=await work.connection.fetchval(sql["wanted"], due))


async def read(database: Database, due: datetime) -> Ended:
    """What has become of the reminders that fell due at that instant."""
    sql = load_queries("bench.locust", "reminders.sql")
    async with Works(database, SystemClock()).read() as work:
        rows = await work.connection.fetch(sql["ended"], due)
    states: dict[str, int] = defaultdict(int)
    late: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    reasons: dict[str, int] = defaultdict(int)
    early = instead = 0
    for row in rows:
        states[row["state"]] += row["notices"]
        instead += row["notices"] if row["instead"] else 0
        if row["reason"] is not None:
            reasons[f"{row['state']}_{row['reason']}"] += row["notices"]
        if row["late_ms"] is not None and row["state"] != "skipped":
            early += row["notices"] if row["late_ms"] < 0 else 0
            late[row["channel"]][max(0, row["late_ms"])] += row["notices"]
    return Ended(
        states=dict(states), reasons=dict(reasons), late={channel: dict(times) for channel, times in late.items()}, instead=instead,
        early=early, maybe=sum(row["maybe"] for row in rows), twice=sum(row["twice"] for row in rows),
    )  # fmt: skip


class _Meeting(NamedTuple):
    row: asyncpg.Record
    id: UUID
    room: str


def _columns(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def _book(
    work: Work, insert: str, meetings: Sequence[_Meeting], slots: Mapping[UUID, UUID], starts_at: datetime
) -> None:
    """Conversations by the product's own query, bookings as assigning leaves them, and the reminders that it plans."""
    chats = ChatStore()
    rows = [meeting.row for meeting in meetings]
    buyers, exhibitors = [row["buyer_id"] for row in rows], [row["exhibitor_id"] for row in rows]
    wanted = _columns(
        (uuid7(), row["fair_id"], row["exhibitor_id"], row["buyer_id"], row["receiver_id"]) for row in rows
    )  # fmt: skip
    await chats.run(work.connection, "create_conversations", *wanted, work.now)
    found = await chats.fetch(work.connection, "conversations_of_pairs", buyers, exhibitors)
    chat_of = {(row["buyer_id"], row["exhibitor_id"]): row["id"] for row in found}
    facts = [
        BookingFact(
            id=id_, fair=row["fair_id"], exhibitor=row["exhibitor_id"], buyer=row["buyer_id"], slot=slots[row["exhibitor_id"]],
            conversation=chat_of[row["buyer_id"], row["exhibitor_id"]], starts_at=starts_at, ends_at=starts_at + LENGTH,
            state="assigned", receiver=row["receiver_id"], receiver_name=row["receiver_name"], assignment=1, sequence=1, room_number=room,
        )
        for row, id_, room in meetings
    ]  # fmt: skip
    columns = _columns(
        (fact.id, fact.fair, fact.exhibitor, fact.buyer, fact.slot, fact.conversation, fact.receiver, fact.room_number)
        for fact in facts
    )
    await work.connection.execute(insert, *columns, starts_at, starts_at + LENGTH, work.now)
    changes = [
        Change(kind="assigned", before=None, after=fact, by=fact.buyer, by_name="", side="team") for fact in facts
    ]
    # Not the news of the assignment: in a real fair that was days ago.
    ahead = [one for change in changes for one in wanted_by(change, (), work.now) if one.offset_s is not None]
    await Planning(NoticeStore(), lambda: None, database_time()).plan(work, ahead)


async def _run(chosen: argparse.Namespace) -> Planned | Ended:
    if not any(os.environ.get(name) for name in PLACES):
        raise ValueError(f"reminders need the server's database: set {' or '.join(PLACES)} as the server has it")
    async with open_database(from_environment(), command_timeout=STATEMENT_S, name="fairwire bench") as database:
        due = moment(chosen.due)
        if chosen.command == "plan":
            return await plan(database, chosen.fair, chosen.count, due)
        return await read(database, due)


def main() -> None:
    """From its command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("plan", "read"))
    parser.add_argument("--fair", default="demo")
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--due", type=int, required=True, help="milliseconds since 1970")
    try:
        done = asyncio.run(_run(parser.parse_args()))
    except (ValueError, FairwireError) as error:
        raise SystemExit(str(error)) from error
    sys.stdout.buffer.write(msgspec.json.encode(done) + b"\n")


if __name__ == "__main__":
    main()
