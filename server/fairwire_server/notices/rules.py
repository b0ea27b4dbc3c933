"""What a notice may do, decided from data alone: which channels, when, at whose expense, and what follows from a failure (N1–N10).

A kind is a row of `KINDS`. N1's kinds have a channel of their own beside the app; the others reach an address only by preference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from typing import Final, Literal

from fairwire_protocol.events import NoticeKind
from fairwire_protocol.models import Side

__all__ = [
    "CHANNELS", "DAY_S", "KINDS", "SOON_S", "Addressee", "Budget", "ChannelName", "Failure", "Kind", "NoticeState", "Spend", "Verdict",
    "after_failure", "after_loss", "budget_day", "channels_for", "fall_over", "is_quiet", "may_spend", "planned_state", "prescribed",
    "quiet_until",
]  # fmt: skip

ChannelName = Literal["in_app", "email", "sms"]
NoticeState = Literal["planned", "claimed", "sent", "failed", "skipped", "unknown"]
Spend = Literal["soon", "assigned", "day_ahead"]

CHANNELS: Final[tuple[ChannelName, ...]] = ("sms", "email", "in_app")
"""In the order in which one falls over to the next (N6)."""
DAY_S: Final = 24 * 3600
SOON_S: Final = 15 * 60
BUDGET_ZONE: Final = timezone(timedelta(hours=8))
"""N7: the carriers' day, wherever the fair is."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`spend` is what an SMS of it is paid from; None: no SMS at all (N10). `again`: sent once more when an attempt was lost (N4)."""

    priority: int
    spend: Spend | None = None
    again: bool = False

    @property
    def n1(self) -> bool:
        """Whether N1 prescribes a channel for it."""
        return self.spend is not None


_CHANGE: Final = Kind(1, "assigned", again=True)
_NEWS: Final = Kind(2)
KINDS: Final[Mapping[NoticeKind, Kind]] = {
    "reminder_soon": Kind(0, "soon", again=True),
    "reminder_day": Kind(2, "day_ahead"),
    "assigned": _CHANGE,
    "reassigned": _CHANGE,
    "changed": _CHANGE,
    "rejected": _CHANGE,
    "cancelled": _CHANGE,
    "time_up": Kind(0),
    "guest_waiting": Kind(1),
    "proposed": Kind(1),
    "place_offered": Kind(1),
    "requested": _NEWS,
    "pending_day": _NEWS,
    "did_it_happen": _NEWS,
    "unreached": _NEWS,
    "transfer_offline": _NEWS,
    "waiting": _NEWS,
    "report": _NEWS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """Who is told, as far as it decides the channels. `email` and `mobile`: whether there is a verified one (A8)."""

    side: Side
    domicile: Literal["domestic", "overseas"] | None = None
    country: str | None = None
    email: bool = False
    mobile: bool = False
    domestic_number: bool = False
    """Whether the number is one of the mainland's (+86)."""
    added: Mapping[str, tuple[str, ...]]
    reminders_by_mail: bool = True

    @property
    def domestic_buyer(self) -> bool:
        """A buyer has no domicile: its country decides, and where it has given none the number's country (N1)."""
        return self.country == "CN" or (self.country is None and self.domestic_number)


def prescribed(kind: NoticeKind, who: Addressee) -> ChannelName | None:
    """N1's channel beside the app. It follows the exhibitor's domicile, not the phone's prefix."""
    if not KINDS[kind].n1:
        return None
    if who.side == "team":
        return "sms" if who.domicile == "domestic" else "email"
    return "sms" if not who.email and who.mobile and who.domestic_buyer else "email"


def channels_for(kind: NoticeKind, who: Addressee) -> tuple[ChannelName, ...]:
    """The app always, N1's channel, and what the recipient has added (N9), of which an SMS only for N1's kinds (N10)."""
    chosen: set[ChannelName] = {"in_app"}
    if own := prescribed(kind, who):
        chosen.add(own)
    added = who.added.get(kind, ())
    if "email" in added:
        chosen.add("email")
    if "sms" in added and KINDS[kind].n1:
        chosen.add("sms")
    if not who.reminders_by_mail and not _keeps_mail(kind, who):
        chosen.discard("email")
    return tuple(name for name in CHANNELS if name in chosen)


def _keeps_mail(kind: NoticeKind, who: Addressee) -> bool:
    """RFC 8058 ends reminders by mail, all but those that N9 says nobody can remove."""
    if kind == "reminder_day":
        return False
    return kind != "reminder_soon" or prescribed(kind, who) == "email"


def fall_over(channel: ChannelName, kind: NoticeKind) -> ChannelName | None:
    """Where a notice goes that this channel cannot deliver: SMS → email → app (N6)."""
    at = CHANNELS.index(channel)
    return CHANNELS[at + 1] if at + 1 < len(CHANNELS) else None


def planned_state(
    kind: NoticeKind, *, due_at: datetime, useless_at: datetime, at_once: bool, now: datetime
) -> tuple[NoticeState, str | None]:
    """N3: an offset already past is skipped and recorded, but T−15, which is sent at once; nothing after its use is over."""
    if useless_at <= now:
        return "skipped", "too_late"
    if not at_once and due_at <= now and kind != "reminder_soon":
        return "skipped", "past"
    return "planned", None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a number may be sent a day, and what it has been sent (N7)."""

    total: int = 10
    day_ahead: int = 3
    both: int = 6
    """T−24 and assignments together; what is above is T−15's."""


def may_spend(kind: NoticeKind, spent: Mapping[Spend, int], budget: Budget) -> bool:
    """Whether one more fits. Our own budget never withholds a T−15 (N7)."""
    spend = KINDS[kind].spend
    if spend == "soon":
        return True
    together = spent["day_ahead"] + spent["assigned"]
    if together >= budget.both or together + spent["soon"] >= budget.total:
        return False
    return spend == "assigned" or spent["day_ahead"] < budget.day_ahead


def budget_day(now: datetime) -> datetime:
    """`now` on the carriers' calendar (N7)."""
    return now.astimezone(BUDGET_ZONE)


def is_quiet(at: time, quiet_from: time, quiet_to: time) -> bool:
    """Whether a time of day lies in the quiet hours, which may pass midnight."""
    if quiet_from <= quiet_to:
        return quiet_from <= at < quiet_to
    return at >= quiet_from or at < quiet_to


def quiet_until(local: datetime, quiet_from: time | None, quiet_to: time | None) -> datetime | None:
    """When the quiet hours end that `local`, the recipient's time, lies in (N9); None outside them."""
    if quiet_from is None or quiet_to is None or not is_quiet(local.time(), quiet_from, quiet_to):
        return None
    end = datetime.combine(local.date(), quiet_to, tzinfo=local.tzinfo)
    return end if end > local else datetime.combine(local.date() + timedelta(days=1), quiet_to, tzinfo=local.tzinfo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How an attempt failed: `final`, or temporary with what the channel knows about it."""

    reason: str
    final: bool = False
    after_s: float | None = None
    maybe_sent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a notice: its state and why; `due_at` where it is tried again; `falls_over`: the next channel takes over."""

    state: NoticeState
    reason: str | None = None
    due_at: datetime | None = None
    maybe_duplicate: bool = False
    falls_over: bool = False


_FIRST_S: Final = 4.0
_LONGEST_S: Final = 3600.0
_SHARE: Final = 0.1
"""Of the time that is left: a T−15 is tried every minute or so, an assignment of next week every hour."""
_LEASE_OVER: Final = "lease_over"


def after_failure(
    kind: NoticeKind,
    failure: Failure,
    *,
    attempts: int,
    duplicate: bool,
    now: datetime,
    useless_at: datetime,
    jitter: float,
) -> Verdict:
    """N6: temporary failures are tried again with backoff until the notice is useless; what the provider asks for is obeyed.

    `attempts` includes the failed one, `duplicate` says that one more sending was already a maybe, `jitter` is from 0 to 1.
    """
    if failure.final:
        return Verdict(state="failed", reason=failure.reason, falls_over=now < useless_at)
    if failure.maybe_sent:
        lost = after_loss(kind, duplicate=duplicate, now=now, useless_at=useless_at)
        if lost.state == "unknown":
            return lost
    longest = min(_LONGEST_S, max(_FIRST_S, (useless_at - now).total_seconds() * _SHARE))
    pause = 0.0 if failure.reason == _LEASE_OVER else min(longest, _FIRST_S * 2.0 ** min(attempts - 1, 20))
    pause *= 0.5 + jitter / 2
    if failure.after_s is not None:
        pause = max(pause, failure.after_s * (1 + jitter / 10))
    due_at = now + timedelta(seconds=pause)
    if due_at >= useless_at:
        return Verdict(state="failed", reason=failure.reason)
    return Verdict(
        state="planned", reason=failure.reason, due_at=due_at, maybe_duplicate=duplicate or failure.maybe_sent
    )


def after_loss(kind: NoticeKind, *, duplicate: bool, now: datetime, useless_at: datetime) -> Verdict:
    """N4: nobody knows whether the attempt left. Assignments, changes and T−15 are sent once more and flagged; others are unknown."""
    if KINDS[kind].again and not duplicate and now < useless_at:
        return Verdict(state="planned", reason="lost", due_at=now, maybe_duplicate=True)
    return Verdict(state="unknown", reason="lost")
