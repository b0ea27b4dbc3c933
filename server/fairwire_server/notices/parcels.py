"""What leaves through a channel, and how a channel answers: the words that notices and channels share.

A parcel is rendered; nothing about it is decided any more. Its `repr` tells no address and no text, so that no log does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

__all__ = [
    "Callback", "CallbackReader", "CallbackRefused", "Channel", "ChannelError", "ChannelKind", "Mail", "Parcel", "Receipt",
    "ReceiptOutcome", "Sms", "TakeIn", "Taken", "TryLater", "Undeliverable",
]  # fmt: skip

ChannelKind = Literal["email", "sms"]
ReceiptOutcome = Literal["delivered", "failed", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail to one recipient, as text, perhaps HTML too, perhaps with an invitation (N8, M14)."""

    reference: UUID
    """The notice's or letter's id: bounces come back to an address that is tagged with it."""
    thread: UUID | None = None
    """What it is about: mails about the same meeting are shown together."""
    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    language: str = "zh"
    calendar: bytes | None = field(default=None, repr=False)
    """An iTIP object (RFC 5546), sent as RFC 6047 says."""
    calendar_method: Literal["REQUEST", "CANCEL"] | None = None
    unsubscribe: str | None = field(default=None, repr=False)
    """Where one POST ends such mails (RFC 8058); reminders alone have it (N8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """A short message: a template that the provider has approved, and its variables (N7)."""

    reference: UUID
    to: str = field(repr=False)
    """E.164."""
    template: str
    """A kind of `sms_catalogue.VARIABLES`; a provider knows the template under an id of its own."""
    language: str = "zh"
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By name, as `sms_catalogue.VARIABLES` has them; the channel puts them into the catalogue's words."""


Parcel = Mail | Sms


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The other side has it for good. `reference` is its own id of it, under which receipts come."""

    provider: str
    reference: str = ""
    segments: int = 0


class ChannelError(Exception):
    """It did not leave. `reason` is a short word for rows, logs and metrics; it never holds an address or a text."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class TryLater(ChannelError):
    """Temporary: the same parcel may leave later, after `after_s` seconds where the provider named them (429)."""

    def __init__(
        self, reason: str, after_s: float | None = None, *, throttled: bool = False, maybe_sent: bool = False
    ) -> None:
        super().__init__(reason)
        self.after_s = after_s
        self.throttled = throttled
        """The provider has had too much from us: the whole of it pauses, not this parcel alone (N6)."""
        self.maybe_sent = maybe_sent
        """The connection was lost before the answer: it may have been taken."""


class Undeliverable(ChannelError):
    """Final: this parcel will never leave this way and has reached nobody. `budget`: the provider's limit for that number (N7)."""

    def __init__(self, reason: str, *, budget: bool = False) -> None:
        super().__init__(reason)
        self.budget = budget


class Channel(Protocol):
    """Hands one parcel over at a time.

    * `send` returns only after the other side has taken the parcel for good, and raises `TryLater` or `Undeliverable`
      otherwise, nothing else. After `TryLater` with `maybe_sent` it may have reached somebody.
    * `may_leave`, where given, is asked immediately before the parcel's bytes leave; when it answers False nothing leaves and
      `TryLater("lease_over")` is raised (N4).
    * It ends within its own time-out, whatever the other side does. Parcels may be sent concurrently.
    """

    @property
    def name(self) -> str:
        """The provider's name, as rows, metrics and the organiser's view have it."""

    @property
    def kind(self) -> ChannelKind:
        """What kind of parcel it takes."""

    @property
    def rate(self) -> float:
        """Parcels a second that the provider takes from all workers together (N5)."""

    async def send(self, parcel: Parcel, may_leave: Callable[[], bool] | None = None) -> Taken:
        """Hand it over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a parcel that was taken (N6): a delivery receipt, or a bounce."""

    provider: str
    reference: str = ""
    """The provider's id of it; or `notice` says which one it was."""
    notice: UUID | None = None
    outcome: ReceiptOutcome
    reason: str = ""
    at: datetime


TakeIn = Callable[[Sequence[Receipt]], Awaitable[None]]
"""Keep what became of parcels; receipts that fit nothing are dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A provider's POST about parcels that it took (N6)."""

    url: str = field(repr=False)
    """As the provider was given it, which is not always how it reached us."""
    token: str = field(repr=False)
    """The secret at the address's end, for providers that sign nothing."""
    signature: str = field(repr=False)
    body: bytes = field(repr=False)


class CallbackRefused(Exception):
    """It is not the provider's, or not in its form."""


class CallbackReader(Protocol):
    """Knows the callbacks of one provider: whether one is its own, and what it says."""

    @property
    def name(self) -> str:
        """The provider's, and the word for it in the address."""

    @property
    def signature_header(self) -> str:
        """Where its signature stands; empty where it signs nothing."""

    @property
    def answer(self) -> bytes:
        """What it wants to hear once its receipts are kept, as JSON; else it tells them again."""

    def read(self, callback: Callback, now: datetime) -> Sequence[Receipt]:
        """The receipts in it, those that say something final. Raises `CallbackRefused`."""
