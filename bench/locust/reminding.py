"""The reminders of a run, seen from the conductor: planned before it, read after it, as entries of the statistics."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Final, TypeVar

import gevent
import gevent.subprocess
import msgspec
from locust.stats import RequestStats

from bench.locust.reminded import Ended, Planned
from bench.locust.shapes import DUE
from bench.locust.station import Options
from bench.locust.tally import add_times

__all__ = ["Reminded", "Reminding"]

T = TypeVar("T")
ALLOWED_S: Final = 6.0
"""For planning, and one second more for every so many meetings."""
PER_S: Final = 250
END_S: Final = 20.0
LOOK_S: Final = 1.0


class Reminded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of them."""

    planned: Planned
    ended: Ended

    @property
    def clean(self) -> bool:
        """Every reminder has ended in a named state, none before it was due, none was sent twice unflagged (N4)."""
        return not (self.ended.unfinished or self.ended.early or self.ended.twice)


class Reminding:
    """`due` is the instant at which all fall due, in milliseconds since 1970."""

    def __init__(self, planned: Planned, due: int) -> None:
        self._planned = planned
        self.due = due

    @classmethod
    def planned(cls, options: Options, fair: str, rise: float) -> Reminding | None:
        """Make the meetings; they fall due once all are here. None when the run has none. Ends the run where that cannot be."""
        count = options.reminded
        if not count:
            return None
        allowed = ALLOWED_S + count / PER_S
        due = int((time.time() + allowed + rise) * 1000)
        planned = _ask(Planned, "plan", "--fair", fair, "--count", str(count), "--due", str(due))
        late = time.time() + rise - due / 1000
        print(
            f"# {planned.meetings:,} meetings with {planned.reminders:,} reminders fall due after {rise - late:.0f} s",
            flush=True,
        )
        return cls(planned, due)

    def result(self, stats: RequestStats) -> Reminded:
        """Once every one of them has ended, or long enough after the run."""
        until = time.monotonic() + END_S
        while (ended := _ask(Ended, "read", "--due", str(self.due))).unfinished and time.monotonic() < until:
            gevent.sleep(LOOK_S)
        for channel, late in sorted(ended.late.items()):
            add_times(stats, "reminder", f"{DUE} ({channel})", late)
            add_times(stats, "reminder", DUE, late)
        return Reminded(planned=self._planned, ended=ended)


def _ask(kind: type[T], *words: str) -> T:
    process = gevent.subprocess.run(
        [sys.executable, "-m", "bench.locust.reminders", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    if process.returncode:
        raise SystemExit(f"reminders: {process.stderr.decode().strip()}")
    return msgspec.json.decode(process.stdout.splitlines()[-1], type=kind)
