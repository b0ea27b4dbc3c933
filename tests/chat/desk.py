"""Operations of a running node by name, past its doors: permission, rate and handler, with the caller read as the doors read it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import msgspec

from fairwire_protocol.errors import FairwireError
from fairwire_protocol.operations import CATALOGUE, Request
from fairwire_server.accounts.rules import Caller
from fairwire_server.context import Context
from tests.harness.node import Running

__all__ = ["QUERIES", "Desk", "until"]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Returns once it holds; the test's own time limit ends the wait."""
    while True:
        if await holds():
            return
        await asyncio.sleep(0)


class Desk:
    """What the cast of a fairground does. Names are those of `tests.harness.fairground`."""

    def __init__(self, running: Running) -> None:
        self.running = running

    async def caller(self, who: str) -> Caller:
        """The member of the cast as it is now."""
        node = self.running.node
        async with node.works.read() as work:
            return await node.ground.callers.find(work, self.running.ground[who].session)

    async def call(self, who: str, operation: str, *, cid: UUID | None = None, **fields: Any) -> Any:
        """The reply of an operation, or its error raised."""

        def decode(kind: type[Request]) -> Request:
            return msgspec.convert(fields, kind)

        context = self.context(cid)
        door: Any = "http" if operation in {"chat.image", "chat.thumbnail"} else "socket"
        return await self.running.node.dispatch.call(operation, await self.caller(who), context, decode, door=door)

    async def code(self, who: str, operation: str, **fields: Any) -> str:
        """The error code of an operation, `ok` if it has none."""
        try:
            await self.call(who, operation, **fields)
        except FairwireError as error:
            return error.code
        return "ok"

    async def upload(self, who: str, data: bytes) -> Any:
        """An uploaded image."""
        dispatch, caller, context = self.running.node.dispatch, await self.caller(who), self.context()
        lane = dispatch.admit("chat.upload_image", caller, context, "http")
        return await dispatch.run(lane, caller, context, msgspec.convert({}, lane.operation.request), data)

    async def open(self, buyer: str, exhibitor: str = "acme") -> UUID:
        """The conversation of a buyer and an exhibitor."""
        reply = await self.call(buyer, "chat.open", exhibitor=self.running.ground.exhibitors[exhibitor])
        conversation: UUID = reply.entry.conversation
        return conversation

    async def say(self, who: str, conversation: UUID, text: str) -> int:
        """Send a text; answers its seq."""
        sent = await self.call(who, "chat.send", conversation=conversation, kind="text", text=text)
        seq: int = sent.seq
        return seq

    async def show(self, who: str, conversation: UUID, image: UUID) -> int:
        """Send an uploaded image; answers the message's seq."""
        sent = await self.call(who, "chat.send", conversation=conversation, kind="image", image=image)
        seq: int = sent.seq
        return seq

    async def transfer(self, who: str, conversation: UUID, to: str) -> None:
        """Give a chat away."""
        await self.call(who, "chat.transfer", conversation=conversation, to=self.running.ground[to].id)

    async def holder(self, conversation: UUID) -> str:
        """Who of the cast holds a conversation."""
        found: UUID = await self.value("holder", conversation)
        return next(name for name, somebody in self.running.ground.cast.items() if somebody.id == found)

    async def value(self, name: str, *args: Any) -> Any:
        """The first value of a query of `QUERIES`."""
        async with self.running.node.works.begin() as work:
            return await work.connection.fetchval(QUERIES[name], *args)

    def request(self, operation: str, **fields: Any) -> Any:
        """The request of an operation."""
        return msgspec.convert(fields, CATALOGUE[operation].request)

    def context(self, cid: UUID | None = None) -> Context:
        """What surrounds a call."""
        return Context(cid=cid or uuid4(), correlation="test", address="127.0.0.1")


QUERIES = {
    "holder": "SELECT holder_id FROM conversation WHERE id = $1",
    "change_account": "UPDATE account SET state = $2 WHERE id = $1",
    "indexed": "SELECT count(*) FROM message_search WHERE conversation_id = $1 AND tokens <> ''",
    "is_indexed": "SELECT EXISTS (SELECT FROM message_search WHERE conversation_id = $1 AND seq = $2 AND tokens <> '')",
    "indexed_when_said": "SELECT bool_and(s.at = m.at) FROM message_search s JOIN message m USING (conversation_id, seq)"
    " WHERE conversation_id = $1",
    "forget_index": "WITH gone AS (DELETE FROM message_search) DELETE FROM search_progress",
    "image_bytes": "SELECT image_bytes FROM account WHERE id = $1",
    "images": "SELECT count(*) FROM image",
    "audited": "SELECT count(*) FROM audit WHERE action = $1 AND actor_id = $2",
    "notices": "SELECT count(*) FROM account_event WHERE account_id = $1 AND type = 'notice'",
    "name_exhibitor": "UPDATE exhibitor SET name_tokens = $2::text::tsvector WHERE id = $1 RETURNING id",
    "done_to": "SELECT done_to FROM search_progress",
    "flag": "UPDATE message SET flagged = true WHERE conversation_id = $1 AND seq = $2 RETURNING seq",
    "lock_index": "LOCK TABLE message_search IN ACCESS EXCLUSIVE MODE",
    "locks_waited_for": "SELECT count(*) FROM pg_locks WHERE NOT granted",
}
"""Looks behind the operations."""
