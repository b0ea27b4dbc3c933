"""Where a reader stands in a stream, and what an incoming position means to it (W2, W6).

A stream is gapless within an epoch: positions are 1, 2, 3 … and each is either an event or part of a `void` range. A reader
keeps the last position it has taken in. An incoming range is then one of three things: the next one, one it already has
(delivery is at least once, so it drops it), or one beyond the next (something between is missing, so it must not go on).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from fairwire_protocol.models import Position

__all__ = ["Cursor", "Step", "take"]


class Step(Enum):
    """What to do with an incoming position or range."""

    DELIVER = "deliver"
    DUPLICATE = "duplicate"
    HOLE = "hole"


class Cursor(NamedTuple):
    """The last position taken in, within one epoch of a stream."""

    epoch: int
    pos: int

    @classmethod
    def of(cls, position: Position) -> Cursor:
        """From the wire."""
        return cls(position.epoch, position.pos)

    def position(self) -> Position:
        """For the wire."""
        return Position(epoch=self.epoch, pos=self.pos)

    def take(self, start: int, end: int | None = None) -> tuple[Step, Cursor]:
        """What `start`…`end` means here, and where the reader stands afterwards."""
        step, pos = take(self.pos, start, end)
        return step, Cursor(self.epoch, pos)


def take(at: int, start: int, end: int | None = None) -> tuple[Step, int]:
    """Decide about positions `start`…`end` (an event has only `start`) for a reader that stands at `at`.

    A range that overlaps what the reader has but reaches further is delivered: only voids are ranges, and a replay may
    cut them elsewhere than the live stream did.
    """
    last = start if end is None else end
    if last <= at:
        return Step.DUPLICATE, at
    if start > at + 1 or last < start:
        return Step.HOLE, at
    return Step.DELIVER, last
