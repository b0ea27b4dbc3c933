"""Codes: short-lived, single-use, few tries, one open per purpose, and never where they could be read (A8, A9)."""

from __future__ import annotations

import asyncio

import pytest

from fairwire_protocol.errors import Refused
from fairwire_server.accounts.code_rules import CODE_LIFE, CODE_TRIES, typed_code
from fairwire_server.accounts.letters import Purpose, code_letter
from tests.accounts.conftest import People
from tests.accounts.refusals import refused
from tests.accounts.world import World

ADDRESS = "buyer@example.com"


async def issue(world: World, people: People, purpose: Purpose = "verify", about: str = "") -> str:
    async with world.works.begin() as work:
        await world.codes.issue(work, people.buyer, purpose, ADDRESS, "en", about)
    return world.code(ADDRESS)


async def test_a8_the_right_code_is_right_once(world: World, people: People) -> None:
    code = await issue(world, people)
    found = await world.codes.judge(people.buyer, "verify", f" {code[:3]}-{code[3:]} ")
    assert found is not None
    assert found.sent_to == ADDRESS
    async with world.works.begin() as work:
        await world.codes.use(work, found)
    assert await world.codes.judge(people.buyer, "verify", code) is None
    with refused("bad_code"):
        async with world.works.begin() as work:
            await world.codes.use(work, found)


async def test_a8_a_code_is_over_after_ten_minutes(world: World, people: People) -> None:
    code = await issue(world, people)
    world.clock.advance(CODE_LIFE.total_seconds())
    assert await world.codes.judge(people.buyer, "verify", code) is None


async def test_a8_five_tries_and_parallel_ones_share_them(world: World, people: People) -> None:
    code = await issue(world, people)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    for _ in range(CODE_TRIES - 1):
        assert await world.codes.judge(people.buyer, "verify", wrong) is None
    tries = await asyncio.gather(*(world.codes.judge(people.buyer, "verify", c) for c in [wrong, *[code] * 8]))
    assert sum(found is not None for found in tries) <= 1
    assert await world.codes.judge(people.buyer, "verify", code) is None


async def test_a8_a_new_code_voids_the_one_before_of_its_purpose_alone(world: World, people: People) -> None:
    first = await issue(world, people)
    sign_in = await issue(world, people, "sign_in")
    second = await issue(world, people)
    if first != second:
        assert await world.codes.judge(people.buyer, "verify", first) is None
    assert await world.codes.judge(people.buyer, "verify", second) is not None
    assert await world.codes.judge(people.buyer, "sign_in", sign_in) is not None


async def test_a8_a_code_for_one_thing_is_none_for_another(world: World, people: People) -> None:
    code = await issue(world, people, "change", about="new@example.com")
    assert await world.codes.judge(people.buyer, "change", code, about="evil@example.com") is None
    assert await world.codes.judge(people.buyer, "verify", code) is None
    assert await world.codes.judge(people.main, "change", code, about="new@example.com") is None
    assert await world.codes.judge(people.buyer, "change", code, about="new@example.com") is not None


async def test_a8_no_letter_leaves_when_the_transaction_does_not_last(world: World, people: People) -> None:
    with refused("not_found"):
        async with world.works.begin() as work:
            await world.codes.issue(work, people.buyer, "verify", ADDRESS, "en")
            raise Refused("not_found")
    assert not world.letters


async def test_a8_the_database_holds_no_code(world: World, people: People) -> None:
    code = await issue(world, people)
    rows = await world.fetch("SELECT * FROM verification_code")
    assert code not in str(rows)


async def test_parallel_requests_leave_one_open_code(world: World, people: People) -> None:
    await asyncio.gather(*(issue(world, people) for _ in range(5)))
    assert len(await world.fetch("SELECT 1 FROM verification_code WHERE used_at IS NULL")) == 1


async def test_old_codes_are_forgotten(world: World, people: People) -> None:
    await issue(world, people)
    world.clock.advance(25 * 3600)
    async with world.works.begin() as work:
        await world.codes.forget(work)
    assert not await world.fetch("SELECT 1 FROM verification_code")


def test_a_letters_repr_tells_neither_address_nor_code() -> None:
    """What a log line or a traceback may show."""
    letter = code_letter("change", ADDRESS, "123456", 10, "zh-CN", "new@example.com")
    assert repr(letter) == "Letter(kind='email', language='zh-CN', minutes=10)"
    assert "123456" in letter.text
    assert "new@example.com" in letter.text
    assert letter.subject.startswith("验证码")


@pytest.mark.parametrize("typed", ["123456", " 123 456", "123-456", "１２３４５６", "code: 123456"])
def test_a_code_is_read_however_it_is_typed(typed: str) -> None:
    assert typed_code(typed) == "123456"
