"""Work on one row that many want to do: whoever comes before a transaction on it has nothing left but its COMMIT goes into it.

Whoever comes to the turn begins one and does what has gathered and what still comes; the others find theirs done. Nobody waits for
others to come. A transaction that fails with several in it is tried again one by one, so that nobody pays for another's fault.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import UUID

from fairwire_protocol.errors import Unavailable
from fairwire_server.database.errors import OutcomeUnknown
from fairwire_server.database.work import Work, Works

__all__ = ["Together"]

T = TypeVar("T")
BATCH: Final = 32


@dataclass(slots=True, eq=False)
class _Item:
    job: Callable[[Work], Awaitable[Any]]
    outcome: asyncio.Future[Any]


@dataclass(slots=True)
class _Row:
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: deque[_Item] = field(default_factory=deque)
    interested: int = 0


class Together:
    """Runs jobs by row, those that come at the same time in one transaction."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._rows: dict[UUID, _Row] = {}

    async def run(self, row: UUID, job: Callable[[Work], Awaitable[T]]) -> T:
        """What `job` answers, once it is committed. Raises what it raises; `job` may be called twice, the first time rolled back."""
        place = self._rows.setdefault(row, _Row())
        item = _Item(job, asyncio.get_running_loop().create_future())
        place.waiting.append(item)
        place.interested += 1
        try:
            async with place.turn:
                while not item.outcome.done():
                    await self._settle(place.waiting)
        finally:
            place.interested -= 1
            if not place.interested:
                del self._rows[row]
        result: T = item.outcome.result()
        return result

    async def _settle(self, waiting: deque[_Item]) -> None:
        """A transaction for those who wait, and for whoever joins them while it is under way."""
        batch: list[_Item] = []
        results: list[Any] = []
        try:
            async with self._works.begin() as work:
                while waiting and len(batch) < BATCH:
                    batch.append(waiting.popleft())
                    results.append(await batch[-1].job(work))
        except asyncio.CancelledError:
            _fail(batch, Unavailable())
            raise
        except Exception as error:
            if not batch:  # it could not begin, which is the fault of none of them
                batch.extend(waiting)
                waiting.clear()
                _fail(batch, error)
            elif len(batch) == 1 or isinstance(error, OutcomeUnknown):
                _fail(batch, error)
            else:
                try:
                    for item in batch:
                        await self._settle(deque([item]))
                finally:  # whose turn it is may be cancelled in between
                    _fail([item for item in batch if not item.outcome.done()], Unavailable())
        else:
            for item, result in zip(batch, results, strict=True):
                item.outcome.set_result(result)


def _fail(batch: list[_Item], error: Exception) -> None:
    for item in batch:
        item.outcome.set_exception(error)
        item.outcome.exception()  # retrieved: the caller may have gone away
