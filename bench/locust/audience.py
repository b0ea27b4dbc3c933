"""The held audience, seen from the conductor: the holder's process, and what it reports."""

from __future__ import annotations

import subprocess
import sys
from collections import deque

import gevent
import gevent.subprocess
import msgspec
from locust.stats import RequestStats

from bench.locust.fanout import Fanout
from bench.locust.holder import Report
from bench.locust.person import DELIVERED
from bench.locust.shapes import AGAIN, LIVE
from bench.locust.station import Options
from bench.locust.tally import add_times

__all__ = ["Audience"]

END_S = 10.0


class Audience:
    """Thousands of people who only wait."""

    def __init__(self, options: Options, fanout: Fanout, stats: RequestStats) -> None:
        self.live = self.lost = 0
        self.closed: dict[str, int] = {}
        """How often a held socket was closed, by the close code or the error."""
        self.share = 0.0
        """The most that the holder has used of a core in any ten seconds, which are a fraction of a rise."""
        self._shares: deque[float] = deque(maxlen=10)
        self.wanted = options.hold
        self._fanout = fanout
        self._stats = stats
        command = [
            sys.executable, "-m", "bench.locust.holder", "--host", options.host, "--accounts", options.accounts,
            "--users", str(options.people), "--hold", str(options.hold),
        ]  # fmt: skip
        self._process = gevent.subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._reader = gevent.spawn(self._read)

    def cut(self) -> None:
        """All lose their network."""
        self._say(b"cut\n")

    def end(self) -> None:
        """All go; what they saw last is counted."""
        self._say(b"end\n")
        self._reader.join(END_S)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def _say(self, line: bytes) -> None:
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except OSError:
            self.live = 0

    def _read(self) -> None:
        decode = msgspec.json.Decoder(Report).decode
        for line in self._process.stdout:
            report = decode(line)
            self.live, self.lost = report.live or self.live, report.lost
            self.closed = report.closed
            self._shares.append(report.share)
            if len(self._shares) == self._shares.maxlen:
                self.share = max(self.share, sum(self._shares) / len(self._shares))
            self._fanout.merge(report.spreads)
            add_times(self._stats, "fan-out", DELIVERED["announcement"], report.delivered)
            add_times(self._stats, "socket", f"{LIVE} (held)", report.connected)
            add_times(self._stats, "socket", AGAIN, report.again)
