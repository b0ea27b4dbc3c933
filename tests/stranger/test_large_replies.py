"""A reply is as large as the page it carries; the client library takes the largest that there are (C4, C14)."""

from __future__ import annotations

import fairwire
from tests.harness.node import Running

MESSAGES = 100
LONGEST = "😀" * 4000  # four bytes each in UTF-8


async def test_the_longest_page_of_the_longest_messages_arrives_c14(running: Running) -> None:
    url, buyer = running.url, running.ground["buyer"]
    async with fairwire.connect(url, token=buyer.token) as client:
        opened = await client.chat.open(exhibitor=running.ground.exhibitors["acme"])
        conversation = opened.entry.conversation
        for _ in range(MESSAGES):
            await client.chat.send(conversation=conversation, text=LONGEST)
        page = await client.chat.history(conversation=conversation, limit=MESSAGES)
        assert [message.seq for message in page.messages] == list(range(1, MESSAGES + 1))
        assert all(message.text == LONGEST for message in page.messages)
