"""What providers answer, and what that means for a parcel (N6): pure.

A verdict is one of

* `retry`: the same may be taken later;
* `busy`: the provider has had too much from us, everything to it pauses;
* `budget`: its own limit for that number is reached (N7), another channel takes over;
* `final`: it will never take this, whatever else; also where our account there is locked or has run dry, for a reminder cannot wait
  for somebody to pay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal

from fairwire_server.notices.parcels import ChannelError, TryLater, Undeliverable

__all__ = ["Verdict", "failure", "find", "retry_after"]

Verdict = Literal["retry", "busy", "budget", "final"]

LONGEST_S: Final = 3600.0
_PLAIN: Final = re.compile(r"[^A-Za-z0-9._-]")


def find(code: str, table: Mapping[str, Verdict], otherwise: Verdict) -> Verdict:
    """The verdict of the longest entry that `code` is or begins with; entries that end in `*` are beginnings."""
    if code in table:
        return table[code]
    beginnings = [entry for entry in table if entry.endswith("*") and code.startswith(entry[:-1])]
    return table[max(beginnings, key=len)] if beginnings else otherwise


def failure(verdict: Verdict, code: str, after_s: float | None = None) -> ChannelError:
    """The verdict as what a channel raises. A code of a provider names nobody; still only plain characters of it are kept."""
    reason = _PLAIN.sub("_", code)[:80]
    if verdict in {"final", "budget"}:
        return Undeliverable(reason, budget=verdict == "budget")
    return TryLater(reason, after_s, throttled=verdict == "busy")


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds of a `Retry-After` header: a number, or a date (RFC 9110 §10.2.3). At most an hour."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdecimal() else (parsedate_to_datetime(value) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(LONGEST_S, max(0.0, seconds))
