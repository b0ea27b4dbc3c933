"""What a channel is, and how it fails."""

from __future__ import annotations

from typing import Protocol

from fairwire_server.accounts.letters import AddressKind, Letter

__all__ = ["Channel", "ChannelError", "TryLater", "Undeliverable"]


class ChannelError(Exception):
    """A letter did not leave. `reason` is a short word for logs and metrics; it never holds the address or the text."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class TryLater(ChannelError):
    """Temporary: the same letter may leave later."""


class Undeliverable(ChannelError):
    """Final: this letter will never leave."""


class Channel(Protocol):
    """Hands one letter over at a time.

    * `send` returns only after the other side has taken the letter for good, and raises `TryLater` or `Undeliverable`
      otherwise, nothing else; a letter it raised `Undeliverable` for has reached nobody. After `TryLater` it may have: a
      connection lost before the answer came is all that was seen of it.
    * It ends within its own time-out, whatever the other side does.
    * A letter of a kind that it does not reach is `Undeliverable`.
    * Letters may be sent concurrently.
    """

    def reaches(self, kind: AddressKind) -> bool:
        """Whether letters to that kind of address leave through this channel."""

    async def send(self, letter: Letter) -> None:
        """Hand it over."""
