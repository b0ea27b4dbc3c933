"""Running a command: one transaction, the caller read again in it, and one effect per cid (A6, W7).

A command whose operation has the effect `once` claims its cid first: a concurrent twin waits for the claim's transaction and
then finds the result. Refused commands roll the claim back and are decided anew. `idempotent` ones need no claim.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from fairwire_protocol.errors import Refused, Unavailable
from fairwire_protocol.operations import Operation, Request
from fairwire_server.accounts.callers import Callers
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.store import AccountStore
from fairwire_server.context import Context
from fairwire_server.database.work import Work, Works

__all__ = ["Commands", "fingerprint"]

ReplyT = TypeVar("ReplyT")
RequestT = TypeVar("RequestT", bound=Request)


def fingerprint(operation: str, request: Request) -> bytes:
    """What two commands of one cid must share to count as the same."""
    return sha256(operation.encode() + b"\0" + msgspec.msgpack.encode(request)).digest()[:16]


class Commands:
    """The way every mutating operation but `chat.send` (which works on lists) reaches the database."""

    def __init__(self, works: Works, callers: Callers, store: AccountStore) -> None:
        self._works = works
        self._callers = callers
        self._store = store

    async def run(
        self,
        operation: Operation[RequestT, ReplyT],
        caller: Caller,
        context: Context,
        request: RequestT,
        apply: Callable[[Work, Caller], Awaitable[ReplyT]],
    ) -> ReplyT:
        """Run `apply` once. Raises `cid_reused` for another command under the same cid, and whatever `apply` raises."""
        async with self._works.begin() as work:
            return await self.within(work, operation, caller, context, request, apply)

    async def within(
        self,
        work: Work,
        operation: Operation[RequestT, ReplyT],
        caller: Caller,
        context: Context,
        request: RequestT,
        apply: Callable[[Work, Caller], Awaitable[ReplyT]],
    ) -> ReplyT:
        """As `run`, as part of a transaction that ends with what this raises."""
        caller = await self._callers.recheck(work, caller)
        if operation.effect != "once":
            return await apply(work, caller)
        if context.cid is None:
            raise Refused("cid_required")
        print_ = fingerprint(operation.name, request)
        fresh = await self._store.claim_command(
            work.connection, caller.account, context.cid, operation.name, print_, work.now
        )
        if not fresh:
            return await self._earlier(work, caller, context, operation, print_)
        if await self._store.is_cid_of_message(work.connection, caller.account, context.cid):
            raise Refused("cid_reused")
        reply = await apply(work, caller)
        await self._store.keep_result(work.connection, caller.account, context.cid, msgspec.msgpack.encode(reply))
        return reply

    async def _earlier(
        self, work: Work, caller: Caller, context: Context, operation: Operation[Any, ReplyT], print_: bytes
    ) -> ReplyT:
        assert context.cid is not None
        row = await self._store.command_result(work.connection, caller.account, context.cid)
        if row is None:  # the twin we waited for was refused in between
            raise Unavailable(retry_after_ms=50)
        if row.operation != operation.name or row.fingerprint != print_:
            raise Refused("cid_reused")
        context.duplicate()
        return msgspec.msgpack.decode(row.reply, type=operation.reply)
