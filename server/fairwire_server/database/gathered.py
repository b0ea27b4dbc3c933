"""Reads that are asked for at the same time are one statement: who comes while one is under way shares the next.

A storm of reconnects pays the planner, the round trip and the loop's turns once for many. Who comes alone does not wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from fairwire_protocol.errors import Unavailable

__all__ = ["Gathered"]

Key = TypeVar("Key")
Found = TypeVar("Found")


class Gathered(Generic[Key, Found]):
    """`read` answers what it has found for each key, in their order; at most `batch` keys at once, and `at_once` statements."""

    def __init__(
        self, read: Callable[[Sequence[Key]], Awaitable[Sequence[Found]]], *, batch: int, at_once: int
    ) -> None:
        self._read = read
        self._batch = batch
        self._at_once = at_once
        self._waiting: list[tuple[Key, asyncio.Future[Found]]] = []
        self._readers: set[asyncio.Task[None]] = set()
        self._under_way = 0
        """Readers that will look once more whether somebody waits; one that has finished may still be a task for a moment."""

    async def get(self, key: Key) -> Found:
        """What there is for the key. Raises what the statement raises."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Found] = loop.create_future()
        self._waiting.append((key, found))
        if self._under_way < self._at_once:
            self._under_way += 1
            reader = loop.create_task(self._work_off())
            self._readers.add(reader)
            reader.add_done_callback(self._readers.discard)
        return await found  # cancelled, it takes no answer any more; the others get theirs

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
                await self._answer(batch)
        finally:
            self._under_way -= 1

    async def _answer(self, batch: Sequence[tuple[Key, asyncio.Future[Found]]]) -> None:
        try:
            answers = await self._read([key for key, _ in batch])
        except asyncio.CancelledError:
            _fail(batch, Unavailable())
            raise
        except Exception as error:
            _fail(batch, error)
        else:
            for (_, found), answer in zip(batch, answers, strict=True):
                if not found.done():
                    found.set_result(answer)


def _fail(batch: Sequence[tuple[Key, asyncio.Future[Found]]], error: Exception) -> None:
    for _, found in batch:
        if not found.done():
            found.set_exception(error)
