"""One generator of a run: locust's worker, or the only process there is. It does what the conductor says.

part      which run, and which of its generators this is
give      the place of an account, which was asked for by `want`
cut       all sockets lose their network
quiet     nobody starts anything; `still` is said once nobody waits for an answer
list      people read their lists of bookings; `listed` is said once all have
show      what its devices saw goes to the conductor
"""

from __future__ import annotations

import signal
import socket
import time
from typing import Final

import gevent
import msgspec
from gevent.pool import Pool
from locust.env import Environment
from locust.rpc import Message
from locust.runners import LocalRunner, WorkerRunner

from bench.locust.cast import Role
from bench.locust.diary import DiaryRows
from bench.locust.fanout import Spread
from bench.locust.ledger import Rows
from bench.locust.station import Part, Station, options_of, station_of

__all__ = ["LEDGER", "LISTED", "STILL", "WANT", "Closing", "Generator"]

WANT: Final = "fairwire-want"
STILL: Final = "fairwire-still"
LEDGER: Final = "fairwire-ledger"
LISTED: Final = "fairwire-listed"
SETTLED_NS: Final = 1_000_000_000
STILL_S: Final = 20.0
READERS: Final = 32  # of lists, at once


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """What a generator says in the end. `share` is what it used of its core."""

    index: int
    rows: Rows
    diary: DiaryRows
    share: float
    waited: float
    """Share of the time in which it could have run and had no core."""
    machine: str


class Generator:
    """Takes part in every run of its environment."""

    def __init__(self, environment: Environment, runner: LocalRunner | WorkerRunner) -> None:
        self._environment = environment
        self._runner = runner
        self._part = Part(0, 0)
        for name, act in {
            "part": self._take_part,
            "give": self._give,
            "cut": self._cut,
            "quiet": self._quiet,
            "list": self._list,
            "show": self._show,
        }.items():
            runner.register_message(f"fairwire-{name}", act)
        if isinstance(runner, WorkerRunner) and getattr(environment.parsed_options, "processes", None):
            signal.signal(
                signal.SIGINT, signal.SIG_IGN
            )  # Ctrl-C is the conductor's, which ends the run and then its workers
        environment.events.test_start.add_listener(self._start)
        environment.events.report_to_master.add_listener(self._report)

    def _take_part(self, environment: Environment, msg: Message, **_: object) -> None:
        self._part = msgspec.convert(msg.data, Part)

    def _want(self, role: Role) -> None:
        """A user has come and needs an account."""
        self._tell(WANT, {"role": role, "index": self._part.index})

    def _give(self, environment: Environment, msg: Message, **_: object) -> None:
        if (station := station_of(environment)) is not None:
            station.give(msg.data["role"], msg.data["place"])

    def _start(self, environment: Environment, **_: object) -> None:
        options = options_of(environment)
        station = station_of(environment, lambda: Station(environment, options, self._part, self._want))
        assert station is not None
        if options.plan.drop_share:
            gevent.spawn(self._drop, station)

    def _drop(self, station: Station) -> None:
        """Networks fail all the time (soak)."""
        while not station.quiet and station_of(self._environment) is station:
            gevent.sleep(10)
            if not station.quiet:
                station.cut(station.options.plan.drop_share / 6)

    def _cut(self, environment: Environment, msg: Message, **_: object) -> None:
        if (station := station_of(environment)) is not None:
            station.cut()

    def _quiet(self, environment: Environment, msg: Message, **_: object) -> None:
        if (station := station_of(environment)) is not None:
            station.fall_quiet()
            gevent.spawn(self._settle, station)

    def _settle(self, station: Station) -> None:
        until = time.monotonic() + STILL_S
        while time.monotonic() < until and not station.idle():
            gevent.sleep(0.1)
        self._tell(STILL, {"index": station.part.index})

    def _list(self, environment: Environment, msg: Message, **_: object) -> None:
        if (station := station_of(environment)) is not None:
            gevent.spawn(self._look_back, station)

    def _look_back(self, station: Station) -> None:
        pool = Pool(READERS)
        for player in list(station.players):
            pool.spawn(player.look_back)
        pool.join()
        self._tell(LISTED, {"index": station.part.index})

    def _show(self, environment: Environment, msg: Message, **_: object) -> None:
        if (station := station_of(environment)) is not None:
            closing = Closing(
                index=station.part.index,
                rows=station.ledger.rows(),
                diary=station.diary.rows(),
                share=station.share,
                waited=station.waited,
                machine=socket.gethostname(),
            )
            self._tell(LEDGER, {"closing": msgspec.msgpack.encode(closing)})

    def _tell(self, name: str, data: dict[str, object]) -> None:
        """To the conductor, which may be in this very process."""
        self._runner.send_message(name, data)

    def _report(self, client_id: str, data: dict[str, object], **_: object) -> None:
        """Beside locust's own statistics, every three seconds: what has finished spreading here."""
        if (station := station_of(self._environment)) is not None:
            done: list[Spread] = list(station.fanout.take(time.time_ns() - SETTLED_NS))
            data["fairwire_spreads"] = msgspec.msgpack.encode(done)
            data["fairwire_counts"] = msgspec.msgpack.encode(station.ledger.counts)
