"""How our part hangs in locust: the options of a run, the shape that drives it, and who conducts and who generates."""

from __future__ import annotations

import time
from typing import Final

from locust import LoadTestShape, events, runners
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner, Runner, WorkerRunner

from bench.locust.conductor import Conductor, times_of
from bench.locust.generator import Generator
from bench.locust.shapes import SHAPES
from bench.locust.station import options_of

__all__ = ["FairShape", "register"]

LIVENESS: Final = 15
"""Heartbeats, one a second, that a generator may miss. With locust's three, one whose people all come at once on a full machine is
taken for dead, and the run with it."""


class FairShape(LoadTestShape):
    """The shape that `--shape` names; it also cuts the sockets when that is part of it."""

    conductor: Conductor | None = None
    _cuts = 0

    def tick(self) -> tuple[int, float] | None:
        """Users and how many of them come per second, or None when the run is over."""
        assert self.runner is not None
        options = options_of(self.runner.environment)
        times, at = times_of(options), time.perf_counter() - self.start_time
        if times.over(at):
            return None
        if at < 1:
            self._cuts = 0
        if self.conductor is not None and times.cuts(at) > self._cuts:
            self._cuts = times.cuts(at)
            self.conductor.cut()
        return options.people, max(1.0, options.people / max(1.0, times.rise))


def _options(parser: LocustArgumentParser) -> None:
    add = parser.add_argument_group("Fairwire").add_argument
    add(
        "--accounts",
        default="accounts.jsonl",
        help="Accounts, as `demo --accounts-out` or `token --all --out` write them.",
    )
    add("--shape", choices=tuple(SHAPES), default="peak_hour", help="Which shape the run has.")
    add(
        "--active",
        type=int,
        default=0,
        help="Active users; 0: as many as the shape says. About a thousand a generator.",
    )
    add("--seconds", type=float, default=0.0, help="Length of the run before its quiet; 0: as the shape says.")
    add("--rise", type=float, default=0.0, help="Seconds until all are here; 0: as the shape says.")
    add("--speed", type=float, default=1.0, help="Everybody does everything so many times as fast.")
    add("--habits", default="", help="Factors of single rates, as in buyer.book=5,buyer.open=0.")
    add("--hold", type=int, default=0, help="Further sockets that are only kept connected, by a cheap holder.")
    add("--password", default="fairwire-demo", help="Of every account without a token.")
    add("--relax", type=float, default=1.0, help="Multiplies the bounds, for machines that are slower on purpose.")
    add(
        "--plant",
        choices=("", "lost", "booking"),
        default="",
        help="Drop delivered messages, or events of bookings, here, to see the run turn red.",
    )
    add(
        "--reminders",
        type=int,
        default=-1,
        help="Meetings whose T-15 falls due soon after all are here; -1: as the shape says. Needs the server's FAIRWIRE_*.",
    )


def _begin(environment: Environment, runner: Runner, **_: object) -> None:
    conductor = Conductor(environment, runner) if isinstance(runner, (LocalRunner, MasterRunner)) else None
    if isinstance(runner, (LocalRunner, WorkerRunner)):
        Generator(environment, runner)
    if conductor is None:
        return
    if isinstance(environment.shape_class, FairShape):
        environment.shape_class.conductor = conductor

    def end(environment: Environment, **_: object) -> None:
        conductor.stop(environment)
        if conductor.outcome is not None:
            environment.process_exit_code = int(conductor.outcome.code)

    environment.events.quitting.add_listener(end)


def register() -> None:
    """Hang it in."""
    runners.HEARTBEAT_LIVENESS = LIVENESS
    events.init_command_line_parser.add_listener(_options)
    events.init.add_listener(_begin)
