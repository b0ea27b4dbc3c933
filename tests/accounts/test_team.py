"""Sub-accounts: who manages them, their limit, states, and the handover of what they hold (A2, A6, A9)."""

from __future__ import annotations

import asyncio
from typing import get_args
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from fairwire_protocol.errors import Close
from fairwire_protocol.models import AccountKind, AccountState
from fairwire_protocol.operations import Request
from fairwire_protocol.operations import identity as ops
from fairwire_server.accounts.rules import DEFAULT
from fairwire_server.accounts.team_rules import (
    KEPT_WITHOUT_CHATS,
    LISTED_MAX,
    TRANSITIONS,
    Step,
    leaves_behind,
    stepped,
)
from tests.accounts.conftest import People
from tests.accounts.refusals import refused
from tests.accounts.world import World


async def create(
    world: World, login: str = "new", *, by: str = "main", cid: UUID | None = None, **changes: str
) -> ops.AccountReply:
    request = ops.CreateSubAccount(kind="business", login=login, name="New", password="long enough", **changes)
    return await world.teams.create(await world.caller(by), world.context(cid=cid), request)


async def update(world: World, account: UUID, *, by: str = "main", **changes: object) -> ops.AccountReply:
    request = ops.UpdateSubAccount(account=account, **changes)  # type: ignore[arg-type]
    return await world.teams.update(await world.caller(by), world.context(), request)


async def remove(world: World, account: UUID, to: UUID | None = None, *, by: str = "main") -> None:
    request = ops.RemoveSubAccount(account=account, handover_to=to)
    await world.teams.remove(await world.caller(by), world.context(), request)


async def test_a9_main_creates_a_sub_account_that_signs_in(world: World, people: People) -> None:
    reply = await create(world, " Fang ", mobile="13700137000", email="fang@Example.com")
    account = reply.account
    assert (account.kind, account.login, account.exhibitor) == ("business", "fang", people.exhibitor)
    assert (account.mobile, account.mobile_verified) == ("+8613700137000", False)
    assert account.email == "fang@example.com"
    signed_in = await world.signed_in("fang", password="long enough")
    assert signed_in.account.id == account.id
    assert await world.epoch(account.id)
    assert await world.audited() == ["team.created"]


async def test_w7_the_same_cid_creates_one_account(world: World, people: People) -> None:
    cid = uuid4()
    replies = await asyncio.gather(*(create(world, cid=cid) for _ in range(4)))
    assert len({reply.account.id for reply in replies}) == 1
    with refused("cid_reused"):
        await create(world, "other", cid=cid)


async def test_w7_what_is_kept_of_the_command_does_not_depend_on_the_password(world: World, people: People) -> None:
    """A fast digest of a password in the database would undo argon2."""
    caller = await world.caller("main")
    prints = set()
    for n, password in enumerate(("long enough", "something else")):
        request = ops.CreateSubAccount(kind="business", login="fang", name="New", password=password)
        await world.teams.create(caller, world.context(cid=UUID(int=n)), request)
        await world.execute("UPDATE account SET login = 'away' || id WHERE login = 'fang'")
        prints |= {row["fingerprint"] for row in await world.fetch("SELECT fingerprint FROM command_result")}
    assert len(prints) == 1


async def test_a2_the_limit_is_the_exhibitors_else_the_fairs_else_the_installations(world: World) -> None:
    fair = await world.fair(settings={"sub_account_limit": 1})
    for login, own, expected in (("a", None, 1), ("b", 2, 2)):
        exhibitor = await world.exhibitor(fair, login, limit=own)
        await world.account(fair, "main", f"main-{login}", exhibitor=exhibitor)
        shown = await world.teams.list(await world.caller(f"main-{login}"), world.context(), Request())
        assert shown.sub_account_limit == expected
        for n in range(expected):
            await create(world, f"sub-{login}{n}", by=f"main-{login}")
        with refused("account_limit"):
            await create(world, "beyond", by=f"main-{login}")


async def test_a2_parallel_creations_stay_within_the_limit(world: World, people: People) -> None:
    """The installation's limit is 5, and 3 are there."""
    caller = await world.caller("main")
    results = await asyncio.gather(
        *(
            world.teams.create(
                caller,
                world.context(),
                ops.CreateSubAccount(kind="exhibit", login=f"sub-{n}", name="N", password="long enough"),
            )
            for n in range(8)
        ),
        return_exceptions=True,
    )
    assert sorted(getattr(result, "code", "created") for result in results) == ["account_limit"] * 6 + ["created"] * 2


async def test_a2_disabled_ones_count_and_removed_ones_do_not(world: World, people: People) -> None:
    await create(world, "sub-4")
    fifth = (await create(world, "sub-5")).account.id
    await update(world, fifth, enabled=False)
    with refused("account_limit"):
        await create(world, "sub-6")
    await remove(world, fifth)
    await create(world, "sub-6")


async def test_a9_a_taken_login_is_refused_and_a_removed_ones_is_free(world: World, people: People) -> None:
    with refused("login_taken"):
        await create(world, "BUYER")
    await remove(world, people.business)
    assert (await create(world, "business")).account.id != people.business


async def test_a9_colleagues_see_the_team_and_main_sees_how_to_reach_it(world: World, people: People) -> None:
    await remove(world, people.exhibit)
    shown = (await world.teams.list(await world.caller("main"), world.context(), Request())).accounts
    assert [account.id for account in shown] == [people.main, people.business, people.manager]
    assert all(account.login for account in shown)
    shown = (await world.teams.list(await world.caller("business"), world.context(), Request())).accounts
    assert [account.login for account in shown] == [None, "business", None]
    assert shown[0].email is None


@pytest.mark.parametrize("target", ["stranger", "main", "buyer", "organiser"])
async def test_a9_main_manages_its_own_sub_accounts_and_nobody_else(world: World, people: People, target: str) -> None:
    account: UUID = getattr(people, target)
    with refused("not_found"):
        await update(world, account, name="Mine now")
    with refused("not_found"):
        await remove(world, account)


async def test_a7_a_manager_that_may_manage_cannot_touch_itself(world: World, people: People) -> None:
    await world.execute(
        "UPDATE fair SET capabilities = $2 WHERE id = $1", people.fair, b'{"manager": {"manage_sub_accounts": "yes"}}'
    )
    with refused("forbidden"):
        await update(world, people.manager, by="manager", kind="business")
    with refused("forbidden"):
        await remove(world, people.manager, by="manager")


async def test_a6_disabling_ends_sessions_and_enabling_lets_sign_in_again(world: World, people: People) -> None:
    theirs = await world.signed_in("business")
    reply = await update(world, people.business, enabled=False)
    assert reply.account.state == "disabled"
    assert world.closed == [(people.business, None, Close.SUSPENDED, "disabled")]
    with refused("suspended"):
        await world.sessions.authenticate(theirs.access_token)
    await update(world, people.business, enabled=True)
    await world.signed_in("business")


async def test_a9_a_password_set_by_main_ends_every_session(world: World, people: People) -> None:
    theirs = await world.signed_in("business")
    await update(world, people.business, password="chosen by main")
    assert world.closed == [(people.business, None, Close.SUSPENDED, "password")]
    with refused("unauthenticated"):
        await world.sessions.authenticate(theirs.access_token)
    await world.signed_in("business", password="chosen by main")


async def test_a9_a_new_name_reaches_the_audience_and_leaves_sessions_alone(world: World, people: People) -> None:
    world.audience = [people.main, people.buyer]
    theirs = await world.signed_in("business")
    await update(world, people.business, name="Fang")
    assert [event["type"] for event in await world.events(people.buyer)] == ["person"]
    assert [event["type"] for event in await world.events(people.business)] == ["account"]
    await world.sessions.authenticate(theirs.access_token)
    assert not world.closed


async def test_a6_a_new_type_starts_from_a_snapshot(world: World, people: People) -> None:
    epochs = await world.epoch(people.business), await world.epoch(people.manager)
    reply = await update(world, people.business, kind="manager")
    assert reply.account.kind == "manager"
    assert await world.epoch(people.business) != epochs[0]
    assert await world.epoch(people.manager) == epochs[1]
    assert (await world.caller("business")).reads_all()


@pytest.mark.parametrize("how", ["remove", "disable", "exhibit"])
async def test_a6_what_an_account_holds_is_listed_and_nothing_changes(world: World, people: People, how: str) -> None:
    chats = world.chats.held[people.business] = [uuid4() for _ in range(LISTED_MAX + 7)]
    exhibits = world.exhibits.held[people.business] = [uuid4()]
    theirs = await world.signed_in("business")
    with refused("handover_needed") as errors:
        if how == "remove":
            await remove(world, people.business)
        elif how == "disable":
            await update(world, people.business, enabled=False)
        else:
            await update(world, people.business, kind="exhibit")
    listed = {"chat": {"count": LISTED_MAX + 7, "ids": [str(chat) for chat in chats[:LISTED_MAX]]}}
    if how == "remove":  # a disabled account, and one of type exhibit, keeps its exhibits
        listed["exhibit"] = {"count": 1, "ids": [str(exhibits[0])]}
    assert errors[0].detail == {"open": listed}
    await world.sessions.authenticate(theirs.access_token)
    assert not world.closed
    assert not await world.audited()


@pytest.mark.parametrize("how", ["remove", "disable", "exhibit"])
async def test_a6_what_it_holds_is_handed_over_in_the_same_step(world: World, people: People, how: str) -> None:
    chats = world.chats.held[people.business] = [uuid4(), uuid4()]
    if how == "remove":
        await remove(world, people.business, people.manager)
    elif how == "disable":
        await update(world, people.business, enabled=False, handover_to=people.manager)
    else:
        await update(world, people.business, kind="exhibit", handover_to=people.manager)
    assert world.chats.held == {people.manager: chats}
    assert world.chats.moves == [(people.business, people.manager, people.main)]


async def test_a6_exhibits_go_along_with_a_removal_and_stay_with_a_disabled_account(
    world: World, people: People
) -> None:
    """Over the table itself."""
    exhibit: UUID = uuid7()
    await world.execute(
        "INSERT INTO exhibit (id, fair_id, exhibitor_id, owner_id, external_id, name_zh, name_en, created_at)"
        " VALUES ($1, $2, $3, $4, 'X', 'X', 'X', $5)",
        exhibit, people.fair, people.exhibitor, people.business, world.clock.now(),
    )  # fmt: skip
    await update(world, people.business, enabled=False)
    with refused("handover_needed") as errors:
        await remove(world, people.business)
    assert errors[0].detail == {"open": {"exhibit": {"count": 1, "ids": [str(exhibit)]}}}
    await remove(world, people.business, people.manager)
    assert await world.fetch("SELECT owner_id FROM exhibit") == [{"owner_id": people.manager}]


@pytest.mark.parametrize("target", ["business", "exhibit", "stranger", "buyer", "nobody"])
async def test_a6_work_goes_only_to_a_colleague_who_may_receive(world: World, people: People, target: str) -> None:
    world.chats.held[people.business] = [uuid4()]
    with refused("bad_target", field="handover_to"):
        await remove(world, people.business, getattr(people, target, uuid4()))
    await world.execute("UPDATE account SET state = 'disabled' WHERE id = $1", people.manager)
    with refused("bad_target", field="handover_to"):
        await remove(world, people.business, people.manager)
    assert not world.chats.moves


async def test_a6_two_removals_never_hand_over_to_each_other(world: World, people: People) -> None:
    world.chats.held = {people.business: [uuid4()], people.manager: [uuid4()]}
    results = await asyncio.gather(
        remove(world, people.business, people.manager),
        remove(world, people.manager, people.business),
        return_exceptions=True,
    )
    assert sorted(getattr(result, "code", "done") for result in results) == ["bad_target", "done"]


async def test_a6_a_removed_account_is_gone_for_everybody(world: World, people: People) -> None:
    theirs = await world.signed_in("business")
    await remove(world, people.business)
    assert world.closed == [(people.business, None, Close.SUSPENDED, "removed")]
    with refused("unauthenticated"):
        await world.sessions.authenticate(theirs.access_token)
    with refused("bad_credentials"):
        await world.signed_in("business")
    with refused("not_found"):
        await remove(world, people.business)
    rows = await world.fetch("SELECT name, login FROM account WHERE id = $1", people.business)
    assert rows[0]["name"] == "business", "messages and transfers still name it"
    with refused("bad_credentials"):
        await world.signed_in(rows[0]["login"])


async def test_a6_main_does_not_undo_a_suspension(world: World, people: People) -> None:
    await world.execute("UPDATE account SET state = 'suspended' WHERE id = $1", people.business)
    for enabled in (True, False):
        with refused("conflict"):
            await update(world, people.business, enabled=enabled)
    await remove(world, people.business)


def test_every_state_and_step() -> None:
    """A walk over the whole table."""
    states: tuple[AccountState, ...] = get_args(AccountState)
    steps: tuple[Step, ...] = get_args(Step)
    for state in states:
        for step in steps:
            if (state, step) in TRANSITIONS:
                assert stepped(state, step) == TRANSITIONS[state, step]
                continue
            with refused("not_found" if state == "removed" else "conflict"):
                stepped(state, step)
    assert {pair for pair in TRANSITIONS if "removed" in pair} == set()
    assert {step for (state, step), after in TRANSITIONS.items() if after == "removed"} == {"remove"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (("business", "active"), ("business", "disabled"), KEPT_WITHOUT_CHATS),
        (("exhibit", "active"), ("exhibit", "disabled"), KEPT_WITHOUT_CHATS),
        (("business", "active"), ("business", "removed"), ()),
        (("business", "disabled"), ("business", "removed"), ()),
        (("exhibit", "active"), ("exhibit", "removed"), ()),
        (("business", "active"), ("exhibit", "active"), KEPT_WITHOUT_CHATS),
        (("business", "active"), ("manager", "active"), None),
        (("exhibit", "active"), ("business", "active"), None),
        (("business", "disabled"), ("exhibit", "disabled"), None),
        (("business", "disabled"), ("business", "active"), None),
    ],
)
def test_a6_when_work_is_left_behind(
    before: tuple[AccountKind, AccountState], after: tuple[AccountKind, AccountState], expected: object
) -> None:
    assert leaves_behind(before, after, DEFAULT) == expected
