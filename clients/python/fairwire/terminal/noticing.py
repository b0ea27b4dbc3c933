"""The terminal's commands about notices: preferences, and for organisers what became of the fair's, and its bookings (M5, N4–N6, N9)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast, get_args
from uuid import UUID

from fairwire.terminal.desk import Desk, Mistake
from fairwire.terminal.view import clock
from fairwire_protocol.operations.notices import NoticeItem, State

__all__ = ["fair_notices", "notice_line", "notify", "retry_notice", "show_fair", "show_notice", "show_providers"]


def notice_line(one: NoticeItem) -> str:
    """One notice on a line."""
    again = " (perhaps twice)" if one.maybe_duplicate else ""
    why = f" {one.reason}" if one.reason else ""
    return f"{one.id}  {_day_and_clock(one.due_at)}  {one.kind} by {one.channel}: {one.state}{why}{again}"


async def fair_notices(desk: Desk, words: str) -> None:
    """Counts, lateness and the newest ones."""
    state = words.strip() or None
    if state is not None and state not in get_args(State):
        raise Mistake(f"/notices, and one of {', '.join(get_args(State))}")
    found = await desk.client.organiser.notices(state=cast("Any", state))
    for row in found.counts:
        desk.out.say("count", f"{row.state:<8} {row.kind} by {row.channel}: {row.count}")
    if found.late_p50_ms is not None:
        late = f"late by {found.late_p50_ms} ms at p50, {found.late_p95_ms} at p95, {found.late_max_ms} at most"
        desk.out.say("lateness", f"{late}; {found.overdue} due and not claimed yet")
    if not found.notices:
        desk.out.say("empty", f"no {state} notices" if state else "no notices")
    for one in found.notices:
        desk.out.say("notice", notice_line(one))


async def show_notice(desk: Desk, words: str) -> None:
    """One with all its attempts."""
    reply = await desk.client.organiser.notice(notice=_id(words))
    desk.out.say("notice", notice_line(reply.notice))
    for one in reply.attempts:
        delivery = f", {one.delivery}" if one.delivery else ""
        desk.out.say(
            "attempt",
            f"{one.number}  {clock(one.at)}  {one.provider}: {one.outcome or 'open'} {one.reason or ''}{delivery}",
        )


async def retry_notice(desk: Desk, words: str) -> None:
    """A failed one is due again."""
    await desk.client.organiser.retry_notice(notice=_id(words))
    desk.out.say("ok", "it is tried again")


async def show_providers(desk: Desk, _: str) -> None:
    """Each on a line."""
    for one in (await desk.client.organiser.providers()).providers:
        paused = f", paused until {clock(one.paused_until)}" if one.paused_until else ""
        error = f", last error {one.last_error}" if one.last_error else ""
        tries = f"{one.sent} sent, {one.failed} failed, {one.retried} put off in 15 minutes"
        desk.out.say("provider", f"{one.name} ({one.channel}, {one.per_minute} a minute): {tries}{paused}{error}")


async def show_fair(desk: Desk, _: str) -> None:
    """The fair's bookings: what there are, what somebody should look at, day by day."""
    found = await desk.client.organiser.bookings()
    now = found.counts
    states = f"{now.pending} pending, {now.assigned} assigned, {now.rejected} rejected, {now.cancelled} cancelled"
    desk.out.say("bookings", f"{states}; {found.attended} attended, {found.no_show} missed")
    if found.soon or found.overdue:
        desk.out.say("waiting", f"pending still: {found.soon} start within 24 hours, {found.overdue} are over")
    for day in found.days:
        desk.out.say("day", f"{day.day}  {day.pending} pending, {day.assigned} assigned")


async def notify(desk: Desk, words: str) -> None:
    """Channels of a kind, or quiet hours; the rest stays as it is."""
    now = await desk.client.notices.preferences()
    channels: dict[Any, Any] = {**now.channels}
    quiet = now.quiet_from, now.quiet_to
    kind, _, rest = words.strip().partition(" ")
    if kind == "quiet":
        first, _, last = rest.strip().partition("-")
        quiet = (None, None) if first == "off" else (first.strip(), last.strip())
    elif kind:
        channels[kind] = tuple(part.strip() for part in rest.split(",") if part.strip())
    if kind:
        now = await desk.client.notices.set_preferences(
            channels=channels, quiet_from=quiet[0], quiet_to=quiet[1], reminders_by_mail=now.reminders_by_mail
        )
    for name, used in now.by_kind.items():
        desk.out.say("notify", f"{name:<16} {', '.join(used)}")
    if now.quiet_from:
        desk.out.say("notify", f"quiet from {now.quiet_from} to {now.quiet_to} ({now.time_zone})")


def _day_and_clock(at: int) -> str:
    """Reminders are due on other days."""
    return f"{datetime.fromtimestamp(at / 1000, UTC).astimezone():%m-%d %H:%M}"


def _id(words: str) -> UUID:
    try:
        return UUID(words.strip())
    except ValueError:
        raise Mistake("the id of a notice, as /notices shows it") from None
