"""Sessions and refreshing (A5, A6, W13)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwire_protocol.errors import Close, Refused
from fairwire_protocol.operations import Request
from fairwire_protocol.operations import identity as ops
from fairwire_server.accounts.session_rules import SUCCESSOR_GRACE, Refreshing, decide_refresh
from fairwire_server.accounts.sessions import SESSIONS_MAX
from tests.accounts.conftest import People
from tests.accounts.refusals import refused
from tests.accounts.world import World
from tests.harness.clock import START

GRACE = SUCCESSOR_GRACE.total_seconds()


async def refresh(world: World, token: str) -> ops.SignedIn:
    return await world.sessions.refresh(world.context(), ops.RefreshSession(refresh_token=token))


async def refreshed_or_not(world: World, token: str) -> str | None:
    try:
        return (await refresh(world, token)).refresh_token
    except Refused as error:
        if error.code != "unauthenticated":
            raise
        return None


async def test_w13_refreshing_gives_a_new_pair_of_the_same_session(world: World, people: People) -> None:
    first = await world.signed_in("main")
    world.clock.advance(20 * 60)
    with refused("token_expired"):
        await world.sessions.authenticate(first.access_token)
    second = await refresh(world, first.refresh_token)
    assert second.session == first.session
    assert second.refresh_token != first.refresh_token
    assert (await world.sessions.authenticate(second.access_token)).session == first.session


async def test_w13_a_lost_reply_is_given_again_for_60_s(world: World, people: People) -> None:
    first = await world.signed_in("main")
    second = await refresh(world, first.refresh_token)
    world.clock.advance(GRACE)
    again = await refresh(world, first.refresh_token)
    assert again.refresh_token == second.refresh_token
    assert not world.closed


async def test_w13_two_tabs_at_once_get_the_same_successor(world: World, people: People) -> None:
    first = await world.signed_in("main")
    replies = await asyncio.gather(*(refresh(world, first.refresh_token) for _ in range(6)))
    assert len({reply.refresh_token for reply in replies}) == 1
    assert len(await world.fetch("SELECT 1 FROM refresh_token")) == 2


async def test_w13_reuse_after_60_s_ends_the_family_and_is_audited(world: World, people: People) -> None:
    first = await world.signed_in("main")
    other = await world.signed_in("main", device="laptop")
    second = await refresh(world, first.refresh_token)
    world.clock.advance(GRACE + 0.001)
    with refused("unauthenticated"):
        await refresh(world, first.refresh_token)
    assert world.closed == [(people.main, first.session, Close.SUSPENDED, "reused")]
    with refused("unauthenticated"):
        await refresh(world, second.refresh_token)
    with refused("unauthenticated"):
        await world.sessions.authenticate(second.access_token)
    assert await world.audited() == ["session.reused"]
    await world.sessions.authenticate(other.access_token)


async def test_w13_an_unknown_token_is_refused(world: World, people: People) -> None:
    with refused("unauthenticated"):
        await refresh(world, "never issued")


async def test_w13_a_session_unused_for_30_days_is_over(world: World, people: People) -> None:
    kept, lost = await world.signed_in("main"), await world.signed_in("main", device="laptop")
    world.clock.advance(29 * 86400)
    kept = await refresh(world, kept.refresh_token)
    world.clock.advance(1.5 * 86400)
    await refresh(world, kept.refresh_token)
    with refused("unauthenticated"):
        await refresh(world, lost.refresh_token)


async def test_w13_no_token_or_digest_in_the_database_opens_a_session(world: World, people: People) -> None:
    """Only sha-256 digests are stored."""
    first = await world.signed_in("main")
    second = await refresh(world, first.refresh_token)
    rows = await world.fetch("SELECT hash FROM refresh_token")
    for row in rows:
        for text in (row["hash"].hex(), row["hash"].decode("latin-1")):
            with refused("unauthenticated"):
                await refresh(world, text)
    assert second.refresh_token.encode() not in {row["hash"] for row in rows}


async def test_a6_a_suspended_account_cannot_refresh(world: World, people: People) -> None:
    first = await world.signed_in("main")
    await world.execute("UPDATE account SET state = 'suspended' WHERE id = $1", people.main)
    with refused("suspended"):
        await refresh(world, first.refresh_token)
    with refused("suspended"):
        await world.sessions.authenticate(first.access_token)


async def test_a5_sessions_are_listed_with_the_own_one_marked(world: World, people: People) -> None:
    await world.signed_in("main")
    world.clock.advance(1)
    laptop = await world.caller("main", device="laptop")
    await world.caller("business")
    listed = (await world.sessions.list(laptop, world.context(), Request())).sessions
    assert [(session.device, session.current) for session in listed] == [("laptop", True), ("phone", False)]


async def test_a6_revoking_closes_the_device_and_its_tokens(world: World, people: People) -> None:
    phone = await world.signed_in("main")
    laptop = await world.caller("main", device="laptop")
    for _ in range(2):
        await world.sessions.revoke(laptop, world.context(), ops.SessionRef(session=phone.session))
    assert world.closed[0] == (people.main, phone.session, Close.SUSPENDED, "revoked")
    with refused("unauthenticated"):
        await world.sessions.authenticate(phone.access_token)
    with refused("unauthenticated"):
        await refresh(world, phone.refresh_token)
    assert [
        session.current for session in (await world.sessions.list(laptop, world.context(), Request())).sessions
    ] == [True]


async def test_a5_nobody_revokes_a_session_of_somebody_else(world: World, people: People) -> None:
    theirs = await world.signed_in("business")
    main = await world.caller("main")
    with refused("not_found"):
        await world.sessions.revoke(main, world.context(), ops.SessionRef(session=theirs.session))
    await world.sessions.authenticate(theirs.access_token)
    assert not world.closed


async def test_a9_signing_out_ends_this_session_alone(world: World, people: People) -> None:
    phone, laptop = await world.signed_in("main"), await world.signed_in("main", device="laptop")
    caller = await world.sessions.authenticate(phone.access_token)
    await world.sessions.sign_out(caller, world.context(), Request())
    assert world.closed == [(people.main, phone.session, Close.SUSPENDED, "signed_out")]
    with refused("unauthenticated"):
        await world.sessions.authenticate(phone.access_token)
    await world.sessions.authenticate(laptop.access_token)


async def test_a5_signing_in_anew_each_time_does_not_fill_the_table(world: World, people: People) -> None:
    first = await world.signed_in("main")
    for n in range(SESSIONS_MAX):
        world.clock.advance(1)
        await world.signed_in("main", device=f"script-{n}")
    assert len(await world.fetch("SELECT 1 FROM session WHERE revoked_at IS NULL")) == SESSIONS_MAX
    with refused("unauthenticated"):
        await world.sessions.authenticate(first.access_token)


async def test_sessions_that_ended_long_ago_are_forgotten(world: World, people: People) -> None:
    await world.signed_in("main")
    caller = await world.caller("main")
    await world.sessions.sign_out(caller, world.context(), Request())
    for days, left in ((29, 2), (32, 0)):
        world.clock.advance(days * 86400)
        async with world.works.begin() as work:
            await world.sessions.forget(work)
        assert len(await world.fetch("SELECT 1 FROM session")) == left


def test_w13_every_case_of_a_presented_token() -> None:
    end = START + timedelta(days=1)
    late = START + SUCCESSOR_GRACE
    cases = [
        (None, end, None, START, Refreshing.ROTATE),
        (START, end, None, late, Refreshing.REPEAT),
        (START, end, None, late + timedelta(microseconds=1), Refreshing.REUSED),
        (None, START, None, START, Refreshing.OVER),
        (None, end, START, START, Refreshing.OVER),
        (START, end, START, late + SUCCESSOR_GRACE, Refreshing.OVER),
    ]
    for rotated_at, expires_at, revoked_at, now, expected in cases:
        assert decide_refresh(rotated_at, expires_at, revoked_at, now) is expected


STEPS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 1.0, 30.0, GRACE, GRACE + 1, 3600.0])), max_size=14)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_w13_rotation_follows_its_model(world: World, people: People, steps: list[tuple[int, float]]) -> None:
    """Whatever tokens of a family are presented in whatever order: newest rotates, just rotated repeats, older ends it."""
    issued = [(await world.signed_in("main")).refresh_token]
    rotated: list[float] = []  # when token n got its successor
    over = False
    for back, pause in steps:
        world.clock.advance(pause)
        n = max(0, len(issued) - 1 - back)
        reply = await refreshed_or_not(world, issued[n])
        if reply is None:
            assert over or (n < len(rotated) and world.clock.monotonic() - rotated[n] > GRACE)
            over = True
            continue
        assert not over, "a revoked family lives"
        if n == len(issued) - 1:
            assert reply not in issued
            issued.append(reply)
            rotated.append(world.clock.monotonic())
        else:
            assert world.clock.monotonic() - rotated[n] <= GRACE
            assert reply == issued[n + 1]
