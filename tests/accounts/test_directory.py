"""The fair's directory (A1, A2, C2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from fairwire_protocol.operations import identity as ops
from fairwire_server.database.queries import load_queries
from tests.accounts.conftest import People
from tests.accounts.refusals import refused
from tests.accounts.world import World


async def section(world: World, fair: UUID, code: str) -> UUID:
    made: UUID = uuid7()
    await world.execute(
        "INSERT INTO section (id, fair_id, external_id, name_zh, name_en) VALUES ($1, $2, $3, $3, $3)", made, fair, code
    )
    return made


async def exhibit(world: World, fair: UUID, exhibitor: UUID, name: str, state: str = "listed") -> UUID:
    made: UUID = uuid7()
    await world.execute(
        "INSERT INTO exhibit (id, fair_id, exhibitor_id, external_id, name_zh, name_en, tags, state, created_at)"
        " VALUES ($1, $2, $3, $4, $4, $4, '{steel}', $5, $6)",
        made, fair, exhibitor, name, state, world.clock.now(),
    )  # fmt: skip
    return made


async def test_a1_a_fair_is_shown_before_signing_in(world: World) -> None:
    fair = await world.fair(settings={"profile_fields": ["company"]})
    sections = [await section(world, fair, code) for code in ("A", "B")]
    shown = (await world.directory.fair(world.context(), ops.FairRef(fair="autumn"))).fair
    assert (shown.id, shown.time_zone, shown.profile_fields) == (fair, "Asia/Shanghai", ("company",))
    assert [s.id for s in shown.sections] == sections
    with refused("not_found"):
        await world.directory.fair(world.context(), ops.FairRef(fair="spring"))


async def test_a2_exhibitors_are_paged_by_name_without_loss_or_repeat(world: World, people: People) -> None:
    names = {"Anyang Tools", "Other Tools"}
    for n in range(9):
        names.add(name := f"Maker {n % 4}")
        await world.exhibitor(people.fair, name)
    caller = await world.caller("buyer")
    seen: list[UUID] = []
    shown: list[str] = []
    after: str | None = None
    while True:
        page = await world.directory.exhibitors(caller, world.context(), ops.ListExhibitors(after=after, limit=4))
        seen += [card.id for card in page.exhibitors]
        shown += [card.name_en for card in page.exhibitors]
        after = page.next
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 11
    assert shown == sorted(shown)
    assert set(shown) == names


async def test_a2_exhibitors_are_found_by_words_and_by_section(world: World, people: People) -> None:
    caller = await world.caller("buyer")
    tools = await section(world, people.fair, "tools")
    await world.execute("INSERT INTO exhibitor_section VALUES ($1, $2)", people.exhibitor, tools)

    async def found(**wanted: object) -> list[str]:
        request = ops.ListExhibitors(**wanted)  # type: ignore[arg-type]
        return [
            card.name_en for card in (await world.directory.exhibitors(caller, world.context(), request)).exhibitors
        ]

    assert await found(query="tool") == ["Anyang Tools", "Other Tools"]
    assert await found(query="ANYANG too") == ["Anyang Tools"]
    assert await found(section=tools) == ["Anyang Tools"]
    assert await found(query="other", section=tools) == []
    assert await found(query="!!!") == []
    assert await found(section=uuid7()) == []
    with refused("invalid", field="after"):
        await found(after="1; DROP TABLE exhibitor")


async def test_a1_another_fairs_exhibitors_are_not_there(world: World, people: People) -> None:
    spring = await world.fair("spring")
    foreign = await world.exhibitor(spring, "Foreign Tools")
    caller = await world.caller("buyer")
    listed = await world.directory.exhibitors(caller, world.context(), ops.ListExhibitors())
    assert foreign not in {card.id for card in listed.exhibitors}
    for unknown in (foreign, uuid7()):
        with refused("not_found"):
            await world.directory.exhibitor(caller, world.context(), ops.ExhibitorRef(exhibitor=unknown))
    page = await world.directory.exhibitors(caller, world.context(), ops.ListExhibitors(after=str(foreign)))
    assert not page.exhibitors


@pytest.mark.parametrize("state", ["unlisted", "banned"])
async def test_c2_only_listed_exhibits_are_shown(world: World, people: People, state: str) -> None:
    listed = await exhibit(world, people.fair, people.exhibitor, "hammer")
    await exhibit(world, people.fair, people.exhibitor, "secret", state)
    reply = await world.directory.exhibitor(
        await world.caller("buyer"), world.context(), ops.ExhibitorRef(exhibitor=people.exhibitor)
    )
    assert [shown.id for shown in reply.exhibits] == [listed]
    assert reply.exhibits[0].tags == ("steel",)
    assert reply.exhibitor.domicile == "domestic"


async def test_a2_a_page_begins_in_the_index_by_name_wherever_it_is(world: World) -> None:
    """What stands before it is not read: a buyer turns pages of tens of thousands of exhibitors."""
    query = load_queries("fairwire_server.accounts", "directory.sql")["exhibitors"]
    async with world.works.begin(planned="by_index") as work:
        await work.connection.execute(f"PREPARE page (uuid, uuid, uuid, int) AS {query}")
        told = await work.connection.fetchval(
            f"EXPLAIN (FORMAT JSON) EXECUTE page ('{uuid7()}', NULL, '{uuid7()}', 30)"
        )
        await work.connection.execute("DEALLOCATE page")
    (page,) = [one for one in _scans(json.loads(told)[0]["Plan"]) if one.get("Alias") == "e"]
    assert page["Index Name"] == "exhibitor_by_name"
    assert "ROW(name_en, id) > ROW(" in page["Index Cond"]


def _scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of a plan that go by an index."""
    if "Index Name" in plan:
        yield plan
    for part in plan.get("Plans", ()):
        yield from _scans(part)
