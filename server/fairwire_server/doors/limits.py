"""How often who may do what (W12): one bucket per caller and rate class, in memory, by the generic cell rate algorithm.

A bucket is one number, the instant at which it would be full again. Buckets live in two generations: after the time in which
any bucket fills up, what the older generation still holds is as good as new and is dropped as a whole. So memory is bounded,
nothing is ever swept, and a check is two dictionary lookups.

A few classes are shared by all nodes beside that: what one node has let through is counted once more where all of them count.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Final

from fairwire_protocol.errors import Unavailable
from fairwire_protocol.operations import RateClass
from fairwire_server.clock import Clock

__all__ = ["ACCOUNT_RATES", "ADDRESS_RATES", "KEYS_MAX", "SHARED", "Limits", "Rate", "SharedLimits"]


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` calls at once, refilled at `per_second`."""

    per_second: float
    burst: int


ACCOUNT_RATES: Final[Mapping[RateClass, Rate]] = {
    "sign_in": Rate(0.5, 10),  # passwords, codes and addresses of an account that is signed in
    "read": Rate(50, 200),
    "search": Rate(5, 30),
    "send": Rate(50, 200),
    "command": Rate(30, 150),
    "ephemeral": Rate(20, 60),
    "upload": Rate(2, 30),
    "open": Rate(1, 320),  # a whole recent list (K1) at once, then a chat a second
}
"""Per signed-in account, all of its devices together."""

ADDRESS_RATES: Final[Mapping[RateClass, Rate]] = {
    "sign_in": Rate(20, 200),  # a company's people behind one address; the throttle of each account is its service's
    "read": Rate(50, 200),
}
"""Per address, for calls without an access token. A class that is not here has its account's rate."""

SHARED: Final[frozenset[RateClass]] = frozenset({"sign_in", "search", "upload", "open"})
"""Counted over all nodes: what is dear or guessed at. The others cost a round trip more than they are worth."""

ROUNDING_S: Final = 1e-6  # what sums of floats may be off by
KEYS_MAX: Final = 50_000
"""Keys of a class in one generation; beyond that the older generation goes early."""


class Limits:
    """Buckets of one process. `factor` scales every rate and burst; 0 turns all of them off."""

    def __init__(
        self,
        clock: Clock,
        *,
        rates: Mapping[RateClass, Rate] = ACCOUNT_RATES,
        factor: float = 1.0,
        keys_max: int = KEYS_MAX,
    ) -> None:
        self._monotonic = clock.monotonic
        self._classes: dict[RateClass, _Class] = (
            {name: _Class(rate, factor, keys_max) for name, rate in rates.items()} if factor > 0 else {}
        )

    def check(self, key: Hashable, rate_class: RateClass) -> None:
        """Take one call of `key` from its bucket. Raises `rate_limited` with the wait until there is one again."""
        bucket = self._classes.get(rate_class)
        if bucket is not None and (wait := bucket.take(key, self._monotonic())) > 0:
            raise Unavailable("rate_limited", retry_after_ms=math.ceil(wait * 1000 - ROUNDING_S))


Take = Callable[[str, float, int], Awaitable[float | None]]
"""Takes one call from a bucket of all nodes by its name, interval and burst: seconds to wait, or None when nobody knows."""


class SharedLimits:
    """Buckets of all nodes, for the classes in `SHARED`. While they cannot be reached, each node's own limits are all there is."""

    def __init__(self, take: Take, *, factor: float = 1.0) -> None:
        self._take = take
        self._factor = factor

    async def check(self, key: Hashable, rate_class: RateClass, *, address: bool) -> None:
        """Take one call of an account or, for calls without a token, of an address. Raises `rate_limited`."""
        rate = (ADDRESS_RATES if address else ACCOUNT_RATES).get(rate_class)
        if rate is None or rate_class not in SHARED or self._factor <= 0:
            return
        name = f"{'address' if address else 'account'}:{rate_class}:{key}"
        interval, burst = 1 / (rate.per_second * self._factor), max(1, int(rate.burst * self._factor))
        wait = await self._take(name, interval, burst)
        if wait:
            raise Unavailable("rate_limited", retry_after_ms=math.ceil(wait * 1000))


class _Class:
    """All buckets of one rate class."""

    __slots__ = ("_fills_in", "_interval", "_keys_max", "_old", "_rotated", "_tolerance", "_young")

    def __init__(self, rate: Rate, factor: float, keys_max: int) -> None:
        burst = max(1.0, rate.burst * factor)
        self._interval = 1 / (rate.per_second * factor)
        self._tolerance = (burst - 1) * self._interval
        self._fills_in = burst * self._interval
        self._keys_max = keys_max
        self._young: dict[Hashable, float] = {}
        self._old: dict[Hashable, float] = {}
        self._rotated = -math.inf

    def take(self, key: Hashable, now: float) -> float:
        """Zero if the call may go ahead, else seconds to wait; a refused call costs nothing."""
        young = self._young
        full_at = young.get(key)
        if full_at is None:
            if now - self._rotated >= self._fills_in or len(young) >= self._keys_max:
                self._old, self._young, self._rotated = young, {}, now
                young = self._young
            full_at = self._old.get(key, now)
        if full_at < now:
            full_at = now
        wait = full_at - now - self._tolerance
        if wait > ROUNDING_S:
            return wait
        young[key] = full_at + self._interval
        return 0.0
