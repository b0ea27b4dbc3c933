"""The post: letters leave in the background, after the transaction that wrote them, a few at a time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from fairwire_protocol.errors import Unavailable
from fairwire_server.accounts.letters import AddressKind, Letter
from fairwire_server.channels.channel import Channel, TryLater, Undeliverable
from fairwire_server.channels.rules import next_try
from fairwire_server.clock import Clock

__all__ = ["Post"]


class Post:
    """`send` returns at once. Temporary failures are tried again until the letter is useless; no failure names an address."""

    def __init__(
        self, channel: Channel, defer: Callable[[Callable[[], Awaitable[None]]], None], clock: Clock, at_once: int = 8
    ) -> None:
        self._channel = channel
        self._defer = defer
        self._clock = clock
        self._sending = asyncio.Semaphore(at_once)
        self._random = random.Random()  # noqa: S311 - jitter is no secret
        self._log = structlog.get_logger("fairwire.post")

    def reaches(self, kind: AddressKind) -> bool:
        """Whether letters to that kind of address leave at all."""
        return self._channel.reaches(kind)

    def send(self, letter: Letter) -> None:
        """Let it leave soon. Called after commit, so a full queue loses the letter, with a line in the log."""
        try:
            self._defer(lambda: self._deliver(letter))
        except Unavailable:
            self._log.warning("letter_dropped", kind=letter.kind, reason="queue_full")

    async def _deliver(self, letter: Letter) -> None:
        began = self._clock.monotonic()
        tries = 0
        while True:
            tries += 1
            try:
                async with self._sending:  # not held while waiting for the next try: one bad server blocks nobody
                    await self._channel.send(letter)
                return
            except Undeliverable as failure:
                self._log.warning("letter_refused", kind=letter.kind, reason=failure.reason, tries=tries)
                return
            except TryLater as failure:
                pause = next_try(tries, self._clock.monotonic() - began, self._random.random())
                if pause is None:
                    self._log.warning("letter_given_up", kind=letter.kind, reason=failure.reason, tries=tries)
                    return
                self._log.info("letter_delayed", kind=letter.kind, reason=failure.reason, tries=tries)
            await self._clock.sleep(pause)
