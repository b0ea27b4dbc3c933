"""Who gets a chat that opens again while its holder is being changed: nobody who holds a conversation waits for an account (A6, C6)."""

from __future__ import annotations

import pytest

from fairwire_protocol.errors import FairwireError
from tests.chat.desk import QUERIES, Desk


async def test_a_chat_that_opens_again_waits_for_no_account_that_is_changing_a6_c6(desk: Desk) -> None:
    """Whoever disables the holder will want this very chat: to wait for it while holding the chat would close a ring. The buyer is
    told to come again at once, and then somebody gets the chat who may receive it."""
    node = desk.running.node
    conversation = await desk.open("buyer")
    await desk.say("buyer", conversation, "hello")
    await desk.transfer("main", conversation, "sales")
    await desk.call("sales", "chat.handle", conversation=conversation)
    async with node.works.begin() as work:
        await work.connection.execute(QUERIES["change_account"], desk.running.ground["sales"].id, "disabled")
        with pytest.raises(FairwireError) as told:
            await desk.say("buyer", conversation, "are you there?")
        assert told.value.retry_after_ms == 100, "it has waited until its time was over"
        assert conversation in await node.ground.chat_store.lock(work.connection, [conversation]), "the chat is free"
    await desk.say("buyer", conversation, "are you there?")
    assert await desk.holder(conversation) != "sales"
