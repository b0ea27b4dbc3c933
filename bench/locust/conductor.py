"""The conductor of a run: locust's master, or the only process there is. It tells the generators what to do, puts together what
they saw, and in the end says whether the run was good.

When a run ends, for whatever reason, the users are still there: first all fall quiet, then everything under way arrives,
then the ledgers are gathered and judged, and only then does locust stop its users and write its reports.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import gevent
import msgspec
from locust.env import Environment
from locust.rpc import Message
from locust.runners import LocalRunner, MasterRunner

from bench.locust.audience import Audience
from bench.locust.cast import Cast, read_actors
from bench.locust.diary import BookingVerdict, judge_bookings
from bench.locust.fanout import Fanout, Spread
from bench.locust.generator import LEDGER, LISTED, STILL, WANT, Closing
from bench.locust.habits import Habits
from bench.locust.ledger import Counts, Verdict, judge
from bench.locust.reminding import Reminded, Reminding
from bench.locust.report import Outcome, progress, say_outcome
from bench.locust.shapes import BOOKED_FIRST, BOOKED_LAST, FIRST, LAST, NEWS_FIRST, NEWS_LAST, Times
from bench.locust.station import Options, Part, options_of, station_of

__all__ = ["Conductor", "times_of"]

SETTLE_S: Final = 25.0
ARRIVE_S: Final = 1.5
TRIES: Final = 6
PROGRESS_S: Final = 5.0
FINISHED_NS: Final = 5_000_000_000  # workers report every 3 s
ENTRIES: Final = {
    "chat": (FIRST, LAST),
    "announcement": (NEWS_FIRST, NEWS_LAST),
    "booking": (BOOKED_FIRST, BOOKED_LAST),
}


class Conductor:
    """Leads every run of its environment."""

    def __init__(self, environment: Environment, runner: LocalRunner | MasterRunner) -> None:
        self.outcome: Outcome | None = None
        self._environment = environment
        self._runner = runner
        self._fanout = Fanout()
        self._audience: Audience | None = None
        self._counts: dict[str, Counts] = {}
        self._still: set[int] = set()
        self._listed: set[int] = set()
        self._reminding: Reminding | None = None
        self._closings: dict[int, Closing] = {}
        self._run = 0
        self._parts: dict[int, str] = {}
        """Which generator is which of locust's workers."""
        self._cast: Cast | None = None
        self._taken: dict[str, int] = {}
        self._began = 0.0
        self._running = False
        runner.register_message(WANT, self._on_want)
        runner.register_message(STILL, self._on_still)
        runner.register_message(LISTED, self._on_listed)
        runner.register_message(LEDGER, self._on_ledger)
        events = environment.events
        events.worker_connect.add_listener(self._enrol)
        events.worker_report.add_listener(self._on_report)
        events.test_start.add_listener(self._start)
        events.test_stopping.add_listener(self.stop)

    # a run

    def _start(self, environment: Environment, **_: object) -> None:
        options = options_of(environment)
        try:
            Habits(options.speed, options.factors)
        except (KeyError, ValueError) as error:
            raise SystemExit(f"--habits: {error}") from error
        workers = (
            [*self._runner.clients.ready, *self._runner.clients.running, *self._runner.clients.spawning]
            if isinstance(self._runner, MasterRunner)
            else []
        )
        actors = read_actors(Path(options.accounts))
        self._cast = Cast.of(actors, options.people, options.hold)
        self._taken = {"buyer": 0, "team": 0, "organiser": 0}
        self._run, self._parts = random.getrandbits(16), {}
        self._fanout, self._counts, self._closings = Fanout(), {}, {}
        self._still, self._listed = set(), set()
        self._reminding = Reminding.planned(options, actors[0].fair, times_of(options).rise)
        if environment.shape_class is not None:
            environment.shape_class.reset_time()  # planning takes a moment, which is none of the run's
        self.outcome, self._began, self._running = None, time.monotonic(), True
        for worker in [worker.id for worker in workers] or [""]:
            self._enrol(worker)
        if options.hold:
            self._audience = Audience(options, self._fanout, environment.stats)
        gevent.spawn(self._follow, options)

    def _enrol(self, client_id: str, **_: object) -> None:
        """A generator takes part, from the beginning or later."""
        if self._running and client_id not in self._parts.values():
            index = len(self._parts)
            self._parts[index] = client_id
            part = msgspec.structs.asdict(Part(self._run, index))
            self._runner.send_message("fairwire-part", part, client_id or None)

    def cut(self) -> None:
        """All sockets of all generators and of the holder lose their network."""
        self._runner.send_message("fairwire-cut")
        if self._audience is not None:
            self._audience.cut()

    def _follow(self, options: Options) -> None:
        """Finish what has spread, and say how it goes."""
        spoken = time.monotonic()
        while self._running:
            gevent.sleep(0.5)
            self._finish(time.time_ns() - FINISHED_NS)
            if time.monotonic() - spoken >= PROGRESS_S and self._running:
                spoken = time.monotonic()
                progress(
                    options, spoken - self._began, self._runner.user_count, self._environment.stats, self._audience
                )

    def _finish(self, before_ns: int) -> None:
        """Events that have reached their last socket become entries of the statistics."""
        if (station := station_of(self._environment)) is not None and isinstance(self._runner, LocalRunner):
            self._fanout.merge(station.fanout.take(before_ns + FINISHED_NS // 2))
        for spread in self._fanout.take(before_ns):
            first, last = ENTRIES[spread.kind]
            self._log(first, spread.first_ms)
            self._log(last, spread.last_ms)

    def _log(self, name: str, ms: float) -> None:
        self._environment.events.request.fire(
            request_type="fan-out", name=name, response_time=ms, response_length=0, exception=None, context={}
        )

    # its end

    def stop(self, environment: Environment, **_: object) -> None:
        """Quiet, arrival, judgement. The users are still connected, and stay until this returns."""
        if not self._running:
            return
        options = options_of(environment)
        seconds = time.monotonic() - self._began
        self._ask("quiet", lambda: len(self._still) >= len(self._parts))
        self._ask("list", lambda: len(self._listed) >= len(self._parts))
        verdict, bookings, lost = judge(()), judge_bookings(()), 0
        for _attempt in range(TRIES):
            gevent.sleep(ARRIVE_S)
            self._closings = {}
            self._ask("show", lambda: len(self._closings) >= len(self._parts))
            before, verdict = lost, judge(closing.rows for closing in self._closings.values())
            bookings = judge_bookings(closing.diary for closing in self._closings.values())
            lost = verdict.lost + bookings.lost
            if lost in {0, before}:  # what is only late arrives meanwhile
                break
        self._running = False
        if self._audience is not None:
            self._audience.end()
        self._finish(time.time_ns() + FINISHED_NS)
        reminders = None if self._reminding is None else self._reminding.result(self._environment.stats)
        self.outcome = self._judge(options, verdict, bookings, reminders, seconds)
        say_outcome(options, self.outcome, environment.stats)
        self._audience = None
        gevent.sleep(1.2)  # locust writes its CSV files once a second

    def _judge(
        self, options: Options, verdict: Verdict, bookings: BookingVerdict, reminders: Reminded | None, seconds: float
    ) -> Outcome:
        held = self._audience
        shares = [closing.share for closing in self._closings.values()]
        here = [closing.share for closing in self._closings.values() if closing.machine == socket.gethostname()]
        together = (sum(here) + (held.share if held is not None else 0.0)) / len(os.sched_getaffinity(0))
        return Outcome.of(
            options, verdict, self._environment.stats, seconds, bookings=bookings, reminders=reminders,
            generators=(len(self._closings), len(self._parts)), busiest=max([*shares, together]),
            waited=max((closing.waited for closing in self._closings.values()), default=0.0),
            held_lost=held.lost if held is not None else 0, held=held.live if held is not None else 0,
            closed=held.closed if held is not None else {},
        )  # fmt: skip

    def _ask(self, name: str, answered: Callable[[], bool]) -> None:
        """Say it to all generators and wait for their answers, for a while."""
        self._runner.send_message(f"fairwire-{name}")
        until = time.monotonic() + SETTLE_S
        while not answered() and time.monotonic() < until:
            gevent.sleep(0.05)

    # what comes in

    def _on_want(self, environment: Environment, msg: Message, **_: object) -> None:
        role, worker = msg.data["role"], self._parts[msg.data["index"]]
        assert self._cast is not None
        place = self._taken[role]
        self._taken[role] += 1
        given = {"role": role, "place": place if place < len(self._cast.of_role(role)) else None}
        self._runner.send_message("fairwire-give", given, worker or None)

    def _on_still(self, environment: Environment, msg: Message, **_: object) -> None:
        self._still.add(msg.data["index"])

    def _on_listed(self, environment: Environment, msg: Message, **_: object) -> None:
        self._listed.add(msg.data["index"])

    def _on_ledger(self, environment: Environment, msg: Message, **_: object) -> None:
        closing = msgspec.msgpack.decode(msg.data["closing"], type=Closing)
        self._closings[closing.index] = closing

    def _on_report(self, client_id: str, data: dict[str, bytes], **_: object) -> None:
        if (spreads := data.get("fairwire_spreads")) is not None:
            self._fanout.merge(msgspec.msgpack.decode(spreads, type=list[Spread]))


def times_of(options: Options) -> Times:
    """When what happens."""
    return Times.of(options.plan, options.seconds or None, options.rise or None)
