"""What accounts say of themselves, registration and passwords (A3, A7, A9)."""

from __future__ import annotations

import asyncio

import pytest

from fairwire_protocol.errors import Close
from fairwire_protocol.operations import Request
from fairwire_protocol.operations import identity as ops
from tests.accounts.conftest import People
from tests.accounts.refusals import refused
from tests.accounts.world import FAIR, PASSWORD, World

FULL = {"full_name": "Ana López", "company": "Importadora del Norte"}


def registering(**changes: object) -> ops.RegisterBuyer:
    fields: dict[str, object] = {
        "fair": FAIR, "login": "ana", "password": "long enough", "name": "Ana", "device": "phone", **changes,
    }  # fmt: skip
    return ops.RegisterBuyer(**fields)  # type: ignore[arg-type]


async def test_a3_a_visitor_registers_and_becomes_a_buyer_by_completing_the_profile(
    world: World, people: People
) -> None:
    signed_in = await world.registration.register(world.context(), registering(login=" Ana "))
    account = signed_in.account
    assert (account.kind, account.login, account.complete) == ("buyer", "ana", False)
    assert account.missing == ("full_name", "company", "country", "interests")
    caller = await world.sessions.authenticate(signed_in.access_token)
    assert not caller.complete
    reply = await world.profiles.update_profile(
        caller, world.context(), ops.UpdateProfile(country="MX", interests=("tools", " tools "), profile=FULL)
    )
    assert reply.account.complete
    assert (reply.account.interests, reply.account.country) == (("tools",), "MX")
    assert (await world.sessions.authenticate(signed_in.access_token)).complete
    assert await world.epoch(account.id)
    assert (await world.signed_in("ana", password="long enough")).account.id == account.id


@pytest.mark.parametrize(
    "emptied",
    [
        ops.UpdateProfile(country=""),
        ops.UpdateProfile(interests=()),
        ops.UpdateProfile(profile={"company": ""}),
        ops.UpdateProfile(profile={"full_name": "  "}),
    ],
)
async def test_a3_completeness_is_recomputed_when_a_field_is_emptied(
    world: World, people: People, emptied: ops.UpdateProfile
) -> None:
    signed_in = await world.registration.register(
        world.context(), registering(country="MX", interests=("tools",), profile=FULL)
    )
    assert signed_in.account.complete
    caller = await world.sessions.authenticate(signed_in.access_token)
    reply = await world.profiles.update_profile(caller, world.context(), emptied)
    assert reply.account.complete is False
    assert len(reply.account.missing) == 1
    assert not (await world.sessions.authenticate(signed_in.access_token)).complete
    events = await world.events(signed_in.account.id)
    assert events[-1]["account"]["missing"] == list(reply.account.missing)  # type: ignore[index]


async def test_a3_the_fairs_own_fields_decide(world: World) -> None:
    await world.fair(settings={"profile_fields": ["position"]})
    signed_in = await world.registration.register(world.context(), registering(profile={"position": "buyer"}))
    assert signed_in.account.complete


async def test_a3_fields_left_out_stay(world: World, people: People) -> None:
    signed_in = await world.registration.register(world.context(), registering(country="MX", profile=FULL))
    caller = await world.sessions.authenticate(signed_in.access_token)
    reply = await world.profiles.update_profile(
        caller, world.context(), ops.UpdateProfile(role="representative", profile={"position": "head"})
    )
    assert reply.account.profile == {**FULL, "position": "head"}
    assert (reply.account.country, reply.account.role) == ("MX", "representative")


async def test_a3_a_profile_has_at_most_40_fields(world: World, people: People) -> None:
    caller = await world.caller("buyer")
    first = {f"a{n}": "x" for n in range(40)}
    await world.profiles.update_profile(caller, world.context(), ops.UpdateProfile(profile=first))
    with refused("invalid", field="profile"):
        await world.profiles.update_profile(caller, world.context(), ops.UpdateProfile(profile={"b": "x"}))


async def test_a3_a_changed_buyer_is_told_to_whoever_has_it_as_a_contact(world: World, people: People) -> None:
    world.audience = [people.main, people.business]
    caller = await world.caller("buyer")
    await world.profiles.update(caller, world.context(), ops.UpdateAccount(name="Ana"))
    assert [event["type"] for event in await world.events(people.buyer)] == ["account"]
    for account in world.audience:
        assert [event["contact"]["name"] for event in await world.events(account)] == ["Ana"]  # type: ignore[index]
    await world.profiles.update(caller, world.context(), ops.UpdateAccount(language="es"))
    assert len(await world.events(people.main)) == 1, "a buyer's language is on nobody's card"
    await world.profiles.update(caller, world.context(), ops.UpdateAccount(name="Ana"))
    assert len(await world.events(people.buyer)) == 2, "nothing changed, nothing is told"


async def test_a9_a_renamed_colleague_is_told_to_its_audience(world: World, people: People) -> None:
    world.audience = [people.main, people.buyer, people.business]
    caller = await world.caller("business")
    await world.profiles.update(caller, world.context(), ops.UpdateAccount(name="  王 芳 "))
    for account in (people.main, people.buyer):
        assert await world.events(account) == [
            {"type": "person", "person": {"id": str(people.business), "name": "王 芳"}}
        ]
    assert [event["type"] for event in await world.events(people.business)] == ["account"]


async def test_a9_language_and_zone_of_ones_own(world: World, people: People) -> None:
    caller = await world.caller("business")
    update = ops.UpdateAccount(language="zh-Hant", time_zone="America/Mexico_City")
    reply = await world.profiles.update(caller, world.context(), update)
    assert (reply.account.language, reply.account.time_zone) == ("zh-Hant", "America/Mexico_City")
    reply = await world.profiles.update(caller, world.context(), ops.UpdateAccount(time_zone=None))
    assert (reply.account.language, reply.account.time_zone) == ("zh-Hant", None)
    assert (await world.profiles.show(caller, world.context(), Request())).account == reply.account


@pytest.mark.parametrize(
    ("update", "field"),
    [
        (ops.UpdateAccount(name=" \u200b "), "name"),
        (ops.UpdateAccount(name="a\x00b"), "name"),
        (ops.UpdateAccount(time_zone="Mars/Olympus"), "time_zone"),
        (ops.UpdateAccount(time_zone="../../etc/passwd"), "time_zone"),
        (ops.UpdateAccount(language="english please"), "language"),
    ],
)
async def test_a9_nonsense_is_refused(world: World, people: People, update: ops.UpdateAccount, field: str) -> None:
    caller = await world.caller("business")
    with refused("invalid", field=field):
        await world.profiles.update(caller, world.context(), update)


async def test_a7_an_account_sees_what_its_fair_lets_its_type_do(world: World, people: People) -> None:
    await world.execute(
        "UPDATE fair SET capabilities = $2 WHERE id = $1", people.fair, b'{"business": {"transfer_others": "yes"}}'
    )
    caller = await world.caller("business")
    shown = (await world.profiles.show(caller, world.context(), Request())).account.capabilities
    assert shown["transfer_others"] == "yes"
    assert shown["read_history"] == "own"
    assert "manage_sub_accounts" not in shown


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"login": "buyer"}, "login_taken", None),
        ({"login": "BUYER"}, "login_taken", None),
        ({"login": "a b"}, "invalid", "login"),
        ({"login": "ab"}, "invalid", "login"),
        ({"name": "\u200b"}, "invalid", "name"),
        ({"email": "nonsense"}, "invalid", "email"),
        ({"mobile": "12"}, "invalid", "mobile"),
        ({"fair": "spring"}, "not_found", None),
        ({"language": "!!"}, "invalid", "language"),
    ],
)
async def test_a3_what_a_registration_is_refused_for(
    world: World, people: People, changes: dict[str, object], code: str, field: str | None
) -> None:
    with refused(code, field=field):
        await world.registration.register(world.context(), registering(**changes))


async def test_a3_a_fair_may_take_no_registrations(world: World) -> None:
    await world.fair(settings={"registration": False})
    with refused("registration_closed"):
        await world.registration.register(world.context(), registering())


async def test_a3_one_of_many_parallel_registrations_gets_the_login(world: World, people: People) -> None:
    results = await asyncio.gather(
        *(world.registration.register(world.context(), registering()) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, ops.SignedIn) for result in results) == 1
    assert len(await world.fetch("SELECT 1 FROM account WHERE login = 'ana'")) == 1


async def test_a3_addresses_given_at_registration_are_unverified(world: World, people: People) -> None:
    """Even somebody else's verified one: it is proved later, or never."""
    account = (await world.registration.register(world.context(), registering(email="buyer@example.com"))).account
    assert (account.email, account.email_verified) == ("buyer@example.com", False)


async def test_a9_a_new_password_ends_the_other_sessions(world: World, people: People) -> None:
    other = await world.signed_in("main", device="laptop")
    caller = await world.caller("main")
    change = ops.ChangePassword(current=PASSWORD, new="something else")
    await world.password_change.change(caller, world.context(), change)
    assert world.closed == [(people.main, other.session, Close.SUSPENDED, "password")]
    with refused("unauthenticated"):
        await world.sessions.authenticate(other.access_token)
    await world.profiles.show(caller, world.context(), Request())
    with refused("bad_credentials"):
        await world.signed_in("main")
    await world.signed_in("main", password="something else")
    assert await world.audited() == ["account.password"]


async def test_a9_the_current_password_is_asked_for_and_guessing_it_is_slowed(world: World, people: People) -> None:
    caller = await world.caller("main")
    guess = ops.ChangePassword(current="wrong", new="something else")
    for _ in range(10):
        with refused("bad_credentials"):
            await world.password_change.change(caller, world.context(), guess)
    with refused("rate_limited"):
        await world.password_change.change(caller, world.context(), guess)
    assert not world.closed


async def test_a9_one_of_two_parallel_changes_counts(world: World, people: People) -> None:
    caller = await world.caller("main")
    results = await asyncio.gather(
        *(
            world.password_change.change(caller, world.context(), ops.ChangePassword(current=PASSWORD, new=new))
            for new in ("first choice", "second choice")
        ),
        return_exceptions=True,
    )
    assert [getattr(result, "code", "done") for result in results].count("done") == 1
