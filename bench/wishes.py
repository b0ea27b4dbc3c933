"""Who wants which slot in `bench.booking`: the same for ours and for the reference.

A round has slots of its own, of an hour each: half of the exhibitors begin theirs on the hour, the other half thirty minutes later.
Every second wish of a buyer is for an hour that it has not asked for yet, the one after it for a slot that overlaps that by half.
"""

from __future__ import annotations

import random
from typing import Final, NamedTuple

__all__ = ["BUYERS", "COLLEAGUES", "EXHIBITORS", "HOURS", "WISHES", "Wish", "wishes"]

BUYERS: Final = 32
WISHES: Final = 125
"""Of each buyer in a round: 4,000 in all."""
HOURS: Final = 126
EXHIBITORS: Final = 8
COLLEAGUES: Final = 2
"""Beside main: three meetings fit into a slot (M2)."""


class Wish(NamedTuple):
    """A slot by its place in the round: the exhibitor's number, and the half hour from the round's beginning."""

    exhibitor: int
    half_hour: int


def wishes(number: int) -> list[list[Wish]]:
    """What each buyer asks for in a round, in order."""
    rng = random.Random(number)
    found = []
    for _ in range(BUYERS):
        hours = rng.sample(range(HOURS - 1), (WISHES + 1) // 2)
        own: list[Wish] = []
        for hour in hours:
            own.append(Wish(2 * rng.randrange(EXHIBITORS // 2), 2 * hour))
            own.append(Wish(2 * rng.randrange(EXHIBITORS // 2) + 1, 2 * hour + 1))
        found.append(own[:WISHES])
    return found
