"""What accounts need of capabilities to their right, of the hub and of the channels: functions that compose registers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol
from uuid import UUID

from fairwire_protocol.errors import Close
from fairwire_protocol.events import AccountEvent
from fairwire_server.accounts.letters import AddressKind, Letter
from fairwire_server.database.work import Work

__all__ = [
    "Announce", "BuyerEvents", "CloseSockets", "ColleagueAudience", "CreateStreams", "Defer", "HoldChats", "Holdings", "IndexTokens", "Job",
    "Post", "Reaches", "ResetStreams", "SearchQuery",
]  # fmt: skip

Announce = Callable[[Work, Sequence[tuple[UUID, AccountEvent]]], Awaitable[None]]
"""Append events to account streams in the transaction (W4)."""
CreateStreams = Callable[[Work, Sequence[UUID]], Awaitable[None]]
"""Streams for new accounts, in their transaction."""
ResetStreams = Callable[[Work, Sequence[UUID]], Awaitable[None]]
"""New epochs: what these accounts may see has changed (W6)."""
CloseSockets = Callable[[UUID, UUID | None, Close, str], None]
"""Close the sockets of an account, or of one session of it; called after commit (A6)."""
ColleagueAudience = Callable[[Work, UUID], Awaitable[Sequence[UUID]]]
"""Whose clients show the name of this exhibitor's account."""
BuyerEvents = Callable[[Work, UUID], Awaitable[Sequence[tuple[UUID, AccountEvent]]]]
"""What a changed buyer means to everybody who has it as a contact: a card as each of them may see it (K2)."""
HoldChats = Callable[[Work, UUID], Awaitable[None]]
"""Wait for messages on their way in the chats an account speaks in, and let none begin: they tell its name as it was (W4)."""
IndexTokens = Callable[[str], str]
"""The words of a name, as the text of a tsvector (C15)."""
SearchQuery = Callable[[str], str | None]
"""What somebody typed, as the text of a tsquery; None when it holds no word."""
Reaches = Callable[[AddressKind], bool]
"""Whether this installation can send to such an address."""
Post = Callable[[Letter], None]
"""Send a letter in the background; called after commit."""
Job = Callable[[], Awaitable[None]]
Defer = Callable[[Job], None]
"""Do it in the background; `Unavailable` when too much waits already."""


class Holdings(Protocol):
    """One kind of work that an account may hold (A6): open chats, exhibits, later bookings, orders, customers, to-dos.

    `hand_over` moves everything that `list_open` gives, in the caller's transaction, and announces it.
    """

    async def list_open(self, work: Work, account: UUID) -> Sequence[tuple[str, UUID]]:
        """(kind, id) of everything the account holds."""

    async def hand_over(self, work: Work, source: UUID, target: UUID, by: UUID) -> None:
        """Give all of it to `target`, on behalf of `by`."""
