"""A search finds exactly what its reader could find by reading everything it may read (A1, A4, A7, C9, C12, C15)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fairwire_protocol.errors import FairwireError
from fairwire_protocol.operations import chat as operations
from fairwire_server.chat.search import Search
from fairwire_server.chat.search_store import SearchStore
from fairwire_server.context import Context
from tests.chat.desk import Desk
from tests.harness.node import running_node
from tests.harness.postgres import Cluster

READERS = ("buyer", "buyer2", "main", "manager", "sales", "sales2", "rival", "rival_sales", "far_buyer", "far_main")
PAIRS = (("buyer", "acme"), ("buyer", "rival"), ("buyer2", "acme"), ("buyer2", "rival"), ("far_buyer", "far"))
TEAMS = {"acme": ("main", "manager", "sales", "sales2"), "rival": ("rival", "rival_sales"), "far": ("far_main",)}
CONTEXT = Context(cid=None, correlation="test", address="127.0.0.1")

# A run of Chinese or a word; pieces are joined by spaces, so that what a query must find can be said without any token.
HAN, WORDS = "展会广交易", ("boot", "booth", "Booths", "price", "precio")
PIECE = st.text(HAN, min_size=1, max_size=4) | st.sampled_from(WORDS)
TEXT = st.lists(PIECE, min_size=1, max_size=5).map(" ".join)
QUERY = st.text(HAN, min_size=1, max_size=3) | st.sampled_from(("b", "boo", "BOOTH", "pre", "price", "x"))
ACT = st.tuples(
    st.integers(0, len(PAIRS) - 1),
    st.sampled_from(("ask", "ask", "answer", "answer", "transfer", "recall")),
    TEXT,
    st.integers(0, 3),
)

GIVEN_AWAY = [
    (0, "ask", "展会", 0),
    (0, "transfer", "", 2),
    (0, "answer", "boot", 0),
    (0, "transfer", "", 3),
    (0, "answer", "price", 0),
    (0, "ask", "booth", 0),
]
"""A colleague gives the chat away, and what is said then is no longer its own (C9)."""


def matches(query: str, text: str) -> bool:
    """What C15 says, for texts and queries as they are made above."""
    if query[0] in HAN:
        return query in text
    return any(word.lower().startswith(query.lower()) for word in text.split())


@dataclass
class World:
    """A node whose chats grow from example to example, and ways to search it: as shipped, and looking through few messages."""

    desk: Desk
    searches: tuple[Search, ...]
    conversations: dict[int, UUID] = field(default_factory=dict)

    async def act(self, pair: int, act: str, text: str, number: int) -> None:
        """One thing that happens in one chat; what is not allowed just now does not happen."""
        buyer, exhibitor = PAIRS[pair]
        if pair not in self.conversations:
            self.conversations[pair] = await self.desk.open(buyer, exhibitor)
            await self.desk.say(buyer, self.conversations[pair], text)
        conversation = self.conversations[pair]
        holder = await self.desk.holder(conversation)
        team = TEAMS[exhibitor]
        if act in {"ask", "answer"}:
            await self.desk.say(buyer if act == "ask" else holder, conversation, text)
        elif act == "transfer" and team[number % len(team)] != holder:
            await self.desk.transfer(holder, conversation, team[number % len(team)])
        elif act == "recall":
            page = await self.desk.call(buyer, "chat.history", conversation=conversation)
            await self.desk.code(buyer, "chat.recall", conversation=conversation, seq=page.messages[-1].seq)

    async def readable(self, who: str, conversation: UUID) -> dict[int, str]:
        """Every text that `who` can read in a conversation, page by page."""
        found: dict[int, str] = {}
        after = 0
        while True:
            try:
                page = await self.desk.call(who, "chat.history", conversation=conversation, after=after, limit=100)
            except FairwireError as error:
                if error.code not in {"not_found", "forbidden"}:
                    raise
                return {}
            found.update({message.seq: message.text for message in page.messages if message.text is not None})
            if not page.more_after:
                return found
            after = page.messages[-1].seq

    async def found(self, search: Search, who: str, **fields: Any) -> list[operations.Hit]:
        """Every hit, page by page."""
        caller = await self.desk.caller(who)
        hits: list[operations.Hit] = []
        before: str | None = None
        while True:
            reply = await search.search(caller, CONTEXT, operations.Search(before=before, limit=2, **fields))
            hits += reply.hits
            if (before := reply.next) is None:
                return hits


@pytest.fixture(scope="module")
async def world(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One node for all examples."""
    async with postgres.database() as url, running_node(url, tmp_path_factory.mktemp("node")) as running:
        ground = running.node.ground
        # Pages of 2: with 2 looked through only the index of words fills one, with 6 also the newest messages do.
        short = (
            Search(running.node.works, SearchStore(), ground.contact_store, ground.search_tokens, looked_through=number)
            for number in (2, 6)
        )
        yield World(Desk(running), (running.node.services.search, *short))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@example(GIVEN_AWAY, ["boo", "price"])
@given(st.lists(ACT, min_size=4, max_size=12), st.lists(QUERY, min_size=2, max_size=3, unique=True))
async def test_c9_c15_search_finds_what_history_shows_and_nothing_else(
    world: World, acts: list[tuple[int, str, str, int]], queries: list[str]
) -> None:
    """For every role: the same messages, newest first, each once over all pages, by every way of looking."""
    for act in acts:
        await world.act(*act)
    await world.desk.running.node.services.indexer.recover()
    for who in READERS:
        texts = {c: await world.readable(who, c) for c in world.conversations.values()}
        for query in queries:
            expected = {(c, seq) for c, said in texts.items() for seq, text in said.items() if matches(query, text)}
            for search in world.searches:
                hits = await world.found(search, who, query=query)
                places = [(hit.message.conversation, hit.message.seq) for hit in hits]
                assert set(places) == expected, (who, query)
                assert len(places) == len(set(places)), (who, query)
                assert [hit.message.ts for hit in hits] == sorted((hit.message.ts for hit in hits), reverse=True)
                for hit in hits:
                    assert hit.entry.conversation == hit.message.conversation
                    assert hit.message.text == texts[hit.message.conversation][hit.message.seq]
                    marked = [(hit.message.text or "")[start:end].lower() for start, end in hit.marks]
                    assert marked, (who, query, hit.message.text)
                    assert all(query.lower() in piece for piece in marked)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ACT, min_size=3, max_size=8), QUERY)
async def test_c9_c15_one_conversation_is_searched_as_far_as_it_may_be_read(
    world: World, acts: list[tuple[int, str, str, int]], query: str
) -> None:
    for act in acts:
        await world.act(*act)
    await world.desk.running.node.services.indexer.recover()
    for who in READERS:
        for conversation in world.conversations.values():
            said = await world.readable(who, conversation)
            expected = {seq for seq, text in said.items() if matches(query, text)}
            for search in world.searches:
                try:
                    hits = await world.found(search, who, query=query, conversation=conversation)
                except FairwireError as error:
                    if error.code != "not_found":
                        raise
                    hits = []
                assert {hit.message.seq for hit in hits} == expected, (who, query)


async def test_a4_a7_neither_organiser_nor_exhibit_account_searches(world: World) -> None:
    assert await world.desk.code("organiser", "chat.search", query="展") == "forbidden"
    assert await world.desk.code("exhibit", "chat.search", query="展") == "forbidden"
