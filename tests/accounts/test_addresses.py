"""Registering, changing and verifying a number or email (A8)."""

from __future__ import annotations

import pytest

from fairwire_protocol.operations import identity as ops
from tests.accounts.conftest import People
from tests.accounts.refusals import refused
from tests.accounts.world import World

OLD, NEW = "buyer@example.com", "new@example.com"


async def ask(world: World, login: str, address: str, code: str | None = None) -> str:
    caller = await world.caller(login)
    request = ops.RequestAddress(address=address, current_code=code)
    return (await world.address_change.request(caller, world.context(), request)).sent_to


async def verify(world: World, login: str, address: str, code: str) -> ops.AccountReply:
    caller = await world.caller(login)
    return await world.address_change.verify(caller, world.context(), ops.VerifyAddress(address=address, code=code))


async def test_a8_a_first_number_is_proved_by_the_code_sent_to_it(world: World, people: People) -> None:
    assert await ask(world, "manager", "137 0013 7000") == "new"
    reply = await verify(world, "manager", "+86 137-0013-7000", world.code("+8613700137000"))
    assert (reply.account.mobile, reply.account.mobile_verified) == ("+8613700137000", True)
    events = await world.events(people.manager)
    assert [event["type"] for event in events] == ["account"]
    assert "account.address" in await world.audited()


async def test_a8_replacing_a_verified_address_needs_a_code_to_the_current_one(world: World, people: People) -> None:
    assert await ask(world, "buyer", NEW) == "current"
    assert [letter.to for letter in world.letters] == [OLD]
    assert NEW in world.letters[0].text
    with refused("bad_code"):
        await verify(world, "buyer", NEW, world.code(OLD))
    world.clock.advance(60)
    assert await ask(world, "buyer", NEW, world.code(OLD)) == "new"
    reply = await verify(world, "buyer", NEW, world.code(NEW))
    assert (reply.account.email, reply.account.email_verified) == (NEW, True)


async def test_a8_the_code_of_the_current_address_is_good_for_that_one_new_address(
    world: World, people: People
) -> None:
    await ask(world, "buyer", NEW)
    with refused("bad_code"):
        await ask(world, "buyer", "evil@example.com", world.code(OLD))
    assert await ask(world, "buyer", NEW, world.code(OLD)) == "new"
    with refused("bad_code"):
        await ask(world, "buyer", NEW, world.code(OLD))


async def test_a8_a_verified_email_does_not_guard_the_number(world: World, people: People) -> None:
    """Each kind of address has its own current one."""
    assert await ask(world, "main", "+8613700137000") == "new"


async def test_a8_verifying_the_same_address_again_needs_no_other_code(world: World, people: People) -> None:
    assert await ask(world, "buyer", OLD) == "new"


async def test_a8_another_accounts_verified_address_is_a_conflict(world: World, people: People) -> None:
    await ask(world, "manager", OLD)
    with refused("conflict"):
        await verify(world, "manager", OLD, world.code(OLD))
    await ask(world, "buyer", OLD)


async def test_a8_a_number_that_nothing_is_sent_to_is_refused_with_the_reason(world: World, people: People) -> None:
    world.reached = {"email"}
    with refused("invalid", field="address") as errors:
        await ask(world, "manager", "+8613700137000")
    assert "text messages" in errors[0].message
    with refused("invalid", field="address"):
        await ask(world, "buyer", "+8613700137000")


@pytest.mark.parametrize("text", ["nonsense", "1@", "+86123", "a b@example.com"])
async def test_a8_what_is_no_address_is_refused(world: World, people: People, text: str) -> None:
    with refused("invalid", field="address"):
        await ask(world, "manager", text)


async def test_a8_guessing_codes_is_slowed_down(world: World, people: People) -> None:
    caller = await world.caller("manager")
    guess = ops.VerifyAddress(address=NEW, code="000000")
    for _ in range(10):
        with refused("bad_code"):
            await world.address_change.verify(caller, world.context(), guess)
    with refused("rate_limited"):
        await world.address_change.verify(caller, world.context(), guess)


async def test_a3_a_verified_address_completes_a_profile_that_asks_for_it(world: World) -> None:
    fair = await world.fair(settings={"profile_fields": ["mobile"]})
    await world.account(fair, "buyer", "visitor")
    assert (await world.signed_in("visitor")).account.missing == ("mobile",)
    await ask(world, "visitor", "+8613700137000")
    reply = await verify(world, "visitor", "+8613700137000", world.code("+8613700137000"))
    assert reply.account.complete
    assert (await world.caller("visitor")).complete
