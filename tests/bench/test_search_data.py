"""`make bench-search` builds its own fair, past the server and its triggers: it must be one that the schema of today takes."""

from __future__ import annotations

import asyncpg

from bench.search_data import build
from fairwire_server.chat.search_tokens import SearchTokens
from fairwire_server.folding import Folding

MESSAGES = 100


async def test_the_fair_of_the_search_bench_is_one_of_this_schema(database_url: str) -> None:
    await build(database_url, SearchTokens(Folding()), messages=MESSAGES)
    connection = await asyncpg.connect(database_url)
    try:
        packed = await connection.fetchval("SELECT bool_and(card = exhibitor_card(e)) FROM exhibitor e")
        found = await connection.fetchval(
            "SELECT count(*) FROM message m JOIN message_search s USING (conversation_id, seq) WHERE s.tokens <> ''"
        )
        options = await connection.fetchval(
            "SELECT reloptions FROM pg_class WHERE oid = 'message_search_tokens'::regclass"
        )
    finally:
        await connection.close()
    assert packed
    assert found == MESSAGES
    assert "fastupdate=on" in options
