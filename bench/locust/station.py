"""What the users of one generator share: the plan of the run, its accounts, the ledger, the fan-out, and its clock.

There is one per process, made when a run starts and kept at locust's environment; nothing is global.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict, deque
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

import msgspec
from gevent.queue import Queue
from locust.env import Environment

from bench.locust.cast import Actor, Cast, Role, read_actors
from bench.locust.diary import Diary
from bench.locust.fanout import Fanout
from bench.locust.habits import Habits, factors_of
from bench.locust.ledger import Device, Ledger
from bench.locust.line import Address
from bench.locust.shapes import SHAPES, Shape
from bench.locust.texts import photograph

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Options", "Part", "Player", "Station", "options_of", "station_of"]

HOME: Final = frozenset({"127.0.0.1", "localhost", "::1"})
PEOPLE_BITS: Final = 16
PHOTOGRAPHS: Final = 4
PLACE_S: Final = 20.0
PLACE: Final = "fairwire_station"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line or the web page chose."""

    host: str
    accounts: str
    shape: str = "peak_hour"
    active: int = 0
    seconds: float = 0.0
    rise: float = 0.0
    speed: float = 1.0
    hold: int = 0
    password: str = "fairwire-demo"
    relax: float = 1.0
    plant: str = ""
    reminders: int = -1
    habits: str = ""

    @property
    def plan(self) -> Shape:
        """The shape."""
        return SHAPES[self.shape]

    @property
    def people(self) -> int:
        """Active users."""
        return self.active or self.plan.users

    @property
    def factors(self) -> dict[str, float]:
        """Of single habits: the shape's and the command line's."""
        return factors_of(self.plan.factors, self.habits)

    @property
    def reminded(self) -> int:
        """Meetings whose T−15 is to fall due in the run."""
        return self.plan.reminders if self.reminders < 0 else self.reminders


class Part(msgspec.Struct, frozen=True):
    """Which generator this is, in which run."""

    run: int
    index: int


class Player(Protocol):
    """A user, as far as the station deals with it."""

    @property
    def busy(self) -> bool:
        """Whether it waits for an answer."""
        ...

    def cut(self) -> None:
        """Lose the network."""
        ...

    def look_back(self) -> None:
        """Read what the run is judged by."""
        ...


class Station:
    """One generator in one run."""

    def __init__(self, environment: Environment, options: Options, part: Part, ask: Callable[[Role], None]) -> None:
        """`ask` has the conductor `give` a place of that role."""
        self.options = options
        self.part = part
        self.address = Address.of(options.host)
        self.habits = Habits(options.speed, options.factors)
        self.ledger = Ledger()
        self.diary = Diary()
        self.fanout = Fanout()
        self.share = self.waited = 0.0
        self.quiet = False
        """Nobody starts anything any more."""
        self.players: set[Player] = set()
        self.chance = random.Random(part.run << 8 | part.index)
        self.photographs = [photograph(self.chance) for _ in range(PHOTOGRAPHS)]
        actors = read_actors(Path(options.accounts))
        self.cast = Cast.of(actors, options.people, options.hold)
        self._ask = ask
        self._free: dict[Role, deque[Actor]] = defaultdict(deque)
        self._given: dict[Role, Queue] = defaultdict(Queue)
        self._environment = environment
        self._clients = 0
        self._dropped = 0
        self._spent = (time.process_time(), _waited(), time.monotonic())
        self._ahead_ms: float | None = None

    def enter(self, role: Role) -> tuple[Actor, int, Device] | None:
        """An account to play, the client's number in the run, and its page of the ledger; None when all are taken."""
        if self._free[role]:
            actor = self._free[role].popleft()
        else:
            self._ask(role)
            place = self._given[role].get(timeout=PLACE_S)
            if place is None:
                return None
            actor = self.cast.of_role(role)[place]
        self._clients += 1
        client = self.part.index << PEOPLE_BITS | self._clients
        return actor, client, self.ledger.device(f"load-{self.part.run:x}-{client:x}", buyer=role == "buyer")

    def give(self, role: Role, place: int | None) -> None:
        """The conductor's answer; None: all places are taken."""
        self._given[role].put(place)

    def leave(self, role: Role, actor: Actor) -> None:
        """Somebody else may play it."""
        self._free[role].append(actor)

    def note(self, kind: str, name: str, ms: float, error: Exception | None = None) -> None:
        """One line's worth of locust's statistics."""
        self._environment.events.request.fire(
            request_type=kind, name=name, response_time=ms, response_length=0, exception=error, context={}
        )

    def server_says(self, server_time: int) -> None:
        """A welcome has just come: by so much the server's clock is ahead, or by a little more (the way here is not known)."""
        ahead = server_time - time.time() * 1000
        self._ahead_ms = ahead if self._ahead_ms is None else max(self._ahead_ms, ahead)

    def commit(self, ts: int) -> int:
        """A server's instant by this machine's clock. On one machine there is one clock."""
        return ts if self.address.host in HOME or self._ahead_ms is None else ts - round(self._ahead_ms)

    def fall_quiet(self) -> None:
        """From here on nobody starts anything. What the generator has used of a core until now is its share of the run."""
        if not self.quiet:
            cpu, waited, at = self._spent
            seconds = max(0.001, time.monotonic() - at)
            self.share, self.waited = (time.process_time() - cpu) / seconds, (_waited() - waited) / seconds
            self.quiet = True

    def planted(self, mine: bool) -> bool:
        """Whether this message is to be dropped on purpose, to see that the run notices (`--plant lost`)."""
        if self.options.plant != "lost" or mine:
            return False
        self._dropped += 1
        return self._dropped % 50 == 3

    def planted_booking(self) -> bool:
        """The same for what is told of bookings (`--plant booking`)."""
        if self.options.plant != "booking":
            return False
        self._dropped += 1
        return self._dropped % 4 == 3

    def idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return not any(player.busy for player in self.players)

    def cut(self, share: float = 1.0) -> int:
        """So many of the sockets lose their network; returns how many."""
        cut = [player for player in self.players if share >= 1 or self.chance.random() < share]
        for player in cut:
            player.cut()
        return len(cut)


def _waited() -> float:
    """Seconds for which this thread had work and no core (Linux)."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def options_of(environment: Environment) -> Options:
    """What was chosen, checked."""
    chosen = {key: value for key, value in vars(environment.parsed_options).items() if value is not None}
    return msgspec.convert({**chosen, "host": environment.host or ""}, Options, strict=False)


def station_of(environment: Environment, make: Callable[[], Station] | None = None) -> Station | None:
    """The station at this environment, if a run has started; `make` puts a new one there."""
    if make is not None:
        setattr(environment, PLACE, make())
    return cast("Station | None", getattr(environment, PLACE, None))
