"""Lanes: messages leave the outbox one at a time per conversation, in the order they were written (W8, W16).

A lane waits at a temporary error and steps over a final one after telling the user; it never skips or reorders. What it sends
keeps its cid, so that sending it once more after a cut is the same message (W7).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec

from fairwire.errors import Pending, Stopped
from fairwire.feed import SendFailed, SendQueued
from fairwire.outbox import Outbox, Unsent
from fairwire.timing import Timing
from fairwire_protocol.codec import Codec
from fairwire_protocol.errors import FairwireError
from fairwire_protocol.operations.chat import SEND, SendMessage, Sent

__all__ = ["Lanes"]

_log = logging.getLogger("fairwire")
Exchange = Callable[[str, object, UUID], Awaitable[msgspec.Raw]]


class Lanes:
    """Sends what is in the outbox."""

    def __init__(
        self,
        outbox: Outbox,
        exchange: Exchange,
        tell: Callable[[SendQueued | SendFailed], None],
        codec: Codec,
        timing: Timing,
    ) -> None:
        self._outbox = outbox
        self._exchange = exchange
        self._tell = tell
        self._codec = codec
        self._timing = timing
        self._lanes: dict[UUID, deque[Unsent]] = {}
        self._waiters: dict[UUID, asyncio.Future[Sent]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def unsent(self) -> tuple[Unsent, ...]:
        """What the server has not acknowledged, by conversation."""
        return tuple(message for lane in self._lanes.values() for message in lane)

    async def resume(self) -> None:
        """Go on with what an earlier run left behind."""
        for message in await self._outbox.all():
            self._enqueue(message)

    async def send(self, request: SendMessage, cid: UUID, timeout: float | None) -> Sent:
        """Write a message to the outbox and wait until the server has stored it; `Pending` if that takes too long."""
        waiter = self._waiters.get(cid)
        if waiter is None:
            waiter = self._waiters[cid] = asyncio.get_running_loop().create_future()
            if all(message.cid != cid for message in self.unsent):
                message = Unsent(cid, request.conversation, request.kind, request.text, request.image)
                await self._outbox.add(message)
                self._enqueue(message)
        done, _ = await asyncio.wait({waiter}, timeout=timeout)
        if not done:
            self._waiters.pop(cid, None)
            raise Pending(SEND.name, cid)
        return waiter.result()

    async def close(self) -> None:
        """Stop sending; what is unsent stays in the outbox."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._refuse_waiters(Stopped(None, "the client was closed"))

    def _refuse_waiters(self, error: Exception) -> None:
        for waiter in self._waiters.values():
            if not waiter.done():
                waiter.set_exception(error)
                waiter.exception()  # its sender may have been cancelled meanwhile; nobody has to look
        self._waiters.clear()

    def _enqueue(self, message: Unsent) -> None:
        lane = self._lanes.get(message.conversation)
        if lane is not None:
            lane.append(message)
            return
        self._lanes[message.conversation] = deque([message])
        task = asyncio.create_task(self._run(message.conversation), name="fairwire-lane")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a lane of the outbox has failed", exc_info=error)

    async def _run(self, conversation: UUID) -> None:
        lane = self._lanes[conversation]
        while lane:
            message = lane[0]
            try:
                sent = await self._deliver(message)
            except FairwireError as error:
                await self._outbox.remove(message.cid)
                lane.popleft()
                self._tell(SendFailed(conversation, message.cid, error))
                self._settle(message.cid, error)
            except Stopped as stopped:
                self._refuse_waiters(stopped)
                return
            else:
                await self._outbox.remove(message.cid)
                lane.popleft()
                self._settle(message.cid, sent)
        del self._lanes[conversation]

    async def _deliver(self, message: Unsent) -> Sent:
        """Ask until the answer is final."""
        request = SendMessage(
            conversation=message.conversation, kind=message.kind, text=message.text, image=message.image
        )
        while True:
            try:
                return self._codec.decode(await self._exchange(SEND.name, request, message.cid), Sent)
            except FairwireError as error:
                if error.retry_after_ms is None:
                    raise
                self._tell(SendQueued(message.conversation, message.cid, error))
                await self._timing.sleep(error.retry_after_ms / 1000 * (1 + self._timing.random()))

    def _settle(self, cid: UUID, outcome: Sent | FairwireError) -> None:
        waiter = self._waiters.pop(cid, None)
        if waiter is None or waiter.done():
            return
        if isinstance(outcome, FairwireError):
            waiter.set_exception(outcome)
            waiter.exception()  # as above
        else:
            waiter.set_result(outcome)
