"""Which way PostgreSQL goes for a search: every statement of the handler as it was planned for the words of that call (C15).

`auto_explain` tells the plans of what is really executed, by the very path that a search takes.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import pytest

from fairwire_server.chat.search import Search
from fairwire_server.chat.search_store import SearchStore
from fairwire_server.database.queries import load_queries
from fairwire_server.database.work import Planned, Work, Works
from tests.chat.desk import Desk

TEXTS: Final = 20_000
LOOKED_THROUGH: Final = 1_000
PREPARE: Final = (
    "LOAD 'auto_explain'",
    "SET LOCAL auto_explain.log_min_duration = 0",
    "SET LOCAL auto_explain.log_format = 'json'",
    "SET LOCAL client_min_messages = 'log'",
)
NAMES: Final = {sql: name for name, sql in load_queries("fairwire_server.chat", "search.sql").items()}
FILL: Final = """
INSERT INTO message_search (conversation_id, seq, exhibitor_id, at, tokens)
SELECT gen_random_uuid(), 1, CASE WHEN n % 2 = 0 THEN $1 ELSE md5((n % 1201)::text)::uuid END,
       timestamptz '2026-11-01' + make_interval(secs => n),
       concat_ws(' ', 'w' || n % 997, CASE WHEN n % 4 = 0 THEN 'common' END, CASE WHEN n % 4 = 2 AND n < $2 / 2 THEN 'bygone' END,
           CASE WHEN n % 5000 = 8 THEN 'seldom' END)::tsvector
FROM generate_series(1, $2) n
"""


class Explained(Works):
    """Notes the plan of each statement of a transaction."""

    def __init__(self, works: Works) -> None:
        super().__init__(works.database, works.clock)
        self.plans: dict[str, dict[str, Any]] = {}

    @asynccontextmanager
    async def begin(self, *, planned: Planned = "once") -> AsyncIterator[Work]:
        """As ever, with PostgreSQL telling its plans."""
        async with super().begin(planned=planned) as work:
            for statement in PREPARE:
                await work.connection.execute(statement)
            work.connection.add_log_listener(self._heard)
            try:
                yield work
            finally:
                work.connection.remove_log_listener(self._heard)

    def _heard(self, _: object, message: asyncpg.PostgresLogMessage) -> None:
        _, found, told = str(message).partition("plan:")
        if found:
            plan = json.loads(told)
            self.plans[NAMES.get(plan["Query Text"], "")] = plan["Plan"]


def scans(plan: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The indexes that a plan goes by, each with how many rows it is believed to find there."""
    if "Index Name" in plan:
        yield plan["Index Name"], plan["Plan Rows"]
    for part in plan.get("Plans", ()):
        yield from scans(part)


@pytest.fixture
async def full(desk: Desk) -> Desk:
    """A thousand small exhibitors, and one with far more texts than are looked through one by one: every other one says `common`, the
    others of the older half `bygone`, and four `seldom`."""
    async with desk.running.node.works.begin() as work:
        await work.connection.execute(FILL, desk.running.ground.exhibitors["acme"], TEXTS)
        await work.connection.execute("SELECT gin_clean_pending_list('message_search_tokens')")
        await work.connection.execute("ANALYZE message_search")
    return desk


async def steps(desk: Desk, word: str) -> dict[str, list[tuple[str, int]]]:
    """The queries of a search that look for its words, each with its scans."""
    node = desk.running.node
    works = Explained(node.works)
    search = Search(
        works, SearchStore(), node.ground.contact_store, node.ground.search_tokens, looked_through=LOOKED_THROUGH
    )
    await search.search(await desk.caller("main"), desk.context(), desk.request("chat.search", query=word))
    return {name: list(scans(works.plans[name])) for name in ("newest", "lookup") if name in works.plans}


async def test_c15_the_newest_are_read_in_their_order_and_what_is_rare_is_looked_up_by_its_word(full: Desk) -> None:
    """However many texts an exhibitor has; and the planner knows how many that are, and how many hold the word."""
    found = await steps(full, "common")
    assert [index for index, _ in found["newest"]] == ["message_search_newest"]
    assert "lookup" not in found, "the page was full"
    believed = {}
    for word in ("seldom", "bygone"):
        found = await steps(full, word)
        ((index, rows),) = found["newest"]
        assert index == "message_search_newest"
        assert rows > TEXTS / 4, "planned for an exhibitor like any other"
        ((index, believed[word]),) = found["lookup"]
        assert index == "message_search_tokens"
    assert believed["seldom"] < 50 < TEXTS / 20 < believed["bygone"], "planned for any word"
