"""Receipts that come by a connection, not by a call that can be refused: kept here until they are kept for good.

They are handed on together, and again while that fails. A crash loses those that wait; they only tell what became of messages.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

import structlog

from fairwire_server.clock import Clock
from fairwire_server.notices.parcels import Receipt, TakeIn

__all__ = ["ReceiptIntake"]

MOST: Final = 10_000
AT_ONCE: Final = 500
HELD_S: Final = 1.0
"""A centre may tell what became of a message before its being taken is written down here; nobody would know it yet."""


class ReceiptIntake:
    """`add` keeps one, `run` hands them on until cancelled."""

    def __init__(self, take_in: TakeIn, clock: Clock) -> None:
        self._take_in = take_in
        self._clock = clock
        self._waiting: deque[Receipt] = deque(maxlen=MOST)
        self._arrived = asyncio.Event()
        self._log = structlog.get_logger("fairwire.receipts")

    def add(self, receipt: Receipt) -> None:
        """One more; the oldest is dropped when nobody has taken any for long."""
        self._waiting.append(receipt)
        self._arrived.set()

    async def run(self) -> None:
        """Hand them on, in the order in which they came."""
        while True:
            await self._arrived.wait()
            await self._clock.sleep(HELD_S)
            batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            try:
                await self._take_in(batch)
            except Exception as error:  # whatever it is, they are tried again; its text may name somebody
                self._log.warning("receipts_delayed", count=len(batch), error=type(error).__name__)
                self._waiting.extendleft(reversed(batch[: MOST - len(self._waiting)]))
            if not self._waiting:
                self._arrived.clear()
