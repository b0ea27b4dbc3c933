"""Pages of history that lie beyond either end still say what is on the other side (C14)."""

from __future__ import annotations

import pytest

from tests.harness.node import Running
from tests.harness.peer import peer

LAST = 5


@pytest.mark.parametrize(
    ("asked", "seqs", "before", "after"),
    [
        ({"after": LAST}, [], True, False),
        ({"after": 9999}, [], True, False),
        ({"after": 0, "limit": 2}, [1, 2], False, True),
        ({"before": 1}, [], False, True),
        ({"before": 0}, [], False, True),
        ({"before": 9999, "limit": 2}, [4, 5], True, False),
        ({"around": 9999, "limit": 2}, [4, 5], True, False),
        ({"around": 0, "limit": 2}, [1, 2], False, True),
        ({"since": 9_000_000_000_000}, [], True, False),
        ({"since": 0, "limit": 2}, [1, 2], False, True),
    ],
)
async def test_a_page_tells_what_is_on_either_side_c14(
    running: Running, asked: dict[str, int], seqs: list[int], before: bool, after: bool
) -> None:
    async with peer(running.url, running.ground["buyer"].token) as buyer:
        opened = await buyer.ok("chat.open", exhibitor=str(running.ground.exhibitors["acme"]))
        conversation = opened["entry"]["conversation"]
        for number in range(LAST):
            await buyer.ok("chat.send", conversation=conversation, text=f"message {number}")
        page = await buyer.ok("chat.history", conversation=conversation, **asked)
        assert [message["seq"] for message in page["messages"]] == seqs
        assert (page.get("more_before", False), page.get("more_after", False)) == (before, after)


async def test_a_conversation_without_messages_has_nothing_on_either_side_c14(running: Running) -> None:
    async with peer(running.url, running.ground["buyer"].token) as buyer:
        opened = await buyer.ok("chat.open", exhibitor=str(running.ground.exhibitors["acme"]))
        conversation = opened["entry"]["conversation"]
        for asked in ({}, {"before": 9}, {"after": 9}, {"around": 9}, {"since": 0}):
            page = await buyer.ok("chat.history", conversation=conversation, **asked)
            assert page == {"messages": []}, asked
