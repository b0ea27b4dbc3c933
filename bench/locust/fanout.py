"""Fan-out: from the commit of an event to the first and to the last who got it, over all sockets of all generators.

Each generator notes, per event, when its first and its last socket received it and how many did. Parts of one event meet at
the conductor; an event is finished when nothing has come for it for some seconds. The commit is taken at the server's
`ts`, which it stamps when it begins to store an event: so every figure here includes the storing. `ts` has whole
milliseconds; half of one is added, so that the mean is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec

__all__ = ["Fanout", "Kind", "Spread"]

Kind = Literal["chat", "announcement", "booking"]
HALF_MS: Final = 500_000


class Spread(msgspec.Struct, array_like=True):
    """One event, as far as it has spread. `key` names it in all generators."""

    kind: Kind
    key: str
    commit_ns: int
    first_ns: int
    last_ns: int
    count: int

    @property
    def first_ms(self) -> float:
        """From the commit to the first."""
        return max(0, self.first_ns - self.commit_ns) / 1e6

    @property
    def last_ms(self) -> float:
        """From the commit to the last."""
        return max(0, self.last_ns - self.commit_ns) / 1e6


class Fanout:
    """Events that are spreading."""

    def __init__(self) -> None:
        self._open: dict[str, Spread] = {}

    def deliver(self, kind: Kind, key: str, ts: int, now_ns: int) -> float:
        """One socket has got it; returns the milliseconds since the commit."""
        spread = self._open.get(key)
        if spread is None:
            spread = self._open[key] = Spread(kind, key, ts * 1_000_000 + HALF_MS, now_ns, now_ns, 0)
        spread.last_ns = max(spread.last_ns, now_ns)
        spread.count += 1
        return max(0, now_ns - spread.commit_ns) / 1e6

    def merge(self, parts: Iterable[Spread]) -> None:
        """What another generator has noted."""
        for part in parts:
            spread = self._open.setdefault(part.key, part)
            if spread is not part:
                spread.first_ns = min(spread.first_ns, part.first_ns)
                spread.last_ns = max(spread.last_ns, part.last_ns)
                spread.count += part.count

    def take(self, before_ns: int) -> Iterator[Spread]:
        """Those to which nothing was added since then; they are forgotten here."""
        done = [spread for spread in self._open.values() if spread.last_ns < before_ns]
        for spread in done:
            del self._open[spread.key]
        return iter(done)
