"""When a letter that did not leave is tried again: a pure decision."""

from __future__ import annotations

from typing import Final

__all__ = ["USELESS_AFTER_S", "next_try"]

USELESS_AFTER_S: Final = 600.0
"""A code is over by then."""
_FIRST_S: Final = 2.0
_LONGEST_S: Final = 120.0


def next_try(tries: int, waited_s: float, jitter: float, after_s: float | None = None) -> float | None:
    """Seconds until the next try after `tries` of them, or None when it would come too late. `jitter` is from 0 to 1.

    `after_s` is what the other side asked for; it is obeyed, not undercut (N6)."""
    pause: float = min(_LONGEST_S, _FIRST_S * 2.0 ** min(tries - 1, 20)) * (0.5 + jitter / 2)
    if after_s is not None:
        pause = max(pause, after_s * (1 + jitter / 10))
    return None if waited_s + pause > USELESS_AFTER_S else pause
