"""The organiser's hand on accounts, the capability table, and the audit log (A1, A4, A6, A7, C18)."""

from __future__ import annotations

from uuid import UUID

import pytest

from fairwire_protocol.errors import Close
from fairwire_protocol.operations import Request
from fairwire_protocol.operations import identity as identity_ops
from fairwire_protocol.operations import organiser as ops
from fairwire_server.accounts.capability_rules import FIXED, SCOPED, changed_kinds, differences, values_of
from fairwire_server.accounts.organiser import AUDIT_PAGE
from fairwire_server.accounts.rules import CAPABILITIES, DEFAULT, effective_table
from fairwire_server.clock import milliseconds
from tests.accounts.conftest import People
from tests.accounts.refusals import refused
from tests.accounts.world import World


async def suspend(world: World, account: UUID, suspended: bool = True) -> None:
    request = ops.SuspendAccount(account=account, suspended=suspended, reason="spam")
    await world.organisers.suspend(await world.caller("organiser"), world.context(), request)


async def silence(world: World, account: UUID, until: int | None) -> None:
    request = ops.SilenceAccount(account=account, until=until)
    await world.organisers.silence(await world.caller("organiser"), world.context(), request)


async def test_a6_suspending_ends_every_session_and_closes_the_sockets(world: World, people: People) -> None:
    phone, laptop = await world.signed_in("buyer"), await world.signed_in("buyer", device="laptop")
    await suspend(world, people.buyer)
    assert world.closed == [(people.buyer, None, Close.SUSPENDED, "suspended")]
    for signed_in in (phone, laptop):
        with refused("suspended"):
            await world.sessions.authenticate(signed_in.access_token)
        with refused("suspended"):
            await world.sessions.refresh(
                world.context(), identity_ops.RefreshSession(refresh_token=signed_in.refresh_token)
            )
    await suspend(world, people.buyer)
    assert await world.audited() == ["account.suspended"], "suspending twice changes nothing"
    await suspend(world, people.buyer, suspended=False)
    with refused("unauthenticated"):
        await world.sessions.authenticate(phone.access_token)
    await world.signed_in("buyer")


async def test_a6_a_command_in_flight_is_refused_in_its_own_transaction(world: World, people: People) -> None:
    """The caller was found before the suspension, and is read again by the command."""
    caller = await world.caller("business")
    await suspend(world, people.business)
    with refused("suspended"):
        await world.profiles.update(caller, world.context(), identity_ops.UpdateAccount(name="Too late"))


async def test_a6_a_disabled_account_is_disabled_again_after_its_suspension(world: World, people: People) -> None:
    await world.execute("UPDATE account SET state = 'disabled' WHERE id = $1", people.business)
    await suspend(world, people.business)
    await suspend(world, people.business, suspended=False)
    rows = await world.fetch("SELECT state, suspended_from FROM account WHERE id = $1", people.business)
    assert rows == [{"state": "disabled", "suspended_from": None}]


async def test_a1_the_organiser_acts_on_its_own_fair_and_not_on_itself(world: World, people: People) -> None:
    elsewhere = await world.fair("spring")
    buyer = await world.account(elsewhere, "buyer", "buyer")
    with refused("not_found"):
        await suspend(world, buyer)
    with refused("not_found"):
        await silence(world, buyer, None)
    with refused("forbidden"):
        await suspend(world, people.organiser)
    found = await world.organisers.find(
        await world.caller("organiser"), world.context(), ops.FindAccounts(query="buyer")
    )
    assert [account.id for account in found.accounts] == [people.buyer]


async def test_c18_silence_ends_by_itself_or_by_hand(world: World, people: People) -> None:
    until = milliseconds(world.clock.now()) + 60_000
    await silence(world, people.buyer, until)
    assert (await world.caller("buyer")).silenced
    world.clock.advance(60)
    assert not (await world.caller("buyer")).silenced
    await silence(world, people.buyer, until + 60_000)
    await silence(world, people.buyer, None)
    assert not (await world.caller("buyer")).silenced
    assert await world.audited() == ["account.silenced", "account.silenced", "account.unsilenced"]
    for nonsense in (10**18, -(10**18)):
        with refused("invalid", field="until"):
            await silence(world, people.buyer, nonsense)


async def test_a4_accounts_are_found_by_login_or_by_words_of_the_name(world: World, people: People) -> None:
    fang = await world.account(people.fair, "buyer", "wf-77", name="王芳 María López")
    caller = await world.caller("organiser")
    for query in ("WF-77", "王芳", "芳", "maria", "lop"):
        found = await world.organisers.find(caller, world.context(), ops.FindAccounts(query=query))
        assert [account.id for account in found.accounts] == [fang], query
    for query in ("王红", "...", "' | 'x':*"):
        found = await world.organisers.find(caller, world.context(), ops.FindAccounts(query=query))
        assert not found.accounts, query


async def test_a7_the_table_is_data_of_the_fair(world: World, people: People) -> None:
    caller = await world.caller("organiser")
    shown = await world.organisers.capabilities(caller, world.context(), Request())
    assert shown.capabilities == {kind: dict(row) for kind, row in DEFAULT.items()}
    await world.signed_in("business")
    epochs = {account: await world.epoch(account) for account in (people.business, people.main, people.buyer)}
    reply = await world.organisers.set_capabilities(
        caller, world.context(), ops.SetCapabilities(capabilities={"business": {"read_history": "all"}})
    )
    assert reply.capabilities["business"]["read_history"] == "all"
    assert (await world.caller("business")).reads_all()
    changed = {account for account, epoch in epochs.items() if await world.epoch(account) != epoch}
    assert changed == {people.business}, "whoever sees more or less now starts from a snapshot"
    assert await world.audited() == ["capabilities.set"]
    again = ops.SetCapabilities(capabilities={"business": {"read_history": "all", "receive_chats": "yes"}})
    await world.organisers.set_capabilities(caller, world.context(), again)
    assert await world.audited() == ["capabilities.set"], "nothing changed"
    await world.organisers.set_capabilities(caller, world.context(), ops.SetCapabilities(capabilities={}))
    assert not (await world.caller("business")).reads_all()


@pytest.mark.parametrize(
    "wanted",
    [
        {"buyer": {"receive_chats": "yes"}},
        {"main": {"fly": "yes"}},
        {"main": {"receive_chats": "all"}},
        {"manager": {"read_history": "yes"}},
        {"business": {"assign_bookings": "yes"}},
        {"main": {"manage_sub_accounts": "no"}},
        {"main": {"edit_slots": "no"}},
    ],
)
async def test_a7_cells_that_are_not_there_or_fixed_are_refused(
    world: World, people: People, wanted: dict[str, dict[str, str]]
) -> None:
    caller = await world.caller("organiser")
    with refused("invalid", field="capabilities"):
        await world.organisers.set_capabilities(
            caller,
            world.context(),
            ops.SetCapabilities(capabilities=wanted),  # type: ignore[arg-type]
        )


def test_a7_the_default_table_obeys_its_own_rules() -> None:
    for kind, row in DEFAULT.items():
        for capability, scope in row.items():
            assert scope in values_of(capability), (kind, capability)
            assert FIXED.get((kind, capability), scope) == scope
    assert differences(DEFAULT) == {}  # type: ignore[arg-type]
    assert set(CAPABILITIES) > SCOPED


def test_a7_a_difference_changes_its_kind_alone() -> None:
    after = effective_table(differences({"manager": {"export": "no"}, "main": {"export": "yes"}}))
    assert changed_kinds(DEFAULT, after) == ("manager",)


async def test_a4_the_audit_log_is_paged_newest_first(world: World, people: People) -> None:
    for _ in range(AUDIT_PAGE // 2 + 1):
        await silence(world, people.buyer, None)
        await silence(world, people.main, milliseconds(world.clock.now()) + 1000)
    caller = await world.caller("organiser")
    first = await world.organisers.audit(caller, world.context(), ops.ListAudit())
    assert len(first.entries) == AUDIT_PAGE
    assert first.entries[0].action == "account.silenced"
    assert first.entries[0].subject == people.main
    second = await world.organisers.audit(caller, world.context(), ops.ListAudit(after=first.next))
    assert [entry.action for entry in second.entries] == ["account.silenced", "account.unsilenced"]
    assert second.next is None
    assert not {entry.id for entry in first.entries} & {entry.id for entry in second.entries}
    with refused("invalid", field="after"):
        await world.organisers.audit(caller, world.context(), ops.ListAudit(after="nonsense"))


async def test_a1_no_fair_reads_anothers_audit_log(world: World, people: People) -> None:
    await suspend(world, people.buyer)
    elsewhere = await world.fair("spring")
    await world.account(elsewhere, "organiser", "organiser")
    caller = await world.caller("organiser", fair="spring")
    assert not (await world.organisers.audit(caller, world.context(), ops.ListAudit())).entries
