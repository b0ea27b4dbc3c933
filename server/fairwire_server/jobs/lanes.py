"""Draining what is due: a lane for each provider, which one that is slow, paused or gone never holds up (N4, N5, N6).

A lane claims what its provider takes now and what it can hand over within the lease, and its senders render and hand over, several at
once. A worker sleeps until the next notice falls due or somebody says that one is; a hint may be lost, so it looks again now and
then. Outcomes are gathered and written together. Told to stop, lanes claim no more and let what they hold end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

import structlog

from fairwire_protocol.errors import FairwireError
from fairwire_server.clock import Clock
from fairwire_server.notices.claiming import Claims, Held
from fairwire_server.notices.outcomes import Ended, Outcomes
from fairwire_server.notices.parcels import Channel, ChannelKind, Taken, TryLater, Undeliverable
from fairwire_server.notices.rendering import Rendering
from fairwire_server.notices.rules import Failure

__all__ = ["Lanes"]

Answer = TypeVar("Answer")
BATCH: Final = 500
SENDERS: Final = 64
"""Parcels handed over at once to one provider; the channel itself may have fewer connections."""
WORTH_S: Final = 2.0
"""As much is claimed as that many seconds of handing over have lately been worth, so that leases hold."""
LOOK_S: Final = 5.0
"""Longest sleep of a lane: what a lost hint costs."""
PAUSE_S: Final = 1.0
SWEEP_S: Final = 5.0
GATHER_S: Final = 0.02
TURN_S: Final = 0.05
"""After some, and fewer than it takes at once, the app's lane waits that long for more."""
SLOWEST_S: Final = 25.0
"""A channel ends within its own time-out; one that does not is not waited for."""
NAMES: Final[tuple[ChannelKind, ...]] = ("email", "sms")


class Lanes:
    """`run` drains until it is stopped or cancelled; `hint` says that something may be due now."""

    def __init__(
        self, claims: Claims, outcomes: Outcomes, rendering: Rendering, channels: Sequence[Channel], clock: Clock
    ) -> None:
        self._claims = claims
        self._outcomes = outcomes
        self._rendering = rendering
        self._channels = channels
        self._clock = clock
        self._stopping = False
        self._stopped = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._wakes: list[asyncio.Event] = []
        self._ended: asyncio.Queue[Ended] = asyncio.Queue()
        self._log = structlog.get_logger("fairwire.notices")
        self.handed_over = 0
        """Parcels that channels have taken since the start."""
        self.under_way = 0
        """Notices held whose outcomes are not written yet."""

    def hint(self) -> None:
        """Something may be due now."""
        for wake in self._wakes:
            wake.set()

    async def drain(self, seconds: float) -> None:
        """Claim no more, and wait until what is held has ended, at most that long."""
        self._stopping = True
        self._stopped.set()
        self.hint()
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=seconds)

    async def run(self) -> None:
        """Drain everything that falls due. Cancelling it leaves what is held to its lease."""
        self._running = asyncio.ensure_future(self._run())
        try:
            await self._running
        except asyncio.CancelledError:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
            raise

    async def _run(self) -> None:
        for channel in self._channels:
            await self._until_done(partial(self._claims.know, channel.name, channel.kind, channel.rate))
        beside = [asyncio.ensure_future(self._write_outcomes()), asyncio.ensure_future(self._sweep())]
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._turns("in_app", partial(self._claims.tell_in_app, BATCH)))
                for channel in self._channels:
                    group.create_task(self._lane(channel))
                for kind in NAMES:
                    if all(channel.kind != kind for channel in self._channels):
                        group.create_task(self._turns(kind, partial(self._claims.divert, kind, BATCH)))
            await self._ended.join()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _turns(self, channel: str, turn: Callable[[], Awaitable[int]]) -> None:
        """What needs no provider: told, or diverted, where it is claimed."""
        wake = self._wake()
        while not self._stopping:
            wake.clear()
            done = await self._guarded(channel, turn)
            if done and done < BATCH:
                await asyncio.sleep(TURN_S)  # real time: what is gathered is other transactions' notices
            elif not done:
                await self._until_due(channel, wake, failed=done is None)

    async def _lane(self, channel: Channel) -> None:
        """One provider's claims, and its senders."""
        wake, low, room = self._wake(), asyncio.Event(), SENDERS
        queue: asyncio.Queue[Held] = asyncio.Queue()
        senders = [asyncio.ensure_future(self._send(channel, queue, low)) for _ in range(SENDERS)]
        try:
            while not self._stopping:
                wake.clear()
                claimed = await self._guarded(
                    channel.name, partial(self._claims.claim, channel.name, channel.kind, room)
                )
                held, wait = claimed if claimed is not None else ([], None)
                began = self._clock.boottime()
                low.clear()
                self.under_way += len(held)
                for one in held:
                    queue.put_nowait(one)
                if queue.qsize() > SENDERS // 2:
                    await low.wait()
                    room = _next_room(len(held), self._clock.boottime() - began)
                if wait is not None:
                    await self._sleep(wait, self._stopped)
                elif not held:
                    await self._until_due(channel.kind, wake, failed=claimed is None)
            await queue.join()
        finally:
            for sender in senders:
                sender.cancel()
            await asyncio.gather(*senders, return_exceptions=True)

    async def _send(self, channel: Channel, queue: asyncio.Queue[Held], low: asyncio.Event) -> None:
        """One of a lane's senders: a parcel after the other."""
        while True:
            await self._send_next(channel, queue, low)

    async def _send_next(self, channel: Channel, queue: asyncio.Queue[Held], low: asyncio.Event) -> None:
        """Wait for a parcel and hand it over. Its address stays in memory no longer than that."""
        held = await queue.get()
        if queue.qsize() <= SENDERS // 2:
            low.set()
        result, throttled = await self._hand_over(channel, held)
        self._ended.put_nowait(Ended(held, result, channel.name, throttled))
        queue.task_done()

    async def _hand_over(self, channel: Channel, held: Held) -> tuple[Taken | Failure, bool]:
        """Render, and give it away unless the lease is over; how that ended, and whether the provider has had too much."""

        def may_leave() -> bool:
            return self._clock.boottime() < held.leave_by

        if not may_leave():
            return Failure(reason="lease_over"), False
        try:
            parcel = self._rendering.parcel(held)
            async with asyncio.timeout(SLOWEST_S):
                taken = await channel.send(parcel, may_leave)
        except TryLater as error:
            return Failure(reason=error.reason, after_s=error.after_s, maybe_sent=error.maybe_sent), error.throttled
        except Undeliverable as error:
            return Failure(reason=error.reason, final=True), False
        except TimeoutError:
            return Failure(reason="timeout", maybe_sent=True), False
        except Exception as error:  # a fault of ours must not take the lane with it; its text may name an address
            self._log.error("notice not handed over", error=type(error).__name__, notice=str(held.notice.id))
            return Failure(reason="internal", maybe_sent=True), False
        self.handed_over += 1
        return taken, False

    async def _write_outcomes(self) -> None:
        while True:
            await self._write_some()

    async def _write_some(self) -> None:
        """Together what came together. A database that is away is waited for; the fence decides what still counts then."""
        batch = [await self._ended.get()]
        if self._ended.qsize() < BATCH:
            await asyncio.sleep(GATHER_S)  # real time: what is gathered is other parcels
        with suppress(asyncio.QueueEmpty):
            while len(batch) < BATCH:
                batch.append(self._ended.get_nowait())
        await self._until_done(partial(self._outcomes.write, batch))
        self.under_way -= len(batch)
        for _ in batch:
            self._ended.task_done()
        if any(isinstance(one.result, Failure) for one in batch):
            self.hint()

    async def _sweep(self) -> None:
        while True:
            if await self._guarded("sweep", self._outcomes.sweep):
                self.hint()
            await self._clock.sleep(SWEEP_S)

    async def _until_done(self, work: Callable[[], Awaitable[None]]) -> None:
        async def done() -> bool:
            await work()
            return True

        while not await self._guarded("write", done):
            await self._real_pause()

    @staticmethod
    async def _real_pause() -> None:
        """In real time, whatever the clock: what is waited for is the database, and nobody says when it is back."""
        await asyncio.sleep(PAUSE_S)

    async def _guarded(self, what: str, work: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """None for a failure, which is logged; the next turn comes."""
        try:
            return await work()
        except FairwireError as error:
            self._log.warning("notices put off", work=what, code=error.code)
        except Exception as error:
            self._log.exception("notices failed", work=what, error=type(error).__name__)
        return None

    def _wake(self) -> asyncio.Event:
        self._wakes.append(wake := asyncio.Event())
        return wake

    async def _until_due(self, channel: str, wake: asyncio.Event, *, failed: bool) -> None:
        """Until the next one of this channel falls due, or the longest sleep. A hint may be about another channel: then it goes on."""
        seconds = None if failed else await self._guarded(channel, partial(self._claims.earliest, channel))
        while True:
            longest = PAUSE_S if failed else LOOK_S
            await self._sleep(longest if seconds is None else min(longest, max(0.02, seconds)), wake)
            if self._stopping or not wake.is_set():
                return
            wake.clear()
            seconds = await self._guarded(channel, partial(self._claims.earliest, channel))
            if seconds is not None and seconds <= 0:
                return

    async def _sleep(self, seconds: float, wake: asyncio.Event) -> None:
        """By the injected clock; `wake` ends it early."""
        tasks = [asyncio.ensure_future(self._clock.sleep(seconds)), asyncio.ensure_future(wake.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()


def _next_room(claimed: int, seconds: float) -> int:
    """How many to claim next, when `claimed` took that long."""
    return BATCH if seconds <= 0 else max(SENDERS, min(BATCH, int(claimed / seconds * WORTH_S)))
