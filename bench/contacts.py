"""Contacts for a bench's buyers, written straight into the database: conversations with messages, and what a resume replays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files

import asyncpg

from bench.people import Person
from fairwire_server.database.queries import parse_queries

__all__ = ["contacts"]


async def contacts(
    dsn: str,
    buyers: Sequence[Person],
    mains: Sequence[Person],
    *,
    each: int,
    open_chats: int,
    messages: int,
    events: bool = False,
) -> None:
    """`each` conversations for every buyer, the newest `open_chats` of them open and `messages` long, the others one.

    With `events` their messages are in the log too: for buyers with one conversation, whose stream ends at 100.
    """
    sql = parse_queries(files("bench").joinpath("contacts.sql").read_text("utf-8"), "contacts.sql")
    now, ids = datetime.now(UTC), [buyer.id for buyer in buyers]
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SET session_replication_role = replica")
        fair = await connection.fetchval("SELECT fair_id FROM account WHERE id = $1", ids[0])
        homes = [main.exhibitor for main in mains]
        await connection.execute(sql["conversations"], fair, ids, homes, each, open_chats, messages, now)
        await connection.execute(sql["participants"], ids)
        await connection.execute(sql["messages"], ids, now)
        await connection.execute(sql["streams"], ids, each)
        if events:
            await connection.execute(sql["events"], ids, messages, now)
        await connection.execute(sql["statistics"])
    finally:
        await connection.close()
