"""What a run says: a line of progress while it runs, and in the end its figures, its bounds, and one word for the exit code.

Figures are printed as all benches print them, `name value unit key=value …`. They are read from locust's own statistics,
so its web page, its CSV and its HTML show the same ones. Exit codes: 0 good, 3 lost, duplicate, reordered or conflicting
messages, lost or overlapping bookings, reminders that did not end or came twice, 4 a bound missed, 5 the run does not count (a
generator above 85 % of its core, or one that did not report).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from locust.stats import RequestStats, StatsEntry

from bench.locust.diary import BookingVerdict
from bench.locust.ledger import Verdict
from bench.locust.reminding import Reminded
from bench.locust.shapes import ANSWERS, NEWS_FIRST, Bound
from bench.locust.station import Options

if TYPE_CHECKING:
    from bench.locust.audience import Audience

__all__ = ["Code", "Missed", "Outcome", "figure", "progress", "say_outcome"]

BUSY: Final = 0.85
WAITED: Final = 0.1
UNCALLED: Final = frozenset({"fan-out", "again", "reminder"})
KINDS: Final = ("chat", "reminder", "fan-out", "socket")


class Code(IntEnum):
    """How the process ends."""

    GOOD = 0
    UNTRUE = 3
    SLOW = 4
    VOID = 5


@dataclass(frozen=True, slots=True)
class Missed:
    """A bound that was not kept. `value` is None when there was nothing to measure."""

    bound: Bound
    value: float | None

    def __str__(self) -> str:
        shown = "nothing was measured" if self.value is None else f"{self.value:,.0f} ms"
        return f"{self.bound.entry} {self.bound.figure}: {shown}, at most {self.bound.ms:,.0f} ms"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The whole judgement."""

    code: Code
    verdict: Verdict
    bookings: BookingVerdict
    reminders: Reminded | None
    seconds: float
    missed: tuple[Missed, ...]
    errors: float
    busiest: float
    waited: float
    generators: tuple[int, int]
    held: int
    held_lost: int
    closed: dict[str, int]

    @classmethod
    def of(
        cls, options: Options, verdict: Verdict, stats: RequestStats, seconds: float, *, bookings: BookingVerdict,
        reminders: Reminded | None, generators: tuple[int, int], busiest: float, waited: float, held: int, held_lost: int,
        closed: dict[str, int],
    ) -> Outcome:  # fmt: skip
        """From everything that was counted."""
        missed = tuple(
            Missed(bound, value)
            for bound in options.plan.bounds
            if (value := figure(stats, bound)) is None or value > bound.ms * options.relax
        )
        calls = [entry for entry in stats.entries.values() if entry.method not in UNCALLED]
        errors = sum(entry.num_failures for entry in calls) / max(1, sum(entry.num_requests for entry in calls))
        code = Code.SLOW if missed or errors > options.plan.errors else Code.GOOD
        if generators[0] < generators[1] or busiest > BUSY:
            code = Code.VOID
        clean = verdict.clean and bookings.clean and (reminders is None or reminders.clean)
        if not clean or held_lost or (generators[0] == generators[1] and not verdict.counts.acked):
            code = Code.UNTRUE
        return cls(
            code, verdict, bookings, reminders, seconds, missed, errors, busiest, waited, generators, held, held_lost, closed,
        )  # fmt: skip


def figure(stats: RequestStats, bound: Bound) -> float | None:
    """The value that a bound is about."""
    entry = _entry(stats, bound.entry)
    if entry is None:
        return None
    if bound.figure == "max":
        return float(entry.max_response_time)
    return float(entry.get_response_time_percentile(int(bound.figure[1:]) / 100))


def _entry(stats: RequestStats, name: str) -> StatsEntry | None:
    return next((entry for entry in stats.entries.values() if entry.name == name and entry.num_requests), None)


def progress(options: Options, at: float, users: int, stats: RequestStats, audience: Audience | None) -> None:
    """One line."""
    words = [f"{options.shape} {at:4.0f} s", f"{users} users"]
    if audience is not None:
        words.append(f"{audience.live} of {audience.wanted} held")
    for label, name in (("messages", ANSWERS), ("announcements", NEWS_FIRST)):
        if (entry := _entry(stats, name)) is not None:
            words.append(
                f"{entry.num_requests:,} {label} ({entry.current_rps:.1f}/s) p99 {_percentile(entry, 0.99):.0f} ms"
            )
    each = [entry for entry in stats.entries.values() if entry.name.endswith("commit → each")]
    words.append(f"{sum(entry.current_rps for entry in each):.0f} deliveries/s")
    words.append(f"{stats.num_failures} errors")
    print("  ".join(words), flush=True)


def say_outcome(options: Options, outcome: Outcome, stats: RequestStats) -> None:
    """Everything, at the end of a run."""
    counts, verdict = outcome.verdict.counts, outcome.verdict
    print(
        f"\n# {options.shape}: {options.people} active users, {outcome.held} held, {outcome.seconds:.0f} s, speed {options.speed:g}"
    )
    for kind in KINDS:
        for entry in sorted(stats.entries.values(), key=lambda one: one.name):
            if entry.method == kind and entry.num_requests:
                _say_entry(entry, outcome.seconds)
    _say(
        "messages.sent",
        counts.attempted,
        "messages",
        acked=counts.acked,
        refused=counts.refused,
        unknown=counts.unknown,
    )
    _say("messages.read", counts.read, "messages", devices=verdict.devices)
    _say_meetings(outcome)
    _say("generator.share", f"{outcome.busiest:.2f}", "cores", generators=outcome.generators[1])
    _say("generator.waited", f"{outcome.waited:.2f}", "share")
    _say("calls.failed", f"{outcome.errors:.4f}", "share", at_most=options.plan.errors)
    _say("positions.lost", counts.holes, "sockets", recovered="by_resuming", held=outcome.held_lost)
    if outcome.held:
        _say("held.closed", sum(outcome.closed.values()), "sockets", **outcome.closed)
    for error in sorted(stats.errors.values(), key=lambda one: -one.occurrences)[:10]:
        print(f"  failed {error.occurrences} times: {error.method} {error.name}: {error.error}")
    for where in verdict.where:
        print(f"  lost: {where}")
    for where in outcome.bookings.where:
        print(f"  wrong: {where}")
    for missed in outcome.missed:
        print(f"  missed: {missed}")
    if not counts.acked:
        print("  nothing was acknowledged: the run says nothing about the server")
    if outcome.generators[0] < outcome.generators[1]:
        print(f"  only {outcome.generators[0]} of {outcome.generators[1]} generators reported")
    if outcome.waited > WAITED:
        print("  generators waited for a core that others used: the times above are not the server's alone")
    if outcome.busiest > BUSY:
        print(f"  a generator was above {BUSY:.0%} of its core: add workers (--processes), or --hold more and act less")
    _say(
        options.shape, outcome.code.name.lower(), "run", lost=verdict.lost, duplicate=counts.duplicate,
        reordered=counts.reordered, conflict=verdict.conflicts, refused_and_read=counts.untrue,
        bookings_lost=outcome.bookings.lost, overlap=outcome.bookings.overlaps,
        missed_bounds=len(outcome.missed), exit_code=int(outcome.code),
    )  # fmt: skip


def _say_meetings(outcome: Outcome) -> None:
    verdict, counts = outcome.bookings, outcome.bookings.counts
    _say(
        "bookings.requested", counts.attempted, "bookings", acked=counts.acked, refused=counts.refused, unknown=counts.unknown,
        changed=counts.changed, listed=verdict.listed, unseen=verdict.unseen,
    )  # fmt: skip
    _say("bookings.told", counts.told, "events", lost=verdict.lost, overlap=verdict.overlaps)
    if (reminders := outcome.reminders) is not None:
        ended = reminders.ended
        _say(
            "reminders.planned", reminders.planned.reminders, "notices", meetings=reminders.planned.meetings,
            **ended.states, **ended.reasons,
            instead=ended.instead, unfinished=ended.unfinished, early=ended.early, twice=ended.twice, maybe_duplicate=ended.maybe,
            in_app=counts.reminded, in_app_twice=counts.twice,
        )  # fmt: skip


def _say_entry(entry: StatsEntry, seconds: float) -> None:
    name = entry.name.replace(": ", ".").replace(" → ", "_to_").replace(" ", "_")
    _say(
        f"{entry.method}.{name}", f"{entry.num_requests / max(1.0, seconds):.1f}", "per_s",
        p50=_shown(_percentile(entry, 0.5)), p95=_shown(_percentile(entry, 0.95)), p99=_shown(_percentile(entry, 0.99)),
        max=_shown(entry.max_response_time), count=entry.num_requests,
    )  # fmt: skip


def _percentile(entry: StatsEntry, share: float) -> float:
    return float(entry.get_response_time_percentile(share))


def _shown(ms: float) -> str:
    return f"{ms:.0f}_ms"


def _say(name: str, value: object, unit: str, **more: object) -> None:
    rest = "".join(f" {key}={one}" for key, one in more.items())
    print(f"{name} {value} {unit}{rest}", flush=True)
