"""Signing in by password and by code, activation, and what a stranger learns from it (A5, A9)."""

from __future__ import annotations

import asyncio
import time

import pytest

from fairwire_protocol.operations import identity as ops
from fairwire_server.accounts.passwords import Cost, Passwords
from fairwire_server.accounts.sign_in import FLOOR_S
from tests.accounts.conftest import People
from tests.accounts.refusals import refused
from tests.accounts.world import FAIR, PASSWORD, World


async def test_a5_one_password_signs_several_devices_in(world: World, people: People) -> None:
    phone, laptop = await world.signed_in("main"), await world.signed_in("main", device="laptop")
    assert phone.session != laptop.session
    for signed_in in (phone, laptop):
        caller = await world.sessions.authenticate(signed_in.access_token)
        assert (caller.account, caller.fair, caller.kind) == (people.main, people.fair, "main")
    assert phone.account.capabilities["manage_sub_accounts"] == "yes"
    assert phone.account.login == "main"


async def test_a9_a_login_is_folded(world: World, people: People) -> None:
    assert (await world.signed_in("  MAIN ")).account.id == people.main


@pytest.mark.parametrize(
    ("fair", "login", "password"),
    [(FAIR, "main", "wrong"), (FAIR, "nobody", PASSWORD), ("spring", "main", PASSWORD), (FAIR, "imported", PASSWORD)],
)
async def test_a9_wrong_password_unknown_login_fair_or_no_password_look_alike(
    world: World, people: People, fair: str, login: str, password: str
) -> None:
    await world.account(people.fair, "manager", "imported", exhibitor=people.exhibitor, password=None)
    with refused("bad_credentials"):
        await world.signed_in(login, password=password, fair=fair)


async def test_a9_an_unknown_login_costs_as_much_as_a_wrong_password() -> None:
    passwords = Passwords(cost=Cost(memory_kib=8 * 1024, passes=3))
    try:
        stored = await passwords.hash(PASSWORD)
        spent: dict[str | None, float] = {}
        for hashed in (stored, None):
            best = 1.0
            for _ in range(5):
                began = time.process_time()  # of all threads: what it costs, however busy the machine is
                assert not await passwords.verify(hashed, "wrong")
                best = min(best, time.process_time() - began)
            spent[hashed] = best
        assert spent[None] > spent[stored] / 2
        assert not await passwords.verify(None, "nobody signs in with this")
    finally:
        passwords.close()


async def test_a6_suspended_and_disabled_accounts_are_told_so_after_the_right_password_only(
    world: World, people: People
) -> None:
    await world.execute("UPDATE account SET state = 'suspended' WHERE id = $1", people.main)
    await world.execute("UPDATE account SET state = 'disabled' WHERE id = $1", people.manager)
    for login in ("main", "manager"):
        with refused("suspended"):
            await world.signed_in(login)
        with refused("bad_credentials"):
            await world.signed_in(login, password="wrong")


async def test_a9_a_code_signs_in_once(world: World, people: People) -> None:
    asked = ops.RequestSignInCode(fair=FAIR, address="buyer@example.com")
    await world.sign_in.request_code(world.context(), asked)
    assert not world.letters, "nothing is looked up or sent on the request's path"
    await world.run_jobs()
    by_code = ops.SignInByCode(
        fair=FAIR, address="buyer@EXAMPLE.com", code=world.code("buyer@example.com"), device="phone"
    )
    assert (await world.sign_in.by_code(world.context(), by_code)).account.id == people.buyer
    with refused("bad_code"):
        await world.sign_in.by_code(world.context(), by_code)


async def test_a9_parallel_use_of_one_code_opens_one_session(world: World, people: People) -> None:
    await world.sign_in.request_code(world.context(), ops.RequestSignInCode(fair=FAIR, address="buyer@example.com"))
    await world.run_jobs()
    by_code = ops.SignInByCode(
        fair=FAIR, address="buyer@example.com", code=world.code("buyer@example.com"), device="phone"
    )
    results = await asyncio.gather(
        *(world.sign_in.by_code(world.context(f"192.0.2.{n}"), by_code) for n in range(4)), return_exceptions=True
    )
    assert sum(isinstance(result, ops.SignedIn) for result in results) == 1


async def test_a8_a_domestic_number_needs_no_country_code(world: World, people: People) -> None:
    await world.sign_in.request_code(world.context(), ops.RequestSignInCode(fair=FAIR, address="138 0013 8000"))
    await world.run_jobs()
    assert [letter.kind for letter in world.letters] == ["mobile"]
    code = world.code("+8613800138000")
    by_code = ops.SignInByCode(fair=FAIR, address="+86 13800138000", code=code, device="phone")
    assert (await world.sign_in.by_code(world.context(), by_code)).account.id == people.buyer


async def test_a9_nobody_learns_whether_an_address_is_known(world: World, people: People) -> None:
    """Same reply, nothing sent, and an unverified address counts as unknown."""
    await world.account(people.fair, "buyer", "shy", email="shy@example.com", verified=False)
    for address in ("nobody@example.com", "shy@example.com"):
        await world.sign_in.request_code(world.context(), ops.RequestSignInCode(fair=FAIR, address=address))
        await world.run_jobs()
        assert not world.letters
        before = world.clock.monotonic()
        with refused("bad_code"):
            await world.sign_in.by_code(
                world.context(), ops.SignInByCode(fair=FAIR, address=address, code="12345678", device="phone")
            )
        assert world.clock.monotonic() - before == pytest.approx(FLOOR_S)


async def test_a8_a_mobile_address_is_refused_where_only_mail_leaves(world: World, people: People) -> None:
    world.reached = {"email"}
    for address in ("+8613800138000", "+8613900139000"):
        with refused("invalid", field="address"):
            await world.sign_in.request_code(world.context(), ops.RequestSignInCode(fair=FAIR, address=address))
    assert not world.jobs


async def test_a6_no_code_goes_to_a_suspended_account(world: World, people: People) -> None:
    await world.execute("UPDATE account SET state = 'suspended' WHERE id = $1", people.buyer)
    await world.sign_in.request_code(world.context(), ops.RequestSignInCode(fair=FAIR, address="buyer@example.com"))
    await world.run_jobs()
    assert not world.letters


@pytest.mark.parametrize(
    ("domicile", "reached", "expected"),
    [
        ("domestic", {"email", "mobile"}, "+8613700137000"),
        ("overseas", {"email", "mobile"}, "new@example.com"),
        ("domestic", {"email"}, "new@example.com"),
    ],
)
async def test_a9_activation_sets_the_first_password_and_verifies_the_address(
    world: World, people: People, domicile: str, reached: set[str], expected: str
) -> None:
    world.reached = reached  # type: ignore[assignment]
    exhibitor = await world.exhibitor(people.fair, "New", domicile=domicile)
    account = await world.account(
        people.fair, "main", "new", exhibitor=exhibitor, password=None,
        email="new@example.com", mobile="+8613700137000", verified=False,
    )  # fmt: skip
    await world.sign_in.request_activation(world.context(), ops.RequestActivation(fair=FAIR, login="NEW"))
    await world.run_jobs()
    assert [letter.to for letter in world.letters] == [expected]
    activate = ops.Activate(fair=FAIR, login="new", code=world.code(expected), password="a new password")
    await world.sign_in.activate(world.context(), activate)
    signed_in = await world.signed_in("new", password="a new password")
    assert signed_in.account.id == account
    assert signed_in.account.email_verified == (expected == "new@example.com")
    assert signed_in.account.mobile_verified == (expected != "new@example.com")
    assert [event["type"] for event in await world.events(account)] == ["account"]
    with refused("bad_code"):
        await world.sign_in.activate(world.context(), activate)


async def test_a9_activation_is_for_accounts_without_a_password(world: World, people: People) -> None:
    for login in ("main", "nobody"):
        await world.sign_in.request_activation(world.context(), ops.RequestActivation(fair=FAIR, login=login))
        await world.run_jobs()
        with refused("bad_code"):
            await world.sign_in.activate(
                world.context(), ops.Activate(fair=FAIR, login=login, code="12345678", password="long enough")
            )
    assert not world.letters


async def test_a8_a_shared_number_activates_both_and_is_verified_for_the_first(world: World, people: People) -> None:
    for login in ("twin-a", "twin-b"):
        await world.account(
            people.fair, "business", login, exhibitor=people.exhibitor, password=None,
            mobile="+8613700137000", verified=False,
        )  # fmt: skip
        await world.sign_in.request_activation(world.context(), ops.RequestActivation(fair=FAIR, login=login))
        await world.run_jobs()
        await world.sign_in.activate(
            world.context(),
            ops.Activate(fair=FAIR, login=login, code=world.code("+8613700137000"), password="long enough"),
        )
    verified = [
        (await world.signed_in(login, password="long enough")).account.mobile_verified for login in ("twin-a", "twin-b")
    ]
    assert verified == [True, False]


async def test_a9_a_password_set_during_the_comparison_ends_the_sign_in(world: World, people: People) -> None:
    """A session opened by the old password would outlive the new one."""
    verify = world.passwords.verify
    entered = asyncio.Event()
    goes_on = asyncio.Event()

    async def slow(stored: str | None, password: str) -> bool:
        right = await verify(stored, password)
        entered.set()
        await goes_on.wait()
        return right

    world.passwords.verify = slow  # type: ignore[method-assign]
    signing_in = asyncio.create_task(world.signed_in("main"))
    await entered.wait()
    await world.execute(
        "UPDATE account SET password_hash = $2 WHERE id = $1", people.main, await world.passwords.hash("another one")
    )
    goes_on.set()
    with refused("bad_credentials"):
        await signing_in
    assert not await world.fetch("SELECT 1 FROM session WHERE account_id = $1", people.main)


async def test_full_passwords_queue_is_busy_and_costs_the_caller_nothing(world: World, people: People) -> None:
    """Issue, point 4: argon2id in a bounded pool off the loop."""
    passwords = Passwords(threads=1, waiting=1, cost=Cost(memory_kib=8 * 1024, passes=4))
    try:
        results = await asyncio.gather(*(passwords.hash("x" * 10) for _ in range(6)), return_exceptions=True)
        assert [type(result).__name__ for result in results].count("Unavailable") == 4
        assert (await passwords.hash("again")).startswith("$argon2id$")
    finally:
        passwords.close()
