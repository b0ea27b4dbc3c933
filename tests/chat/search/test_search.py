"""Search as its users meet it: names, marks, paging, odd queries (C9, C12, C15, C19)."""

from __future__ import annotations

from uuid import uuid4

import pytest

from fairwire_server.chat.search import Search
from fairwire_server.chat.search_store import SearchStore
from tests.chat.desk import Desk


async def indexed(desk: Desk) -> None:
    """Whatever was said can be found."""
    await desk.running.node.services.indexer.recover()


async def texts(desk: Desk, who: str, query: str) -> list[str | None]:
    """What a search finds."""
    await indexed(desk)
    return [hit.message.text for hit in (await desk.call(who, "chat.search", query=query)).hits]


async def test_c15_one_character_and_any_piece_of_chinese_are_found(desk: Desk) -> None:
    conversation = await desk.open("buyer")
    await desk.say("buyer", conversation, "我们在广交会见面")
    for query in ("我", "面", "广交", "交会", "广交会见", "廣交會"):
        assert await texts(desk, "main", query) == ["我们在广交会见面"], query
    assert await texts(desk, "main", "交广") == []


async def test_c15_latin_words_by_prefix_without_case_and_accents(desk: Desk) -> None:
    conversation = await desk.open("buyer")
    await desk.say("buyer", conversation, "Precio del CAMIÓN, modelo AB-1200")
    for query in ("camion", "CAM", "prec", "ab1200", "1200", "precio modelo"):
        assert await texts(desk, "buyer", query) == ["Precio del CAMIÓN, modelo AB-1200"], query
    assert await texts(desk, "buyer", "amion") == []


async def test_c15_marks_are_places_in_the_text_that_is_shown(desk: Desk) -> None:
    conversation = await desk.open("buyer")
    await desk.say("buyer", conversation, "x" * 3_000 + " 广交会 and 广交")
    await indexed(desk)
    (hit,) = (await desk.call("main", "chat.search", query="广交")).hits
    assert [hit.message.text[start:end] for start, end in hit.marks] == ["广交", "广交"]


@pytest.mark.parametrize("query", ["!?", "。", "🙂", " "])
async def test_c15_what_holds_no_word_finds_nothing(desk: Desk, query: str) -> None:
    conversation = await desk.open("buyer")
    await desk.say("buyer", conversation, "a text! 。🙂")
    assert await texts(desk, "buyer", query) == []


async def test_c15_what_looks_like_a_query_language_is_only_text(desk: Desk) -> None:
    conversation = await desk.open("buyer")
    await desk.say("buyer", conversation, "it's a | & ! (test):* \\ <->")
    for query in ("it's", "'", "test:*", "(test)", "a & b | !c", "\\", "<->", "test <-> it"):
        await desk.call("buyer", "chat.search", query=query)
    assert await texts(desk, "buyer", "(test):*") == ["it's a | & ! (test):* \\ <->"]


async def test_c12_a_recalled_message_is_never_found(desk: Desk) -> None:
    conversation = await desk.open("buyer")
    seq = await desk.say("buyer", conversation, "secret word")
    assert await texts(desk, "main", "secret") == ["secret word"]
    await desk.call("buyer", "chat.recall", conversation=conversation, seq=seq)
    assert not await desk.value("is_indexed", conversation, seq)
    assert await texts(desk, "main", "secret") == []


async def test_c15_contacts_are_found_by_name_by_both_sides(desk: Desk) -> None:
    for buyer in ("buyer", "buyer2"):
        await desk.say(buyer, await desk.open(buyer), "hello")
    found = (await desk.call("main", "chat.search", query="buyer")).contacts
    assert [entry.contact.name for entry in found] == ["Buyer2 先生", "Buyer 先生"]  # newest message first
    found = (await desk.call("main", "chat.search", query="先")).contacts
    assert len(found) == 2
    tokens = desk.running.node.ground.search_tokens.index_tokens("极致公司 Acme Ltd")
    await desk.value("name_exhibitor", desk.running.ground.exhibitors["acme"], tokens)
    for query in ("acm", "极", "公司"):
        (entry,) = (await desk.call("buyer", "chat.search", query=query)).contacts
        assert entry.contact.id == desk.running.ground.exhibitors["acme"]
    assert (await desk.call("buyer", "chat.search", query="rival")).contacts == ()


async def test_c15_c19_a_buyer_who_has_not_written_is_not_found_by_name(desk: Desk) -> None:
    await desk.open("buyer")
    assert (await desk.call("main", "chat.search", query="buyer")).contacts == ()


async def test_c9_names_are_found_within_the_own_scope(desk: Desk) -> None:
    conversation = await desk.open("buyer")
    await desk.say("buyer", conversation, "hello")
    holder = await desk.holder(conversation)
    assert holder == "main"
    assert (await desk.call("sales", "chat.search", query="buyer")).contacts == ()
    await desk.transfer("main", conversation, "sales")
    (entry,) = (await desk.call("sales", "chat.search", query="buyer")).contacts
    assert entry.holds
    await desk.transfer("sales", conversation, "sales2")
    (entry,) = (await desk.call("sales", "chat.search", query="buyer")).contacts
    assert entry.readable_to is not None
    assert (await desk.call("rival", "chat.search", query="buyer")).contacts == ()


async def test_c15_contacts_stand_on_the_first_page_only(desk: Desk) -> None:
    conversation = await desk.open("buyer")
    for number in range(5):
        await desk.say("buyer", conversation, f"buyer says {number}")
    await indexed(desk)
    first = await desk.call("main", "chat.search", query="buyer", limit=2)
    assert len(first.contacts) == 1
    second = await desk.call("main", "chat.search", query="buyer", limit=2, before=first.next)
    assert second.contacts == ()
    third = await desk.call("main", "chat.search", query="buyer", limit=2, before=second.next)
    assert third.next is None
    said = [hit.message.text for page in (first, second, third) for hit in page.hits]
    assert said == [f"buyer says {number}" for number in (4, 3, 2, 1, 0)]
    inside = await desk.call("main", "chat.search", query="buyer", conversation=conversation)
    assert inside.contacts == ()
    assert len(inside.hits) == 5


@pytest.mark.parametrize(
    "cursor", ["", "x", "1_2_3", f"1_{uuid4()}", f"1_{uuid4()}_-1", f"9{'9' * 40}_{uuid4()}_1"], ids=range(6)
)
async def test_a_cursor_that_is_none_is_invalid(desk: Desk, cursor: str) -> None:
    assert await desk.code("main", "chat.search", query="x", before=cursor) == "invalid"


async def test_a1_a_foreign_conversation_is_not_found(desk: Desk) -> None:
    conversation = await desk.open("buyer")
    await desk.say("buyer", conversation, "hello")
    for who in ("buyer2", "rival", "far_buyer", "far_main", "sales2"):
        assert await desk.code(who, "chat.search", query="hello", conversation=conversation) == "not_found", who
    assert await desk.code("main", "chat.search", query="hello", conversation=uuid4()) == "not_found"


@pytest.mark.parametrize("looked_through", [1, 8, 1_000])
async def test_c9_a_former_holder_finds_nothing_said_after_the_transfer(desk: Desk, looked_through: int) -> None:
    """By each way of looking: by the index of words, among the newest messages, and by reading everything."""
    node = desk.running.node
    conversation, other = await desk.open("buyer"), await desk.open("buyer2")
    for number in range(6):
        await desk.say("buyer", conversation, f"price {number}")
        await desk.say("buyer2", other, f"no {number}")
    for chat in (conversation, other):
        await desk.transfer("main", chat, "sales")
    await desk.transfer("sales", conversation, "sales2")
    for number in range(2):
        await desk.say("buyer", conversation, f"price for sales2 {number}")
    await indexed(desk)
    search = Search(
        node.works, SearchStore(), node.ground.contact_store, node.ground.search_tokens, looked_through=looked_through
    )
    reply = await search.search(
        await desk.caller("sales"), desk.context(), desk.request("chat.search", query="price", limit=2)
    )
    assert [hit.message.text for hit in reply.hits] == ["price 5", "price 4"]
    following = desk.request("chat.search", query="price", limit=10, before=reply.next)
    reply = await search.search(await desk.caller("sales"), desk.context(), following)
    assert [hit.message.text for hit in reply.hits] == ["price 3", "price 2", "price 1", "price 0"]
