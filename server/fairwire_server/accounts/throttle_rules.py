"""How often somebody may try: two pure laws over numbers, without a clock.

*Pace* is GCRA: a steady rate with a burst. *Backoff* is for guessing: some failures are free, then each one doubles the time
until the next try. Refused tries count for neither, so hammering does not push the next allowed moment away.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

__all__ = ["Backoff", "Failures", "Pace", "network_of"]


@dataclass(frozen=True, slots=True)
class Pace:
    """`burst` at once, then one every `interval` seconds."""

    interval: float
    burst: int

    def wait(self, due: float, now: float) -> float:
        """Seconds until the next one is in order; 0 is now. `due` is where the last one left it."""
        return max(0.0, due - now - self.interval * (self.burst - 1))

    def spend(self, due: float, now: float) -> float:
        """The new `due` after one more."""
        return max(due, now) + self.interval


@dataclass(frozen=True, slots=True)
class Failures:
    """How many tries in a row were wrong, and when the last one was."""

    count: int = 0
    last: float = 0.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """`free` failures cost nothing; the next one makes the following wait `first` seconds, then twice that, up to `longest`."""

    free: int
    first: float
    longest: float
    forget: float
    """Seconds after the last failure until all are forgotten; longer than `longest`."""

    def wait(self, failures: Failures, now: float) -> float:
        """Seconds until the next try is in order; 0 is now."""
        if failures.count < self.free:
            return 0.0
        # 2**60 seconds are longer than any `longest`, and a larger exponent would overflow.
        pause = min(self.longest, self.first * 2.0 ** min(60, failures.count - self.free))
        return max(0.0, failures.last + pause - now)

    def after_failure(self, failures: Failures, now: float) -> Failures:
        """One more failure."""
        count = 0 if self.forgettable(failures, now) else failures.count
        return Failures(count + 1, now)

    def forgettable(self, failures: Failures, now: float) -> bool:
        """Whether the failures are too long ago to count."""
        return now - failures.last >= self.forget


def network_of(address: str) -> str:
    """Who an address counts as: an IPv4 address itself, an IPv6 one its /64, since one subscriber has all of that."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return f"{IPv6Address(int(ip) >> 64 << 64)}/64"
    return str(ip)
