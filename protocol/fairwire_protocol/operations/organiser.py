"""Operations of the organiser (A4, A6, A7, C18)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from fairwire_protocol.models import AccountKind, AccountState, Message, Model
from fairwire_protocol.operations.base import Empty, Operation, Request
from fairwire_protocol.operations.bookings import BookingCounts, Instant


class Announce(Request, frozen=True, kw_only=True):
    """To everybody at the fair, on the fair stream (W2)."""

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    text: Annotated[str, Meta(max_length=4000)] = ""
    language: Annotated[str, Meta(min_length=2, max_length=35)] = "zh"


class Announced(Model, frozen=True, kw_only=True):
    """The announcement's id and its position in the fair stream."""

    id: UUID
    pos: int


class SuspendAccount(Request, frozen=True, kw_only=True):
    """Suspension closes the account's sockets within a second (A6)."""

    account: UUID
    suspended: bool
    reason: Annotated[str, Meta(max_length=500)] = ""


class SilenceAccount(Request, frozen=True, kw_only=True):
    """A silenced account reads but does not write until `until` (ms); None ends it (C18)."""

    account: UUID
    until: int | None = None


class Figures(Model, frozen=True, kw_only=True, omit_defaults=False):
    """The fair right now."""

    sockets: int
    accounts_online: dict[str, int]
    exhibitors: int
    buyers: int
    conversations: int
    open_chats: int
    waiting_chats: int
    messages: int
    open_reports: int
    flagged_messages: int
    """C18: messages in which the keyword list flagged a word; counted, not shown (A4)."""


class ReportSummary(Model, frozen=True, kw_only=True):
    """A report without what was said."""

    id: UUID
    conversation: UUID
    reporter: UUID
    count: int
    reason: str
    ts: int
    closed: bool = False


class ReportList(Model, frozen=True, kw_only=True):
    """Reports, newest first; `next` continues."""

    reports: tuple[ReportSummary, ...]
    next: str | None = None


class ListReports(Request, frozen=True, kw_only=True):
    """Open ones, or all."""

    state: Literal["open", "all"] = "open"
    after: Annotated[str, Meta(max_length=200)] | None = None


class ReportRef(Request, frozen=True, kw_only=True):
    """One report."""

    report: UUID


class ReportReply(Model, frozen=True, kw_only=True):
    """The reported messages and no others; this reading is in the audit log (A4)."""

    report: ReportSummary
    messages: tuple[Message, ...]


class Keyword(Model, frozen=True, kw_only=True):
    """A word and what happens to a message that holds it."""

    word: Annotated[str, Meta(min_length=1, max_length=100)]
    action: Literal["refuse", "flag"]


class SetKeywords(Request, frozen=True, kw_only=True):
    """The fair's whole keyword list (C18)."""

    keywords: Annotated[tuple[Keyword, ...], Meta(max_length=1_000)]


class KeywordsReply(Model, frozen=True, kw_only=True):
    """The fair's keyword list."""

    keywords: tuple[Keyword, ...]


class SetCapabilities(Request, frozen=True, kw_only=True):
    """Differences from the default table: kind → capability → no, yes, own, team or all (A7)."""

    capabilities: Annotated[
        dict[AccountKind, dict[Annotated[str, Meta(max_length=40)], Literal["no", "yes", "own", "team", "all"]]],
        Meta(max_length=6),
    ]


class CapabilitiesReply(Model, frozen=True, kw_only=True):
    """The whole table in force."""

    capabilities: dict[str, dict[str, str]]


class AuditEntry(Model, frozen=True, kw_only=True):
    """Who did what to whom."""

    id: UUID
    actor: UUID | None
    action: str
    subject: UUID | None
    ts: int


class AuditReply(Model, frozen=True, kw_only=True):
    """Audit entries, newest first; `next` continues."""

    entries: tuple[AuditEntry, ...]
    next: str | None = None


class ListAudit(Request, frozen=True, kw_only=True):
    """A page of the audit log."""

    after: Annotated[str, Meta(max_length=200)] | None = None


class FindAccounts(Request, frozen=True, kw_only=True):
    """Accounts by login, exact, or by name words."""

    query: Annotated[str, Meta(min_length=1, max_length=200)]


class FoundAccount(Model, frozen=True, kw_only=True):
    """Enough to act on an account."""

    id: UUID
    kind: AccountKind
    login: str
    name: str
    state: AccountState
    exhibitor: UUID | None = None


class FoundAccounts(Model, frozen=True, kw_only=True):
    """At most 50."""

    accounts: tuple[FoundAccount, ...]


class CountBookings(Request, frozen=True, kw_only=True):
    """Of meetings that start from `since` and before `until`; without them, of all."""

    since: Instant | None = None
    until: Instant | None = None


class BookingDay(Model, frozen=True, kw_only=True, omit_defaults=False):
    """A day in the fair's zone."""

    day: str
    pending: int = 0
    assigned: int = 0
    rejected: int = 0
    cancelled: int = 0


class BookingFigures(Model, frozen=True, kw_only=True, omit_defaults=False):
    """The fair's bookings by state (M5), and what somebody should look at."""

    counts: BookingCounts
    overdue: int
    """Still pending although their slots are over (M6)."""
    soon: int
    """Still pending although they start within 24 hours."""
    attended: int
    """Ended, and both sides were there (M11)."""
    no_show: int
    """Ended, and one side was missed."""
    days: tuple[BookingDay, ...] = ()
    """Days with meetings, the first 366."""


ANNOUNCE = Operation(
    name="fair.announce", request=Announce, reply=Announced, http=("POST", "/v1/announcements"),
    summary="Announce to everybody at the fair.", rules=("A4", "W2"), rate="command", effect="once",
)  # fmt: skip
FIND_ACCOUNTS = Operation(
    name="organiser.find_accounts", request=FindAccounts, reply=FoundAccounts, http=("GET", "/v1/organiser/accounts"),
    summary="Find accounts by login or name.", rules=("A4",), rate="search", effect="read",
)  # fmt: skip
SUSPEND = Operation(
    name="organiser.suspend", request=SuspendAccount, reply=Empty, http=("PUT", "/v1/organiser/accounts/{account}/suspension"),
    summary="Suspend or reinstate an account.", rules=("A4", "A6"), rate="command", effect="idempotent",
)  # fmt: skip
SILENCE = Operation(
    name="organiser.silence", request=SilenceAccount, reply=Empty, http=("PUT", "/v1/organiser/accounts/{account}/silence"),
    summary="Silence an account, or end its silence.", rules=("C18",), rate="command", effect="idempotent",
)  # fmt: skip
FIGURES = Operation(
    name="organiser.figures", request=Request, reply=Figures, http=("GET", "/v1/organiser/figures"),
    summary="Live figures of the fair.", rules=("A4",), rate="read", effect="read",
)  # fmt: skip
BOOKINGS = Operation(
    name="organiser.bookings", request=CountBookings, reply=BookingFigures, http=("GET", "/v1/organiser/bookings"),
    summary="The fair's bookings by state and day: pending too long, attended, missed.", rules=("A4", "M5", "M6", "M11"),
    rate="read", effect="read",
)  # fmt: skip
REPORTS = Operation(
    name="organiser.reports", request=ListReports, reply=ReportList, http=("GET", "/v1/organiser/reports"),
    summary="Reports, without what was said.", rules=("A4", "C18"), rate="read", effect="read",
)  # fmt: skip
READ_REPORT = Operation(
    name="organiser.read_report", request=ReportRef, reply=ReportReply, http=("GET", "/v1/organiser/reports/{report}"),
    summary="The reported messages; the reading is audited.", rules=("A4",), rate="read", effect="read",
)  # fmt: skip
CLOSE_REPORT = Operation(
    name="organiser.close_report", request=ReportRef, reply=Empty, http=("POST", "/v1/organiser/reports/{report}/closing"),
    summary="Close a report.", rules=("C18",), rate="command", effect="idempotent",
)  # fmt: skip
KEYWORDS = Operation(
    name="organiser.keywords", request=Request, reply=KeywordsReply, http=("GET", "/v1/organiser/keywords"),
    summary="The fair's keyword list.", rules=("C18",), rate="read", effect="read",
)  # fmt: skip
SET_KEYWORDS = Operation(
    name="organiser.set_keywords", request=SetKeywords, reply=KeywordsReply, http=("PUT", "/v1/organiser/keywords"),
    summary="Replace the fair's keyword list.", rules=("C18",), rate="command", effect="idempotent",
)  # fmt: skip
CAPABILITIES = Operation(
    name="organiser.capabilities", request=Request, reply=CapabilitiesReply, http=("GET", "/v1/organiser/capabilities"),
    summary="The fair's capability table.", rules=("A7",), rate="read", effect="read",
)  # fmt: skip
SET_CAPABILITIES = Operation(
    name="organiser.set_capabilities", request=SetCapabilities, reply=CapabilitiesReply, http=("PUT", "/v1/organiser/capabilities"),
    summary="Change the fair's capability table.", rules=("A7",), rate="command", effect="idempotent",
)  # fmt: skip
AUDIT = Operation(
    name="organiser.audit", request=ListAudit, reply=AuditReply, http=("GET", "/v1/organiser/audit"),
    summary="The audit log.", rules=("A4",), rate="read", effect="read",
)  # fmt: skip
