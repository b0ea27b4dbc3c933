"""Operations on notices: what an account wants and was sent (N9), and what the organiser sees of all of them (N4–N6)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, field

from fairwire_protocol.events import NoticeKind
from fairwire_protocol.models import Model
from fairwire_protocol.operations.base import Empty, Operation, Request

Channel = Literal["in_app", "email", "sms"]
State = Literal["planned", "claimed", "sent", "failed", "skipped", "unknown"]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Cursor = Annotated[str, Meta(max_length=200)]


class SetPreferences(Request, frozen=True, kw_only=True):
    """All of them, replaced. Channels are added, for what is planned from now on, to those that N1 prescribes; none is taken away (N9)."""

    channels: Annotated[dict[NoticeKind, tuple[Literal["email", "sms"], ...]], Meta(max_length=18)] = field(
        default_factory=dict
    )
    quiet_from: TimeOfDay | None = None
    """With `quiet_to`, in the account's time zone: T−24 h notices wait until the quiet hours are over."""
    quiet_to: TimeOfDay | None = None
    reminders_by_mail: bool = True
    """False, as after one-click unsubscribe: no T−24 h mails, and no T−15 mails that were added here (RFC 8058)."""


class Preferences(Model, frozen=True, kw_only=True, omit_defaults=False):
    """What is in force. `by_kind` is every channel that a notice of that kind goes by now, prescribed and added."""

    channels: dict[str, tuple[str, ...]]
    quiet_from: str | None
    quiet_to: str | None
    reminders_by_mail: bool
    by_kind: dict[str, tuple[Channel, ...]]
    language: str
    time_zone: str


class NoticeItem(Model, frozen=True, kw_only=True):
    """One notice on one channel, and what became of it."""

    id: UUID
    kind: NoticeKind
    channel: Channel
    state: State
    reason: str | None = None
    """Why it was skipped, failed, or is tried again."""
    subject: str
    """booking, proposal, place, guest, conversation, offer or report, of the id `about`."""
    about: UUID
    due_at: int
    ended_at: int | None = None
    attempts: int = 0
    maybe_duplicate: bool = False
    instead_of: UUID | None = None
    """The notice on another channel that this one stands in for (N6)."""
    recipient: UUID | None = None
    """In the organiser's view."""


class NoticeList(Model, frozen=True, kw_only=True):
    """Newest first; `next` continues."""

    notices: tuple[NoticeItem, ...]
    next: str | None = None


class ListNotices(Request, frozen=True, kw_only=True):
    """A page of the own notices."""

    after: Cursor | None = None


class FindNotices(Request, frozen=True, kw_only=True):
    """A page of the fair's notices, and counts over the same filter."""

    state: State | None = None
    kind: NoticeKind | None = None
    channel: Channel | None = None
    after: Cursor | None = None


class NoticeCount(Model, frozen=True, kw_only=True):
    """How many there are."""

    state: State
    kind: NoticeKind
    channel: Channel
    count: int


class FairNotices(Model, frozen=True, kw_only=True, omit_defaults=False):
    """Lateness is of those sent in the last 24 hours, in milliseconds, against the instant at which each was due first (N5)."""

    counts: tuple[NoticeCount, ...]
    overdue: int
    """Planned and due, not claimed yet."""
    late_p50_ms: int | None
    late_p95_ms: int | None
    late_max_ms: int | None
    notices: tuple[NoticeItem, ...]
    next: str | None


class NoticeRef(Request, frozen=True, kw_only=True):
    """One notice."""

    notice: UUID


class Attempt(Model, frozen=True, kw_only=True):
    """One try to send it (N4)."""

    number: int
    provider: str
    at: int
    ended_at: int | None = None
    outcome: Literal["sent", "retry", "final", "lost"] | None = None
    reason: str | None = None
    segments: int = 0
    delivery: Literal["delivered", "failed", "expired"] | None = None
    delivered_at: int | None = None


class NoticeReply(Model, frozen=True, kw_only=True):
    """A notice with all its attempts."""

    notice: NoticeItem
    attempts: tuple[Attempt, ...]


class ProviderHealth(Model, frozen=True, kw_only=True, omit_defaults=False):
    """A provider now. `sent`, `failed` and `retried` count the attempts of the last 15 minutes, of all fairs."""

    name: str
    channel: Channel
    per_minute: int
    """How many it takes from all workers together."""
    paused_until: int | None
    last_error: str | None
    last_error_at: int | None
    sent: int
    failed: int
    retried: int


class Providers(Model, frozen=True, kw_only=True):
    """Those that were ever used."""

    providers: tuple[ProviderHealth, ...]


PREFERENCES = Operation(
    name="notices.preferences", request=Request, reply=Preferences, http=("GET", "/v1/notices/preferences"),
    summary="By which channels the account is told what, and its quiet hours.", rules=("N1", "N9"), rate="read", effect="read",
)  # fmt: skip
SET_PREFERENCES = Operation(
    name="notices.set_preferences", request=SetPreferences, reply=Preferences, http=("PUT", "/v1/notices/preferences"),
    summary="Add channels to kinds of notice; set quiet hours.", rules=("N9", "N10"), rate="command", effect="idempotent",
)  # fmt: skip
LIST = Operation(
    name="notices.list", request=ListNotices, reply=NoticeList, http=("GET", "/v1/notices"),
    summary="The own notices and what became of them.", rules=("N4",), rate="read", effect="read",
)  # fmt: skip
FIND = Operation(
    name="organiser.notices", request=FindNotices, reply=FairNotices, http=("GET", "/v1/organiser/notices"),
    summary="The fair's notices by state, kind and channel, and how late they were.", rules=("A4", "N4", "N5"), rate="read", effect="read",
)  # fmt: skip
SHOW = Operation(
    name="organiser.notice", request=NoticeRef, reply=NoticeReply, http=("GET", "/v1/organiser/notices/{notice}"),
    summary="One notice with all its attempts.", rules=("A4", "N4"), rate="read", effect="read",
)  # fmt: skip
RETRY = Operation(
    name="organiser.retry_notice", request=NoticeRef, reply=Empty, http=("POST", "/v1/organiser/notices/{notice}/retry"),
    summary="Try a failed notice again, while it is of use.", rules=("A4", "N3"), rate="command", effect="idempotent",
)  # fmt: skip
PROVIDERS = Operation(
    name="organiser.providers", request=Request, reply=Providers, http=("GET", "/v1/organiser/providers"),
    summary="Providers: rate, pause, last error, and how the last minutes went.", rules=("A4", "N5", "N6"), rate="read", effect="read",
)  # fmt: skip
