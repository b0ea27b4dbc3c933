"""Work on one row that many want to do: while a transaction is under way the others wait, and then all of them go into one.

Whoever comes to the turn does what has gathered; the others find theirs done. A transaction that fails with several in it is tried
again one by one, so that nobody pays for another's fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from fairwire_protocol.errors import Unavailable
from fairwire_server.database.errors import OutcomeUnknown
from fairwire_server.database.work import Work, Works

__all__ = ["Together"]

T = TypeVar("T")
BATCH: Final = 32
GATHER_S: Final = 0.002
"""How long as many as last time are waited for. Whoever comes alone after another alone does not wait."""


@dataclass(slots=True, eq=False)
class _Item:
    job: Callable[[Work], Awaitable[Any]]
    outcome: asyncio.Future[Any]


@dataclass(slots=True)
class _Row:
    turn: asyncio.Lock
    waiting: list[_Item]
    came: asyncio.Event
    last: int = 1
    interested: int = 0


class Together:
    """Runs jobs by row, those that wait at the same time in one transaction."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._rows: dict[UUID, _Row] = {}

    async def run(self, row: UUID, job: Callable[[Work], Awaitable[T]]) -> T:
        """What `job` answers, once it is committed. Raises what it raises; `job` may be called twice, the first time rolled back."""
        place = self._rows.setdefault(row, _Row(asyncio.Lock(), [], asyncio.Event()))
        item = _Item(job, asyncio.get_running_loop().create_future())
        place.waiting.append(item)
        place.came.set()
        place.interested += 1
        try:
            async with place.turn:
                while not item.outcome.done():
                    await self._gather(place)
                    batch, place.waiting = place.waiting[:BATCH], place.waiting[BATCH:]
                    place.last = len(batch)
                    await self._settle(batch)
        finally:
            place.interested -= 1
            if not place.interested:
                del self._rows[row]
        result: T = item.outcome.result()
        return result

    async def _gather(self, place: _Row) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_S):
                while len(place.waiting) < place.last:
                    place.came.clear()
                    await place.came.wait()

    async def _settle(self, batch: list[_Item]) -> None:
        try:
            async with self._works.begin() as work:
                results = [await item.job(work) for item in batch]
        except asyncio.CancelledError:
            _fail(batch, Unavailable())
            raise
        except Exception as error:
            if len(batch) == 1 or isinstance(error, OutcomeUnknown):
                _fail(batch, error)
            else:
                for item in batch:
                    await self._settle([item])
        else:
            for item, result in zip(batch, results, strict=True):
                item.outcome.set_result(result)


def _fail(batch: list[_Item], error: Exception) -> None:
    for item in batch:
        item.outcome.set_exception(error)
        item.outcome.exception()  # retrieved: the caller may have gone away
