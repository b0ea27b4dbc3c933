"""The indexer: makes committed texts findable within two seconds, and never holds up a message (C15).

It is fed after each commit and writes what it was fed in batches. The feed is only memory: what a crash, a full queue or a
failure left out is found by looking for texts without a row, from `search_progress.done_to` on, at the start and once a minute.
Writing a text twice changes nothing, so the two ways need not know of each other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from fairwire_protocol.errors import Unavailable
from fairwire_server.chat.records import Accepted
from fairwire_server.chat.search_store import SearchStore
from fairwire_server.chat.search_tokens import SearchTokens
from fairwire_server.database.work import Works

__all__ = ["Indexer"]

GATHER_S: Final = 0.2  # a batch gathers this long: fewer and larger transactions
BATCH: Final = 100
"""What waits for its rows, such as a recall, waits half as long as for 500; that costs a tenth more CPU."""
MANY: Final = 500
FEW: Final = 20
"""Up to `MANY` that wait are written so few at a time, with a rest as long after each: whoever talks meanwhile has the processor in
between, and the latest of a hundred messages come half as late. Of more, rests would make them wait too long."""
WAITING: Final = 20_000
AT_ONCE: Final = 4_000  # characters tokenised before other tasks get their turn: about 1 ms
RECOVER_S: Final = 60.0
RETRY_S: Final = (0.5, 1.0, 2.0, 5.0)
MARGIN: Final = timedelta(minutes=2)  # far above a transaction's time limit and two nodes' clocks apart
STRETCH: Final = timedelta(seconds=5)  # at first, and where many are talking
STRETCH_MIN: Final = timedelta(milliseconds=1)
STRETCH_MAX: Final = timedelta(days=7)
LOOK_S: Final = 0.025
"""A stretch that takes longer to look through is followed by one half as long, and the processor is shared with whoever talks."""


class Indexer:
    """`feed` it after commit; `run` must be running, once per process. It holds at most `waiting_max` texts, and writes at most
    `batch` in one transaction."""

    def __init__(
        self, works: Works, store: SearchStore, tokens: SearchTokens, *, batch: int = BATCH, waiting_max: int = WAITING
    ) -> None:
        self._works = works
        self._store = store
        self._tokens = tokens
        self._batch = batch
        self._waiting_max = waiting_max
        self._waiting: deque[Accepted] = deque()
        self._wake = asyncio.Event()
        self._left_out = False
        self._stretch = STRETCH
        self._log = structlog.get_logger("indexer")

    def feed(self, accepted: Sequence[Accepted]) -> None:
        """Texts that were just committed. Never waits; what finds no room is left to the recovery."""
        room = self._waiting_max - len(self._waiting)
        if len(accepted) > room:
            self._left_out = True
        self._waiting.extend(accepted[: max(0, room)])
        self._wake.set()

    @property
    def waiting(self) -> int:
        """Texts fed and not yet written."""
        return len(self._waiting)

    async def run(self, *, recover: bool = True) -> None:
        """Index what is fed and, unless a worker does that, recover what is not; until cancelled. What then waits is recovered."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write_fed())
            if recover:
                group.create_task(self._keep_recovering())

    async def _write_fed(self) -> None:
        while True:
            await self._wake.wait()
            await self._works.clock.sleep(GATHER_S)
            self._wake.clear()
            if len(self._waiting) > MANY:
                # What comes meanwhile gathers too: many small transactions would cost more than it gains.
                for _ in range(0, len(self._waiting), self._batch):
                    await self._write_next(self._batch)
            else:
                while 0 < len(self._waiting) <= MANY:
                    began = self._works.clock.monotonic()
                    await self._write_next(FEW)
                    await self._works.clock.sleep(self._works.clock.monotonic() - began)

    async def _write_next(self, count: int) -> None:
        await self._insist([self._waiting.popleft() for _ in range(min(count, len(self._waiting)))])

    async def _insist(self, batch: Sequence[Accepted]) -> None:
        """Write a batch; while the database is away wait for it, the feed growing no further than its bound."""
        attempt = 0
        while True:
            try:
                await self.write(batch)
            except Unavailable as error:
                self._log.warning("search index waits", code=error.code, waiting=len(self._waiting))
                await self._works.clock.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
            else:
                return

    async def _keep_recovering(self) -> None:
        while True:
            try:
                await self.recover()
            except Unavailable as error:
                self._log.warning("search index not recovered", code=error.code)
            for _ in range(int(RECOVER_S)):
                await self._works.clock.sleep(1.0)
                if self._left_out and not self._waiting:
                    break

    async def recover(self) -> int:
        """Index every committed text that has no row, from where it is known to be complete; answers how many there were.

        Stretches of time are looked at one by one, longer ones where little was said and little is missing, with a rest as long
        after each: there may be a million to recover, and messages come first. One that is too much for a time limit ends this
        attempt, and the next one begins there with a shorter stretch.
        """
        self._left_out = False
        self._stretch = min(self._stretch, STRETCH)
        async with self._works.read() as work:
            start = await self._store.done_to(work.connection)
            now = work.now
        start = now if start is None else start
        count = 0
        before: list[Accepted] = []
        while start < now:
            end = min(start + self._stretch, now + MARGIN)
            began = self._works.clock.monotonic()
            try:
                texts = await self._unindexed(start, end)
            except Unavailable:
                self._stretch = max(self._stretch / 4, STRETCH_MIN)
                raise
            looked = self._works.clock.monotonic() - began
            if len(texts) > self._batch and self._stretch > STRETCH_MIN:
                self._stretch /= 2
                continue
            await self.write(texts[: self._batch])
            count += len(texts[: self._batch])
            await self._works.clock.sleep(self._works.clock.monotonic() - began)
            if len(texts) <= self._batch or texts == before:  # all of it, or what cannot be written at all
                start = end
                if looked <= LOOK_S or self._stretch < STRETCH:
                    self._stretch = min(self._stretch * 2, STRETCH_MAX)
                else:
                    self._stretch = max(self._stretch / 2, STRETCH)
                await self._done_to(min(start, now - MARGIN))
            before = texts
        if count:
            self._log.info("search index recovered", messages=count)
        return count

    async def _unindexed(self, start: datetime, end: datetime) -> list[Accepted]:
        async with self._works.read() as work:
            return await self._store.unindexed(work.connection, start, end, self._batch + 1)

    async def _done_to(self, at: datetime) -> None:
        async with self._works.begin() as work:
            await self._store.set_done_to(work.connection, at)

    async def write(self, texts: Sequence[Accepted]) -> None:
        """Write texts in one transaction. When something in it is refused for good each is written alone, and what cannot be is
        passed over: one text must not keep the others from being found."""
        if not texts:
            return
        tokens = await self._tokenised(texts)
        try:
            await self._write(texts, tokens)
        except Unavailable:
            raise
        except Exception:
            if len(texts) == 1:
                self._log.exception("text not indexed", conversation=str(texts[0].conversation), seq=texts[0].seq)
                return
            for text in texts:
                await self.write([text])

    async def _write(self, texts: Sequence[Accepted], tokens: Sequence[str]) -> None:
        async with self._works.alone() as work:
            await self._store.index(work.connection, texts, tokens)

    async def _tokenised(self, texts: Sequence[Accepted]) -> list[str]:
        tokens: list[str] = []
        characters = 0
        for text in texts:
            if (characters := characters + len(text.text)) > AT_ONCE:
                await asyncio.sleep(0)
                characters = 0
            tokens.append(self._tokens.index_tokens(text.text))
        return tokens
