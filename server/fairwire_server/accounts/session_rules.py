"""What a presented refresh token gets (W13): a pure decision."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Final

__all__ = ["SUCCESSOR_GRACE", "Refreshing", "decide_refresh"]

SUCCESSOR_GRACE: Final = timedelta(seconds=60)
"""A token just rotated still returns its successor: the reply was lost, or two tabs asked at once."""


class Refreshing(Enum):
    """What happens to a refresh token."""

    ROTATE = "rotate"
    """It is the newest of its session: it gets a successor."""
    REPEAT = "repeat"
    """It was rotated just now: the same successor again."""
    REUSED = "reused"
    """It was rotated long ago, so somebody has a copy: the whole family ends."""
    OVER = "over"
    """The session has ended."""


def decide_refresh(
    rotated_at: datetime | None, expires_at: datetime, revoked_at: datetime | None, now: datetime
) -> Refreshing:
    """What to do with a token of a session that ends at `expires_at`."""
    if revoked_at is not None or expires_at <= now:
        return Refreshing.OVER
    if rotated_at is None:
        return Refreshing.ROTATE
    return Refreshing.REPEAT if now - rotated_at <= SUCCESSOR_GRACE else Refreshing.REUSED
