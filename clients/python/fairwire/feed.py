"""How events reach the application without the reader ever waiting for it (W16).

The reader puts, the application takes. A feed is bounded: when the application is so slow that the feed is full, what is queued
is dropped and one `Resynced` takes its place. Nothing is lost by that, because `client.state` is kept by the reader and is
always current; the application only has to look at the state instead of at each step towards it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from fairwire.errors import Stopped
from fairwire.state import State
from fairwire_protocol.errors import FairwireError
from fairwire_protocol.frames import Looking, PresenceChanged, Typing
from fairwire_protocol.session import Delivered, UnknownEvent

__all__ = ["FEED_MAX", "Feed", "Happening", "Offline", "Online", "Resynced", "SendFailed", "SendQueued", "kind_of"]

FEED_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Online:
    """The connection is live; `resumed` when it went on where the last one ended."""

    resumed: bool


@dataclass(frozen=True, slots=True)
class Offline:
    """The connection ended; the client comes back by itself after `retry_in` seconds."""

    reason: str
    retry_in: float


@dataclass(frozen=True, slots=True)
class Resynced:
    """Look at the whole `state` again: it came as a snapshot, or this reader was too slow to be told each step."""

    state: State
    cause: Literal["snapshot", "slow"]


@dataclass(frozen=True, slots=True)
class SendQueued:
    """The server cannot take a message now; it waits in the outbox and will be sent again (W16)."""

    conversation: UUID
    cid: UUID
    error: FairwireError


@dataclass(frozen=True, slots=True)
class SendFailed:
    """A message was refused for good and left the outbox (W16)."""

    conversation: UUID
    cid: UUID
    error: FairwireError


Happening = Delivered | PresenceChanged | Typing | Looking | Online | Offline | Resynced | SendQueued | SendFailed
_KINDS: Final[dict[type, str]] = {
    PresenceChanged: "presence", Typing: "typing", Looking: "looking", Online: "online", Offline: "offline",
    Resynced: "resync", SendQueued: "send_queued", SendFailed: "send_failed",
}  # fmt: skip


def kind_of(happening: Happening) -> str:
    """The name handlers are registered under: a durable event's wire `type`, or the name of anything else."""
    if isinstance(happening, Delivered):
        body = happening.body
        return body.type if isinstance(body, UnknownEvent) else str(body.__struct_config__.tag)
    return _KINDS[type(happening)]


class Feed:
    """A bounded queue from the reader to one consumer; iterate it."""

    def __init__(self, limit: int = FEED_MAX) -> None:
        if limit < 1:
            raise ValueError("a feed holds at least one event")
        self._limit = limit
        self._items: deque[Happening] = deque()
        self._wake = asyncio.Event()
        self._stopped: Stopped | None = None

    def put(self, happening: Happening, state: State | None) -> None:
        """Never waits. A full feed collapses into one `Resynced` with the state now."""
        if self._stopped is not None:
            return
        if len(self._items) >= self._limit and state is not None:
            self._items.clear()
            self._items.append(Resynced(state, "slow"))
        else:
            self._items.append(happening)
            while len(self._items) > self._limit:
                self._items.popleft()
        self._wake.set()

    def stop(self, stopped: Stopped) -> None:
        """What is queued is still delivered, then the iteration ends."""
        self._stopped = stopped
        self._wake.set()

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> Happening:
        """The next event. Ends when the client was closed; raises `Stopped` when the server closed it for good."""
        while not self._items:
            if self._stopped is not None:
                if self._stopped.code is None:
                    raise StopAsyncIteration
                raise self._stopped
            self._wake.clear()
            await self._wake.wait()
        return self._items.popleft()

    def __len__(self) -> int:
        return len(self._items)
