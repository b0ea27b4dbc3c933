"""Sign-in throttling per account, per address and globally, that never locks the victim out (issue, point 4).

Guesses are slowed down where they come from: failures count for the pair (login, network), each pair for itself, so somebody
who guesses from elsewhere costs the owner nothing. A device that has signed in to the account before is its own pair, so not
even somebody in the same hall behind the same address stands in its way. Beside that, each network may fail and try only so
often over all logins, an account may be failed only so often from devices it does not know, and everybody together has a
pace. Signing in by a code (A9) is counted apart from passwords, and so stays open while a password is being guessed.

All state is in memory and bounded: the longest untouched is forgotten first. Several nodes take the same steps: each tells the
others what it counted, as a hash and never as what somebody typed, and counts what they tell.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic, TypeVar

import msgspec

from fairwire_protocol.errors import Unavailable
from fairwire_server.accounts.throttle_rules import Backoff, Failures, Pace, network_of
from fairwire_server.clock import Clock

__all__ = ["Lane", "SignInLimits", "Throttle"]

State = TypeVar("State")


class SignInLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Whole halls stand behind one address, so a network's own limits are wide."""

    guesses: Backoff = Backoff(free=10, first=1.0, longest=900.0, forget=3600.0)
    """Per (login, network), and per device that the account knows."""
    account_failures: Pace = Pace(10.0, 100)
    """Per account, from devices it does not know."""
    network_failures: Pace = Pace(2.0, 60)
    network_tries: Pace = Pace(0.05, 300)
    global_tries: Pace = Pace(0.01, 600)
    registrations: Pace = Pace(1.0, 100)
    """Per network."""
    codes_to_address: Pace = Pace(60.0, 3)
    codes_from_network: Pace = Pace(2.0, 60)
    wrong_numbers: Pace = Pace(30.0, 10)
    """Room numbers that a network typed in vain (M9)."""
    guests_by_number: Pace = Pace(10.0, 30)
    """Per meeting, however many networks they come from (M9)."""
    entries: int = 50_000
    """Of each table, at most."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Where one try counts."""

    pair: bytes
    account: bytes
    network: bytes
    known: bool
    """Whether it comes from a device that the account knows."""


class _Table(Generic[State]):
    """States by key; the longest untouched goes first."""

    def __init__(self, entries: int, fresh: State) -> None:
        self._entries = entries
        self._fresh = fresh
        self._states: OrderedDict[bytes, State] = OrderedDict()

    def __len__(self) -> int:
        return len(self._states)

    def get(self, key: bytes) -> State:
        return self._states.get(key, self._fresh)

    def put(self, key: bytes, state: State) -> None:
        self._states[key] = state
        self._states.move_to_end(key)
        if len(self._states) > self._entries:
            self._states.popitem(last=False)

    def drop(self, key: bytes) -> None:
        self._states.pop(key, None)

    def trim(self, forgettable: Callable[[State], bool]) -> None:
        for key in [key for key, state in self._states.items() if forgettable(state)]:
            del self._states[key]


Tell = Callable[[str, bytes], None]
"""Says which step was taken for which key."""


class Throttle:
    """Who may try now. Every refusal is `rate_limited` with the time to come back. `tell` hears every step that counts."""

    def __init__(self, clock: Clock, limits: SignInLimits | None = None, tell: Tell | None = None) -> None:
        self._clock = clock
        self._tell = tell or _to_nobody
        self._limits = limits = limits or SignInLimits()
        self._guesses = _Table(limits.entries, Failures())
        self._paces: dict[str, _Table[float]] = {}
        for name in ("account", "network", "tries", "registrations", "codes", "senders", "global", "numbers", "rooms"):
            self._paces[name] = _Table(limits.entries, 0.0)
        self._rates = {
            "account": limits.account_failures,
            "network": limits.network_failures,
            "tries": limits.network_tries,
            "registrations": limits.registrations,
            "codes": limits.codes_to_address,
            "senders": limits.codes_from_network,
            "global": limits.global_tries,
            "numbers": limits.wrong_numbers,
            "rooms": limits.guests_by_number,
        }

    def heard(self, step: str, key: bytes) -> None:
        """Another node has counted this; it counts here too. A step that this version does not know is passed over."""
        now = self._clock.monotonic()
        match step:
            case "guess":
                self._guess(key, now)
            case "right":
                self._guesses.drop(key)
            case "undo":
                self._undo(key)
            case _ if (pace := self._rates.get(step)) is not None:
                table = self._paces[step]
                table.put(key, pace.spend(table.get(key), now))

    def _guess(self, pair: bytes, now: float) -> None:
        before = self._guesses.get(pair)
        if self._limits.guesses.forgettable(before, now):
            before = Failures()
        self._guesses.put(pair, self._limits.guesses.after_failure(before, now))

    def _undo(self, pair: bytes) -> None:
        counted = self._guesses.get(pair)
        if counted.count:
            self._guesses.put(pair, Failures(counted.count - 1, counted.last))

    def attempt(self, address: str) -> None:
        """A try arrives, for whatever account; before anything is looked up."""
        self._spend("tries", _key(network_of(address)), self._limits.network_tries)
        self._spend("global", b"", self._limits.global_tries)

    def enter(self, kind: str, login: str, address: str, device: str | None) -> Lane:
        """A try begins; it counts as failed until `succeeded` or `withdraw`, so that parallel tries count too.

        `kind` keeps passwords and codes apart; `device` is given when the account knows it.
        """
        now = self._clock.monotonic()
        network = _key(network_of(address))
        account = _key(kind, login)
        pair = _key(kind, login, "device", device) if device is not None else _key(kind, login, network_of(address))
        before = self._guesses.get(pair)
        if self._limits.guesses.forgettable(before, now):
            before = Failures()
        wait = self._limits.guesses.wait(before, now)
        if device is None:
            wait = max(
                wait,
                self._limits.account_failures.wait(self._paces["account"].get(account), now),
                self._limits.network_failures.wait(self._paces["network"].get(network), now),
            )
        _refuse_for(wait)
        self._guess(pair, now)
        self._tell("guess", pair)
        return Lane(pair, account, network, device is not None)

    def succeeded(self, lane: Lane) -> None:
        """The try was right: the pair starts afresh."""
        self._guesses.drop(lane.pair)
        self._tell("right", lane.pair)

    def failed(self, lane: Lane) -> None:
        """The try was wrong; `enter` has counted it for the pair already."""
        if lane.known:
            return
        now = self._clock.monotonic()
        for name, key, pace in (
            ("account", lane.account, self._limits.account_failures),
            ("network", lane.network, self._limits.network_failures),
        ):
            table = self._paces[name]
            table.put(key, pace.spend(table.get(key), now))
            self._tell(name, key)

    def withdraw(self, lane: Lane) -> None:
        """The try was not decided (the server was busy): as if it had never begun."""
        self._undo(lane.pair)
        self._tell("undo", lane.pair)

    def register(self, address: str) -> None:
        """A buyer registers."""
        self._spend("registrations", _key(network_of(address)), self._limits.registrations)

    def send_code(self, receiver: str, address: str) -> None:
        """A code is asked for. `receiver` is what was typed or is known: the answer must not tell whether it exists."""
        receiver_key, network = _key(receiver), _key(network_of(address))
        now = self._clock.monotonic()
        _refuse_for(self._limits.codes_to_address.wait(self._paces["codes"].get(receiver_key), now))
        self._spend("senders", network, self._limits.codes_from_network)
        self._spend("codes", receiver_key, self._limits.codes_to_address)

    def type_number(self, address: str) -> None:
        """A room number is typed; it counts as wrong until `number_right`, so that parallel guesses count too (M9)."""
        key, now, pace = _key(network_of(address)), self._clock.monotonic(), self._limits.wrong_numbers
        due = self._paces["numbers"].get(key)
        _refuse_for(pace.wait(due, now))
        self._paces["numbers"].put(key, pace.spend(due, now))

    def number_right(self, address: str) -> None:
        """It was a meeting's."""
        key, pace = _key(network_of(address)), self._limits.wrong_numbers
        self._paces["numbers"].put(key, self._paces["numbers"].get(key) - pace.interval)

    def number_wrong(self, address: str) -> None:
        """It was nobody's; `type_number` has counted it here already."""
        self._tell("numbers", _key(network_of(address)))

    def guest_by_number(self, meeting: str) -> None:
        """A guest comes to a meeting by its number."""
        self._spend("rooms", _key(meeting), self._limits.guests_by_number)

    def sweep(self) -> None:
        """Forget what would change nothing; from time to time."""
        now = self._clock.monotonic()
        self._guesses.trim(lambda failures: self._limits.guesses.forgettable(failures, now))
        for table in self._paces.values():
            table.trim(lambda due: due <= now)

    def __len__(self) -> int:
        return len(self._guesses) + sum(map(len, self._paces.values()))

    def _spend(self, name: str, key: bytes, pace: Pace) -> None:
        now = self._clock.monotonic()
        table = self._paces[name]
        due = table.get(key)
        _refuse_for(pace.wait(due, now))
        table.put(key, pace.spend(due, now))
        self._tell(name, key)


def _to_nobody(_: str, __: bytes) -> None:
    """This node is the only one."""


def _refuse_for(wait: float) -> None:
    if wait > 0:
        raise Unavailable("rate_limited", retry_after_ms=math.ceil(wait * 1000))


def _key(*parts: str) -> bytes:
    """Bounded, whatever a stranger sends as a login."""
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()
