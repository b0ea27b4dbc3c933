"""Positions: what an incoming one means, and that any mix of cuts and repeats delivers each once, in order (W2, W6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire_protocol.cursor import Cursor, Step, take
from fairwire_protocol.models import Position


@pytest.mark.parametrize(
    ("at", "start", "end", "step", "after"),
    [
        (5, 6, None, Step.DELIVER, 6),
        (5, 5, None, Step.DUPLICATE, 5),
        (5, 1, None, Step.DUPLICATE, 5),
        (5, 7, None, Step.HOLE, 5),
        (0, 1, None, Step.DELIVER, 1),
        (5, 6, 9, Step.DELIVER, 9),
        (5, 4, 9, Step.DELIVER, 9),
        (5, 2, 5, Step.DUPLICATE, 5),
        (5, 7, 9, Step.HOLE, 5),
        (5, 9, 7, Step.HOLE, 5),
    ],
)
def test_w6_a_range_is_the_next_or_known_or_beyond(
    at: int, start: int, end: int | None, step: Step, after: int
) -> None:
    assert take(at, start, end) == (step, after)
    assert Cursor(3, at).take(start, end) == (step, Cursor(3, after))


def test_a_cursor_crosses_the_wire_unchanged() -> None:
    assert Cursor.of(Position(epoch=7, pos=9)).position() == Position(epoch=7, pos=9)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5)), max_size=30))
def test_w2_replays_from_anywhere_deliver_each_position_once_and_in_order(replays: list[tuple[int, int]]) -> None:
    """Every replay starts at or before the reader's position, as a server's does; whatever overlaps, nothing repeats."""
    at, delivered = 0, []
    for back, count in replays:
        start = max(1, at + 1 - back)
        for pos in range(start, start + count):
            step, at = take(at, pos)
            if step is Step.DELIVER:
                delivered.append(pos)
            assert step is not Step.HOLE
    assert delivered == list(range(1, at + 1))


@given(st.integers(0, 100), st.integers(0, 200), st.integers(0, 200))
def test_w6_nothing_is_ever_skipped(at: int, start: int, length: int) -> None:
    """If a range is delivered, everything between it and the reader's position is in it."""
    step, after = take(at, start, start + length)
    if step is Step.DELIVER:
        assert start <= at + 1
        assert after == start + length > at
    else:
        assert after == at
