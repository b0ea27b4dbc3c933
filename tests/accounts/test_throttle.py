"""Sign-in throttling: laws of pace and backoff, and that no attack keeps the victim out (issue 2, point 4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fairwire_protocol.errors import FairwireError, Unavailable
from fairwire_server.accounts.throttle import SignInLimits, Throttle
from fairwire_server.accounts.throttle_rules import Backoff, Failures, Pace, network_of
from tests.accounts.conftest import People
from tests.accounts.refusals import refused
from tests.accounts.world import PASSWORD, World
from tests.harness.clock import ManualClock

PACES = st.builds(Pace, st.floats(0.01, 100), st.integers(1, 50))
GAPS = st.lists(st.floats(0, 60), min_size=1, max_size=200)


@given(PACES, GAPS)
def test_a_pace_admits_its_burst_and_its_rate_and_never_more(pace: Pace, gaps: list[float]) -> None:
    now, due, admitted = 1000.0, 0.0, list[float]()
    for gap in gaps:
        now += gap
        if pace.wait(due, now) == 0:
            due = pace.spend(due, now)
            admitted.append(now)
    for first in range(len(admitted)):
        for last in range(first, len(admitted)):
            window = admitted[last] - admitted[first]
            assert last - first + 1 <= pace.burst + window / pace.interval + 1e-6


@given(PACES, st.integers(1, 100))
def test_waiting_as_told_is_enough(pace: Pace, tries: int) -> None:
    now = due = 0.0
    for _ in range(tries):
        now += pace.wait(due, now)
        assert pace.wait(due, now) < 1e-6
        due = pace.spend(due, now)


@given(st.integers(0, 2000))
def test_backoff_doubles_to_its_end_and_never_beyond(count: int) -> None:
    backoff = Backoff(free=3, first=1.0, longest=900.0, forget=3600.0)
    wait = backoff.wait(Failures(count, 100.0), 100.0)
    assert wait == (0 if count < 3 else min(900.0, 2.0 ** min(count - 3, 100)))
    assert backoff.wait(Failures(count, 100.0), 100.0 + wait) == 0
    assert backoff.after_failure(Failures(count, 100.0), 100.0 + 3600.0).count == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_an_ipv6_subscriber_is_one_network(address: str, network: str) -> None:
    assert network_of(address) == network


class Attack(RuleBasedStateMachine):
    """Whatever is tried from elsewhere, the owner's own device gets in; and whatever is tried, memory stays bounded."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.limits = SignInLimits(entries=40)
        self.throttle = Throttle(self.clock, self.limits)
        self.shortest_refusal_ms = 1

    @rule(login=st.sampled_from(["victim", "other", "more"]), host=st.integers(1, 60), times=st.integers(1, 30))
    def guess(self, login: str, host: int, times: int) -> None:
        address = f"198.51.100.{host}"
        for _ in range(times):
            try:
                self.throttle.failed(self.throttle.enter("password", login, address, None))
            except Unavailable as refusal:
                self.shortest_refusal_ms = min(self.shortest_refusal_ms, refusal.retry_after_ms or 0)
                return

    @rule(seconds=st.floats(0, 5000))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def sweep(self) -> None:
        self.throttle.sweep()

    @invariant()
    def the_victim_gets_in(self) -> None:
        for address in ("203.0.113.5", "198.51.100.7"):  # the second one is behind an attacker's address
            self.throttle.succeeded(self.throttle.enter("password", "victim", address, "the victim's phone"))

    @invariant()
    def a_refusal_tells_when_to_come_back(self) -> None:
        assert self.shortest_refusal_ms > 0

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.throttle) <= 8 * self.limits.entries


TestAttack = Attack.TestCase


def test_guessing_one_login_from_one_place_ends_up_at_four_an_hour() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    guesses = 0
    for _ in range(24 * 60):
        for _ in range(3):
            try:
                throttle.failed(throttle.enter("password", "victim", "198.51.100.7", None))
                guesses += 1
            except Unavailable:
                break
        clock.advance(60)
    assert guesses < 10 + 11 + 24 * 4


def test_refused_tries_do_not_push_the_next_one_away() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    for _ in range(10):
        throttle.failed(throttle.enter("password", "main", "198.51.100.7", None))
    for _ in range(50):
        with refused("rate_limited"):
            throttle.enter("password", "main", "198.51.100.7", None)
    clock.advance(1)
    throttle.enter("password", "main", "198.51.100.7", None)


def test_parallel_tries_share_the_free_ones() -> None:
    """Tries count when they begin: a thousand at once do not all see an empty record."""
    throttle = Throttle(ManualClock())
    entered = 0
    for _ in range(1000):
        try:
            throttle.enter("password", "main", "198.51.100.7", None)
            entered += 1
        except Unavailable:
            break
    assert entered == 10


def test_an_undecided_try_does_not_count() -> None:
    throttle = Throttle(ManualClock())
    for _ in range(100):
        throttle.withdraw(throttle.enter("password", "main", "198.51.100.7", None))


def test_a_network_that_tries_password_after_password_is_slowed_over_all_logins() -> None:
    throttle = Throttle(ManualClock())
    with refused("rate_limited"):
        for n in range(61):
            throttle.failed(throttle.enter("password", f"login-{n}", "198.51.100.7", None))
    throttle.enter("password", "login-0", "203.0.113.5", None)


def test_many_networks_together_are_slowed_on_one_account_while_codes_stay_open() -> None:
    throttle = Throttle(ManualClock())
    with refused("rate_limited"):
        for n in range(101):
            throttle.failed(throttle.enter("password", "victim", f"198.51.{n}.7", None))
    throttle.enter("password", "other", "203.0.113.5", None)
    throttle.enter("code", "victim", "203.0.113.5", None)


def test_codes_to_one_address_are_few_and_nobody_elses_are_fewer() -> None:
    """Same answer for any address, known or not; asked from many networks."""
    throttle = Throttle(ManualClock())
    with refused("rate_limited") as errors:
        for n in range(4):
            throttle.send_code("a@example.com", f"198.51.{n}.7")
    assert errors[0].retry_after_ms == 60_000
    throttle.send_code("b@example.com", "198.51.0.7")


def test_everybody_together_has_a_pace() -> None:
    throttle = Throttle(ManualClock(), SignInLimits(global_tries=Pace(1.0, 5)))
    with refused("rate_limited"):
        for n in range(6):
            throttle.attempt(f"198.51.{n}.7")


def test_registrations_from_one_network_are_paced() -> None:
    throttle = Throttle(ManualClock(), SignInLimits(registrations=Pace(10.0, 2)))
    throttle.register("198.51.100.7")
    throttle.register("198.51.100.7")
    with refused("rate_limited"):
        throttle.register("198.51.100.7")
    throttle.register("203.0.113.5")


def test_room_numbers_guessed_from_a_network_are_few_also_at_once_and_over_nodes_m9() -> None:
    """Ten, then one in 30 s; what is being looked up counts already, right ones do not, and another node's count here."""
    clock = ManualClock()
    heard: list[tuple[str, bytes]] = []
    throttle, other = Throttle(clock, tell=lambda step, key: heard.append((step, key))), Throttle(clock)
    for host in range(50):  # a subscriber's IPv6 network is one
        throttle.type_number(f"2001:db8:1:2::{host:x}")
        throttle.number_right(f"2001:db8:1:2::{host:x}")
    for host in range(10):
        throttle.type_number(f"2001:db8:1:2::{host:x}")
    for _ in range(2):
        with pytest.raises(Unavailable, match="rate_limited"):
            throttle.type_number("2001:db8:1:2::ffff")
    throttle.type_number("2001:db8:1:3::1")
    assert heard == []
    for host in range(10):
        throttle.number_wrong(f"2001:db8:1:2::{host:x}")
    for step, key in heard:
        other.heard(step, key)
    with pytest.raises(Unavailable, match="rate_limited"):
        other.type_number("2001:db8:1:2::ffff")
    clock.advance(30.0)
    throttle.type_number("2001:db8:1:2::1")
    with pytest.raises(Unavailable):
        throttle.type_number("2001:db8:1:2::1")


def test_guests_who_come_to_one_meeting_by_its_number_are_paced_wherever_they_come_from_m9() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    for _ in range(30):
        throttle.guest_by_number("meeting")
    with pytest.raises(Unavailable):
        throttle.guest_by_number("meeting")
    throttle.guest_by_number("another")
    clock.advance(10.0)
    throttle.guest_by_number("meeting")


async def test_a_guesser_in_the_same_hall_does_not_keep_the_owner_out(world: World, people: People) -> None:
    """The whole way: sign-in by a device that the account knows passes where a stranger behind the same address waits."""
    await world.signed_in("main", device="the owner's phone")
    codes: list[str] = []
    for _ in range(30):
        try:
            await world.signed_in("main", device="guesser", password="guess")
        except FairwireError as error:
            codes.append(error.code)
    assert set(codes) == {"bad_credentials", "rate_limited"}
    with refused("rate_limited"):
        await world.signed_in("main", device="guesser", password=PASSWORD)
    await world.signed_in("main", device="the owner's phone")
    await world.signed_in("main", device="another device", address="192.0.2.1")


async def test_throttling_says_nothing_about_who_exists(world: World, people: People) -> None:
    answers: dict[str, list[tuple[str, int | None]]] = {"main": [], "nobody": []}
    for login, seen in answers.items():
        for _ in range(14):
            try:
                await world.signed_in(login, device="guesser", password="guess", address=f"192.0.2.{len(login)}")
            except FairwireError as error:
                seen.append((error.code, error.retry_after_ms))
    assert answers["main"] == answers["nobody"]
