"""The post: codes leave in the background, after the transaction that wrote them, a few at a time.

What must survive a stop — notices — has rows of its own and a worker; a lost code is asked for again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from fairwire_protocol.errors import Unavailable
from fairwire_server.accounts.letters import AddressKind, Letter
from fairwire_server.channels.rules import next_try
from fairwire_server.clock import Clock
from fairwire_server.database.ids import uuid7
from fairwire_server.notices.parcels import Channel, ChannelKind, Mail, Parcel, Sms, TryLater, Undeliverable

__all__ = ["Post"]

_KINDS: Final[Mapping[AddressKind, ChannelKind]] = {"email": "email", "mobile": "sms"}


class Post:
    """`send` returns at once. Temporary failures are tried again until the letter is useless; no failure names an address."""

    def __init__(
        self,
        channels: Mapping[ChannelKind, Channel],
        defer: Callable[[Callable[[], Awaitable[None]]], None],
        clock: Clock,
        at_once: int = 8,
    ) -> None:
        self._channels = channels
        self._defer = defer
        self._clock = clock
        self._sending = asyncio.Semaphore(at_once)
        self._random = random.Random()  # noqa: S311 - jitter is no secret
        self._log = structlog.get_logger("fairwire.post")

    def reaches(self, kind: AddressKind) -> bool:
        """Whether letters to that kind of address leave at all."""
        return _KINDS[kind] in self._channels

    def send(self, letter: Letter) -> None:
        """Let it leave soon. Called after commit, so a full queue loses the letter, with a line in the log."""
        try:
            self._defer(lambda: self._deliver(letter))
        except Unavailable:
            self._log.warning("letter_dropped", kind=letter.kind, reason="queue_full")

    async def _deliver(self, letter: Letter) -> None:
        channel = self._channels.get(_KINDS[letter.kind])
        if channel is None:
            self._log.warning("letter_refused", kind=letter.kind, reason="no_channel", tries=0)
            return
        parcel = _parcel(letter)
        began = self._clock.monotonic()
        tries = 0
        while True:
            tries += 1
            pause: float | None
            try:
                async with self._sending:  # not held while waiting for the next try: one bad server blocks nobody
                    await channel.send(parcel)
                return
            except Undeliverable as failure:
                self._log.warning("letter_refused", kind=letter.kind, reason=failure.reason, tries=tries)
                return
            except TryLater as failure:
                waited = self._clock.monotonic() - began
                pause = next_try(tries, waited, self._random.random(), failure.after_s)
                if pause is None:
                    self._log.warning("letter_given_up", kind=letter.kind, reason=failure.reason, tries=tries)
                    return
                self._log.info("letter_delayed", kind=letter.kind, reason=failure.reason, tries=tries)
            await self._clock.sleep(pause)


def _parcel(letter: Letter) -> Parcel:
    """The letter as its channel takes it: a mail, or the short message that says no more than the code (N7)."""
    reference = uuid7()
    if letter.kind == "email":
        return Mail(
            reference=reference, to=letter.to, subject=letter.subject, text=letter.text, language=letter.language
        )
    variables = {"code": letter.code, "minutes": str(letter.minutes)}
    return Sms(reference=reference, to=letter.to, template="code", language=letter.language, variables=variables)
