"""Every cell of the permission table on a running node: each operation × each column × each place of each id field, by both doors.

Beside the outcome itself: what a caller may not see answers exactly as what does not exist, to the last field of the error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import inspect

from fairwire_server.registry import Bound
from tests.harness.postgres import Cluster
from tests.permissions.caller import Answer, SocketDoor
from tests.permissions.requests import request_of, upload_of
from tests.permissions.table import COLUMNS, OPERATIONS, OperationEntry, Row
from tests.permissions.world import World, open_world

SHOWS_NOTHING = ("states", "entries", "exhibitors", "bookings", "days")
"""Lists that leave out what the caller may not see; empty, the outcome is `nothing`."""

KNOWN = frozenset({"holder", "exhibit", "suspended", "held_late"})
"""Places that the caller knows to exist anyway, as a colleague or as a chat it gave away: their errors may say more."""
CLOSING = ("auth.", "team.", "organiser.")
"""Operations after which sockets are closed a moment later."""


@pytest.fixture(scope="module")
async def world(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with postgres.database() as url, open_world(url, Path(tmp_path_factory.mktemp("matrix"))) as world:
        yield world


def by_name(world: World) -> dict[str, Bound[Any, Any]]:
    return {bound.operation.name: bound for bound in world.running.node.registry}


def outcome_of(row: Row, answer: Answer) -> str:
    """The answer in the table's words."""
    narrows = {("bookings.list", "receiver"), ("meetings.schedule", "account")}
    if answer.outcome == "ok" and (
        row.field in {"subjects", "holder", "section"} or (row.operation, row.field) in narrows
    ):
        return "ok" if any(answer.content.get(name) for name in SHOWS_NOTHING) else "nothing"
    return answer.outcome


class Judge:
    """Tries cells, collects what is wrong, and puts the world back after whatever changed it."""

    def __init__(self, world: World, entry: OperationEntry) -> None:
        self.world = world
        self.entry = entry
        self.wrong: list[str] = []
        self.errors: dict[tuple[str, str | None], dict[str, dict[str, Any]]] = defaultdict(dict)
        operation = by_name(world)[entry.name].operation
        self.changes = operation.effect != "read" and operation.rate != "ephemeral"

    async def judge(self, door: str, row: Row, column: str, answer: Answer) -> None:
        outcome = outcome_of(row, answer)
        if outcome != row.expected[column]:
            self.wrong.append(
                f"{door}: {self.entry.name} {row.name} as {column}: {outcome}, expected {row.expected[column]}"
            )
        if answer.outcome == "ok" and self.changes:
            await self.world.restore()
        elif answer.outcome != "ok" and row.place not in KNOWN:
            self.errors[column, row.field].setdefault(answer.outcome, answer.error)
            if self.errors[column, row.field][answer.outcome] != answer.error:
                told = self.errors[column, row.field][answer.outcome]
                self.wrong.append(
                    f"{door}: {self.entry.name} {row.name} as {column} tells apart: {answer.error} / {told}"
                )

    def verdict(self) -> None:
        assert not self.wrong, "\n".join(self.wrong)


@pytest.mark.parametrize("entry", OPERATIONS, ids=lambda entry: entry.name)
async def test_every_cell_over_http_a7_c9_k2(world: World, entry: OperationEntry) -> None:
    if by_name(world)[entry.name].operation.http is None:
        return
    judge = Judge(world, entry)
    for row in entry.rows:
        for column in COLUMNS:
            token = world.tokens.get(column)
            args = request_of(world, row, column)
            answer = await world.http.call(token, entry.name, args, body=upload_of(entry.name))
            await judge.judge("http", row, column, answer)
    judge.verdict()


@pytest.fixture(scope="module")
async def sockets(world: World) -> AsyncIterator[dict[str, SocketDoor]]:
    """A socket for each column, the codecs by turns."""
    doors = {
        column: SocketDoor(world.running.url, world.tokens.get(column), ("msgpack", "json")[number % 2])
        for number, column in enumerate(COLUMNS)
    }
    yield doors
    for door in doors.values():
        await door.close()


@pytest.mark.parametrize("entry", OPERATIONS, ids=lambda entry: entry.name)
async def test_every_cell_over_the_socket_a7_c9_k2(
    world: World, sockets: dict[str, SocketDoor], entry: OperationEntry
) -> None:
    if not by_name(world)[entry.name].operation.socket:
        return
    judge = Judge(world, entry)
    for row in entry.rows:
        for column in COLUMNS:
            answer = await sockets[column].call(entry.name, request_of(world, row, column))
            await judge.judge("socket", row, column, answer)
            if answer.outcome == "ok" and judge.changes and entry.name.startswith(CLOSING):
                for door in sockets.values():
                    await door.close()
    judge.verdict()


def test_operations_and_id_fields_of_the_registry_are_all_in_the_table(world: World) -> None:
    """A cell without an entry fails: so does an operation, a door or an id field that the table does not know."""
    bound = by_name(world)
    assert {entry.name for entry in OPERATIONS} == set(bound)
    for entry in OPERATIONS:
        fields = id_fields(bound[entry.name].operation.request)
        assert {row.field for row in entry.rows} >= fields, f"{entry.name}: no rows for some of {fields}"


def id_fields(request: type[Any]) -> set[str]:
    """Fields of a request that hold an id, however deep."""

    def holds(kind: inspect.Type) -> bool:
        match kind:
            case inspect.UUIDType():
                return True
            case inspect.UnionType(types=types):
                return any(map(holds, types))
            case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
                return holds(item)
            case inspect.DictType(key_type=key, value_type=value):
                return holds(key) or holds(value)
            case inspect.StructType(fields=fields):
                return any(holds(field.type) for field in fields)
            case _:
                return False

    info = inspect.type_info(request)
    assert isinstance(info, inspect.StructType)
    return {field.encode_name for field in info.fields if holds(field.type)}
