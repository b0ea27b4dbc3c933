"""The demo fair: open now, the same for the same seed, believable, and nobody's real address in it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fairwire_protocol.errors import Refused
from fairwire_server.accounts.passwords import Passwords
from fairwire_server.accounts.tokens import Tokens
from fairwire_server.database.work import Works
from fairwire_server.importing.demo.generator import DemoFair, DemoSource, stable_ids
from fairwire_server.importing.demo.install import (
    PASSWORD,
    PASSWORD_HASH,
    DemoAccount,
    accounts_of,
    ensure_demo,
    make_demo,
    nobody,
)
from fairwire_server.importing.demo.minting import Minting
from fairwire_server.importing.demo.people import COUNTRIES
from fairwire_server.importing.demo.slots import DAYS
from fairwire_server.importing.rows import Row
from tests.harness.clock import ManualClock
from tests.harness.postgres import Cluster
from tests.importing.helpers import FAIR, Fairground, adds_up

CLOCK = ManualClock(jumps=True)
NOW = CLOCK.now()


def rows(*, exhibitors: int = 12, buyers: int = 40, seed: int = 1) -> list[Row]:
    fair = DemoFair(now=NOW, exhibitors=exhibitors, buyers=buyers, seed=seed)
    return [item for item in DemoSource(fair) if isinstance(item, Row)]


async def accounts(ground: Fairground) -> list[DemoAccount]:
    return [account async for account in accounts_of(ground.database, "demo")]


def test_a_seed_makes_one_fair_and_another_seed_another() -> None:
    assert rows() == rows()
    assert rows(seed=2) != rows()


def test_a_larger_fair_contains_the_smaller_one() -> None:
    small = {(row.kind, str(sorted(row.fields.items()))) for row in rows()}
    large = {(row.kind, str(sorted(row.fields.items()))) for row in rows(exhibitors=30, buyers=300)}
    assert small < large


def test_buyers_come_from_everywhere_and_some_profiles_are_incomplete() -> None:
    buyers = [row.fields for row in rows(buyers=1000) if row.kind == "buyer"]
    assert len(COUNTRIES) == 229
    assert {buyer["country"] for buyer in buyers} == {code for code, _, _ in COUNTRIES}
    incomplete = sum(not all(buyer[name] for name in ("full_name", "company", "interests")) for buyer in buyers)
    assert 50 < incomplete < 200
    assert all(all(buyer.values()) for buyer in buyers[:10])


def test_nobody_real_is_ever_written_to() -> None:
    """Reserved names and a range of numbers kept for fiction."""
    for row in rows(exhibitors=200, buyers=200):
        assert str(row.fields.get("email", ".example")).endswith(".example")
        mobile = str(row.fields.get("mobile", "+12025550100"))
        assert mobile[5:10] == "55501", mobile


def test_ids_are_the_same_in_every_run_and_of_version_7() -> None:
    ids, again, other = stable_ids("demo"), stable_ids("demo"), stable_ids("bench")
    assert ids("account", "buyer:B1") == again("account", "buyer:B1") != other("account", "buyer:B1")
    made = {ids("account", f"buyer:B{number}") for number in range(5000)}
    assert len(made) == 5000
    assert {id_.version for id_ in made} == {7}


async def test_two_installations_hold_the_same_demo(ground: Fairground, postgres: Cluster) -> None:
    first = await make_demo(ground.database, CLOCK, nobody, DemoFair(now=NOW))
    assert adds_up(first)
    async with postgres.database() as url:
        other = await type(ground.database).open(url, min_size=1)
        async with other:
            await make_demo(other, CLOCK, nobody, DemoFair(now=NOW))
            assert [account async for account in accounts_of(other, "demo")] == await accounts(ground)
    again = await make_demo(ground.database, CLOCK, nobody, DemoFair(now=NOW))
    assert all(counts.unchanged == counts.total for counts in again.kinds.values())
    assert again.resets == 0


async def test_serve_makes_the_demo_once_and_shows_who_signs_in(ground: Fairground) -> None:
    shown = await ensure_demo(ground.database, CLOCK)
    assert shown is not None
    assert (shown.fair, shown.password) == ("demo", PASSWORD)
    kinds = {account.login: account.kind for account in shown.accounts}
    assert kinds == {
        "buyer1": "buyer", "buyer2": "buyer", "acme-main": "main", "acme-manager": "manager", "acme-sales": "business",
        "acme-sales2": "business", "acme-exhibit": "exhibit", "organiser": "organiser",
    }  # fmt: skip
    before = await ground.fetch("SELECT id, xmin::text FROM account ORDER BY id")
    assert await ensure_demo(ground.database, CLOCK) == shown
    assert await ground.fetch("SELECT id, xmin::text FROM account ORDER BY id") == before
    assert await ground.value("SELECT count(*) FROM fair WHERE opens_at < $1 AND closes_at > $1", NOW) == 1
    assert await ground.value("SELECT count(*) FROM buyer WHERE NOT complete") != 0


async def test_the_precomputed_hash_is_the_passwords(ground: Fairground) -> None:
    passwords = Passwords(threads=1)
    try:
        assert await passwords.verify(PASSWORD_HASH, PASSWORD)
    finally:
        passwords.close()
    await ensure_demo(ground.database, CLOCK)
    assert (
        await ground.value("SELECT count(*) FROM account WHERE password_hash IS DISTINCT FROM $1", PASSWORD_HASH) == 0
    )


async def test_no_demo_and_no_tokens_where_a_real_fair_is(ground: Fairground) -> None:
    """Its password is known to everybody."""
    await ground.rows(fairs=[FAIR])
    with pytest.raises(Refused) as refused:
        await make_demo(ground.database, CLOCK, nobody, DemoFair(now=NOW))
    assert refused.value.code == "forbidden"
    assert await ensure_demo(ground.database, CLOCK) is None
    minting = Minting(Works(ground.database, CLOCK), secret=b"", life=timedelta(minutes=15))
    with pytest.raises(Refused) as refused:
        await minting.for_logins("cf140", ["x"])
    assert refused.value.code == "forbidden"


async def test_minted_tokens_speak_for_sessions_of_their_own(ground: Fairground) -> None:
    """W13."""
    await ensure_demo(ground.database, CLOCK)
    life = timedelta(minutes=15)
    minting = Minting(Works(ground.database, CLOCK), secret=b"s" * 32, life=life)
    (one,) = await minting.for_logins("demo", ["acme-main"])
    facts = Tokens(b"s" * 32, life).verify(one.token, NOW)
    assert facts.account == one.id
    assert await ground.value("SELECT account_id FROM session WHERE id = $1", facts.session) == one.id
    many = [minted async for minted in minting.for_fair("demo", ["buyer"], 7)]
    assert (len(many), {minted.kind for minted in many}) == (7, {"buyer"})
    everybody = [minted async for minted in minting.for_fair("demo", [], None)]
    assert [minted.id for minted in everybody] == [account.id for account in await accounts(ground)]
    with pytest.raises(Refused) as refused:
        await minting.for_logins("demo", ["acme-main", "nobody"])
    assert refused.value.code == "not_found"


async def test_its_exhibitors_have_slots_from_tomorrow_on_m1(ground: Fairground) -> None:
    """In the fair's zone, in the future, and not one more when the fair is made again."""
    await make_demo(ground.database, CLOCK, nobody, DemoFair(now=NOW, exhibitors=3, buyers=2))
    async with ground.database.reader() as connection:
        rows = await connection.fetch("SELECT exhibitor_id, starts_at, ends_at FROM slot")
    assert len({row["exhibitor_id"] for row in rows}) == 3
    assert all(row["starts_at"] > NOW for row in rows)
    assert all(row["ends_at"] - row["starts_at"] == timedelta(minutes=30) for row in rows)
    assert len(rows) == 3 * DAYS * 11
    await make_demo(ground.database, CLOCK, nobody, DemoFair(now=NOW, exhibitors=3, buyers=2))
    async with ground.database.reader() as connection:
        assert await connection.fetchval("SELECT count(*) FROM slot") == len(rows)
