"""Time, passed in: services and background loops take a `Clock`, so that tests jump and never sleep."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

__all__ = ["Clock", "SystemClock", "milliseconds", "moment"]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
BOOTTIME: Final = getattr(
    time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC
)  # Linux has it; elsewhere a laptop's sleep is not counted


class Clock(Protocol):
    """What the server knows of time. `now` is for display and deadlines kept in the database, `monotonic` for intervals."""

    def now(self) -> datetime:
        """The present instant, in UTC."""

    def monotonic(self) -> float:
        """Seconds since some start; never runs backwards."""

    def boottime(self) -> float:
        """As `monotonic`, and runs on while the machine sleeps or the process is frozen: what leases are compared with (N4)."""

    async def sleep(self, seconds: float) -> None:
        """Return once `monotonic` has advanced by `seconds`."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def boottime(self) -> float:
        return time.clock_gettime(BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def milliseconds(at: datetime) -> int:
    """An instant as it travels on the wire: milliseconds since 1970 UTC."""
    return (at - EPOCH) // MILLISECOND


def moment(ms: float) -> datetime:
    """The instant of a wire timestamp."""
    return datetime.fromtimestamp(ms / 1000, UTC)
