"""Calls of one socket in flight: how many, in which order, and their answers (W7, W8)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from fairwire_protocol import frames
from fairwire_protocol.codec import Codec
from fairwire_protocol.errors import Close, FairwireError
from fairwire_server.context import Context
from fairwire_server.doors.dispatch import Dispatch
from fairwire_server.observe import new_correlation

if TYPE_CHECKING:  # shells are strangers to each other; compose introduces them
    from fairwire_server.hub.socket import Socket

__all__ = ["Calls", "error_frame"]

PARALLEL: Final = frozenset({"chat.read", "chat.typing", "chat.looking", "chat.history", "chat.show", "chat.transfers"})
"""Operations on a conversation that may overtake what is written to it: reads, receipts, what is never stored."""
ABUSE_MAX: Final = 200
HEEDED: Final = 4
ABUSE_RETRY_MS: Final = 5000
"""W12: a socket is closed with 4004 once its calls refused as too often are 200 ahead of four times its other calls."""


class Calls:
    """Runs calls: a few at once, at most one that writes per conversation."""

    __slots__ = ("_abuse", "_address", "_dispatch", "_in_flight", "_socket", "_tasks", "_writing")

    def __init__(self, socket: Socket, dispatch: Dispatch, in_flight: int, address: str) -> None:
        self._socket = socket
        self._dispatch = dispatch
        self._in_flight = in_flight
        self._address = address
        self._tasks: set[asyncio.Future[Any]] = set()
        self._writing: dict[int, asyncio.Future[Any]] = {}
        self._abuse = 0

    def start(self, call: frames.Call) -> Coroutine[Any, Any, None] | None:
        """Start a call. If it must wait for its turn (W8), answers what is to be awaited first; nothing is read meanwhile."""
        conversation = _written_conversation(call, self._socket.codec)
        free = conversation is None or conversation not in self._writing
        if free and len(self._tasks) < self._in_flight and not self._socket.over_half():
            self._begin(call, conversation)
            return None
        return self._start_later(call, conversation)

    async def _start_later(self, call: frames.Call, conversation: int | None) -> None:
        self._socket.unread = True
        try:
            await self._turn(conversation)
        finally:
            self._socket.unread = False
        self._begin(call, conversation)

    def _begin(self, call: frames.Call, conversation: int | None) -> None:
        task: asyncio.Future[Any] | None
        if self._dispatch.asks(call.op):
            if (task := self._ask(call)) is None:
                return
        else:
            task = asyncio.get_running_loop().create_task(self._answer(call))
        self._tasks.add(task)
        if conversation is None:
            task.add_done_callback(self._tasks.discard)
        else:
            self._writing[conversation] = task
            task.add_done_callback(lambda done: self._written(conversation, done))

    async def _turn(self, conversation: int | None) -> None:
        """Return once a call that writes to `conversation` may run."""
        while len(self._tasks) >= self._in_flight:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        while self._socket.over_half() and self._socket.closing is None:
            try:
                await self._socket.drained()
            except TimeoutError:
                self._socket.close(Close.TOO_SLOW, "answers are not read")
        if conversation is not None and (before := self._writing.get(conversation)) is not None:
            await asyncio.wait([before])

    async def finished(self) -> None:
        """Return once every call has ended; their effects last, whoever hears the answers."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def _written(self, conversation: int, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if self._writing.get(conversation) is task:
            del self._writing[conversation]

    def _ask(self, call: frames.Call) -> asyncio.Future[Any] | None:
        """Have it answered without a task. Answers None where it is refused at once."""
        context, duplicate = self._context(call)
        codec = self._socket.codec

        def answer(reply: Any, error: FairwireError | None) -> None:
            if error is None:
                self._reply(call, reply, duplicate)
            else:
                self._refuse(call, context, error)

        try:
            return self._dispatch.ask(
                call.op, self._socket.caller, context, lambda type_: codec.decode(call.args, type_), answer
            )
        except FairwireError as error:
            self._refuse(call, context, error)
            return None

    async def _answer(self, call: frames.Call) -> None:
        context, duplicate = self._context(call)
        codec = self._socket.codec
        try:
            reply = await self._dispatch.call(
                call.op, self._socket.caller, context, lambda type_: codec.decode(call.args, type_), door="socket"
            )
        except FairwireError as error:
            self._refuse(call, context, error)
            return
        self._reply(call, reply, duplicate)

    def _context(self, call: frames.Call) -> tuple[Context, _Flag]:
        duplicate = _Flag()
        context = Context(
            cid=call.cid,
            correlation=new_correlation(),
            address=self._address,
            socket=self._socket.number,
            duplicate=duplicate.raise_,
        )
        return context, duplicate

    def _reply(self, call: frames.Call, reply: Any, duplicate: _Flag) -> None:
        self._watch_abuse(limited=False)
        result = msgspec.Raw(self._socket.codec.encode(reply))
        self._socket.send(frames.Reply(cid=call.cid, result=result, duplicate=duplicate.up))

    def _refuse(self, call: frames.Call, context: Context, error: FairwireError) -> None:
        socket = self._socket
        socket.send(error_frame(socket.codec, error, call.cid, context.correlation))
        self._watch_abuse(limited=error.code == "rate_limited")
        if error.code == "suspended":
            socket.close(Close.SUSPENDED, error.message)
        elif error.code == "unauthenticated":
            socket.close(Close.SUSPENDED, "the session is over")

    def _watch_abuse(self, *, limited: bool) -> None:
        """Close a socket that goes on calling as if nobody had told it when to come back (W12)."""
        self._abuse = self._abuse + 1 if limited else max(0, self._abuse - HEEDED)
        if self._abuse >= ABUSE_MAX:
            self._socket.close(Close.OVERLOADED, "too many calls too often", ABUSE_RETRY_MS)


class _Flag:
    """Raised by a service that answers with an earlier result."""

    __slots__ = ("up",)

    def __init__(self) -> None:
        self.up = False

    def raise_(self) -> None:
        self.up = True


class _Conversation(msgspec.Struct):
    conversation: UUID | None = None


def _written_conversation(call: frames.Call, codec: Codec) -> int | None:
    """The number of the conversation a call writes to, for its order (W8); reads and receipts need none. To look a UUID up costs more."""
    if not call.op.startswith("chat.") or call.op in PARALLEL:
        return None
    try:
        conversation = codec.decode(call.args, _Conversation).conversation
    except FairwireError:
        return None
    return None if conversation is None else conversation.int


def error_frame(codec: Codec, error: FairwireError, cid: UUID | None, correlation: str | None) -> frames.Error:
    """A refusal as its frame."""
    return frames.Error(
        code=error.code,
        message=error.message,
        cid=cid,
        field=error.field,
        retry_after_ms=error.retry_after_ms,
        detail=msgspec.UNSET if error.detail is None else msgspec.Raw(codec.encode(error.detail)),
        correlation=correlation,
    )
