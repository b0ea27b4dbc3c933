"""The six shapes of a run, what happens in each, and what it must keep to: data, from which locust's shape is driven.

Every shape rises to its users, holds them, and ends with a quiet: nobody starts anything, and what is under way arrives.
Only then are messages counted as lost. The bounds are those of the project's targets; `--relax` multiplies the times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = ["SHAPES", "Bound", "Shape", "Times", "bounds_table", "shapes_table"]

Figure = Literal["p50", "p95", "p99", "max"]
ANSWERS: Final = "sent → the other person has it"
FIRST: Final = "chat: commit → first"
LAST: Final = "chat: commit → last"
NEWS_FIRST: Final = "announcement: commit → first"
NEWS_LAST: Final = "announcement: commit → last"
AGAIN: Final = "cut → live again"
LIVE: Final = "connect → live"
BOOKED: Final = "booking: commit → each"
BOOKED_FIRST: Final = "booking: commit → first"
BOOKED_LAST: Final = "booking: commit → last"
DUE: Final = "due → outcome"
REMINDED: Final = "due → in the app"
"""Of T−15."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure of an entry, in milliseconds, that a run must not pass."""

    entry: str
    figure: Figure
    ms: float


@dataclass(frozen=True, slots=True)
class Shape:
    """How a run goes. Without `--users` and `--seconds`, it has those written here."""

    meaning: str
    users: int
    seconds: float
    rise: float
    """Seconds until all are here."""
    bounds: tuple[Bound, ...]
    factors: Mapping[str, float] = field(default_factory=dict)
    """Of single habits."""
    cut_every: float = 0.0
    """Seconds after which all sockets are cut at once, without a word."""
    drop_share: float = 0.0
    """Share of the sockets that lose their network each minute."""
    reminders: int = 0
    """Meetings whose T−15 falls due in one minute of the run (N5)."""
    errors: float = 0.002
    """Share of the calls that may fail."""


TALK: Final = (Bound(ANSWERS, "p99", 250), Bound(NEWS_LAST, "p99", 400))
SHAPES: Final[Mapping[str, Shape]] = {
    "opening": Shape(
        "The doors open: everybody comes within a minute, browses and opens chats at three times the usual rate.",
        users=1000, seconds=120, rise=60, bounds=(Bound(LIVE, "p99", 2000), Bound(ANSWERS, "p99", 500)),
        factors={"buyer.browse": 3, "buyer.card": 3, "buyer.open": 3, "buyer.leave": 0},
    ),
    "peak_hour": Shape(
        "The busiest hour: everybody is here and talks twice as much; an announcement every 20 s.",
        users=1000, seconds=600, rise=30, bounds=TALK, factors={"organiser.announce": 3, "buyer.open": 2, "buyer.write": 2},
    ),
    "reconnect_storm": Shape(
        "Every 30 s all sockets are cut at once; all resume while the others go on.",
        users=1000, seconds=120, rise=30, cut_every=30,
        bounds=(Bound(AGAIN, "max", 8000),),
        factors={"buyer.leave": 0},
    ),
    "announcement": Shape(
        "An announcement every 3 s to everybody, with a large held audience, while chats go on.",
        users=500, seconds=120, rise=30, bounds=TALK, factors={"organiser.announce": 20, "buyer.leave": 0},
    ),
    "soak": Shape(
        "Long and ordinary, with coming and going, and two sockets in a hundred dropped each minute.",
        users=500, seconds=1800, rise=60, drop_share=0.02,
        bounds=(Bound(ANSWERS, "p99", 500), Bound(NEWS_LAST, "p99", 500)),
        factors={"buyer.leave": 2},
    ),
    "reminder_minute": Shape(
        "A whole fair's T−15 falls due at the same instant, soon after all are here; chats and bookings go on beside it.",
        users=500, seconds=150, rise=30, reminders=2000, bounds=(Bound(DUE, "p99", 30_000), Bound(ANSWERS, "p99", 500)),
        factors={"buyer.open": 4, "buyer.write": 4, "buyer.leave": 0},
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Times:
    """When what happens in one run, in seconds from its start."""

    shape: Shape
    seconds: float
    rise: float

    @classmethod
    def of(cls, shape: Shape, seconds: float | None, rise: float | None = None) -> Times:
        """With the shape's own seconds unless others are given; the rise is at most a third of them."""
        whole = seconds or shape.seconds
        return cls(shape, whole, min(rise or shape.rise, whole / 3))

    def over(self, at: float) -> bool:
        """Whether the quiet begins."""
        return at >= self.seconds

    def cuts(self, at: float) -> int:
        """How many times all sockets had to be cut by now; none in the last 10 s, which are for coming back."""
        if not self.shape.cut_every or self.seconds - self.rise <= 10:
            return 0
        every = min(self.shape.cut_every, (self.seconds - self.rise - 10) / 2)
        return max(0, int((min(at, self.seconds - 10) - self.rise) / every))


def shapes_table() -> str:
    """The table of bench/README.md."""
    rows = [
        f"| `{name}` | {shape.meaning} | {shape.users:,} | {shape.seconds:g} | "
        + (", ".join(f"`{habit}` × {factor:g}" for habit, factor in shape.factors.items()) or "none")
        + " |"
        for name, shape in SHAPES.items()
    ]
    return "\n".join(
        ["| shape | what happens | users | seconds | habits changed |", "|---|---|---|---|---|", *rows, ""]
    )


def bounds_table() -> str:
    """The table of bench/README.md."""
    rows = [
        f"| `{name}` | {bound.entry} | {bound.figure} | {bound.ms:g} |"
        for name, shape in SHAPES.items()
        for bound in shape.bounds
    ]
    return "\n".join(["| shape | entry | figure | at most, ms |", "|---|---|---|---|", *rows, ""])
