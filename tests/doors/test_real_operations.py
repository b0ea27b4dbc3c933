"""Every operation of the catalogue over HTTP on a whole node: well-formed nonsense is refused by a typed error, never a fault."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import msgspec
import pytest
from aiohttp import ClientSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwire_protocol.errors import CODES
from fairwire_protocol.operations import CATALOGUE, Operation
from fairwire_server.doors.schemas import components_of, example_of, reference
from tests.harness.node import Running, running_node
from tests.harness.postgres import Cluster

HTTP = {name: operation for name, operation in CATALOGUE.items() if operation.http}
CALLERS = ("buyer", "visitor", "main", "sales", "exhibit", "organiser", "suspended", "")
UNENDING = frozenset({"auth.sign_out"})  # ends the session the next examples need
NASTY = st.sampled_from(
    ["\0", "a\0b", "٣", "𐍈" * 50, "%", "_", "\\", "'", "'; --", "\u202e", "⁠", "0", "-1", "null", " "]
)
TEXTS = NASTY | st.text(max_size=30)
NUMBERS = st.sampled_from([0, -1, 1, 2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63)]) | st.integers(-10, 10**15)


@pytest.fixture(scope="module")
async def node(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A node for all examples."""
    async with postgres.database() as url, running_node(url, tmp_path_factory.mktemp("node")) as started:
        yield started


@pytest.fixture(scope="module")
async def client(node: Running) -> AsyncIterator[ClientSession]:
    """To its main address."""
    async with ClientSession(node.url) as session:
        yield session


@pytest.fixture(scope="module")
async def chat(node: Running, client: ClientSession) -> str:
    """A conversation of the buyer with a message in it."""
    opened = {"exhibitor": str(node.ground.exhibitors["acme"])}
    status, answer = await call(node, client, HTTP["chat.open"], "buyer", opened)
    assert status == 200, answer
    conversation: str = answer["entry"]["conversation"]
    said = {"conversation": conversation, "text": "您好"}
    assert (await call(node, client, HTTP["chat.send"], "buyer", said))[0] == 200
    return conversation


def ids(node: Running) -> list[str]:
    """Ids that mean something to the node, and one that does not."""
    ground = node.ground
    things = [
        *ground.exhibitors.values(),
        *ground.exhibits.values(),
        *(somebody.id for somebody in ground.cast.values()),
    ]
    return [*map(str, things), str(UUID(int=0)), "0198c5a0-7c1e-7b2a-9d3f-5e8a1b2c3d4e"]


async def call(
    node: Running, client: ClientSession, operation: Operation[Any, Any], caller: str, fields: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    """Status and JSON answer."""
    assert operation.http is not None
    method, path = operation.http
    rest = dict(fields)
    for name in [field.encode_name for field in msgspec.structs.fields(operation.request)]:
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", quote(str(rest.pop(name, "x")) or "x", safe=""))
    headers = {"Idempotency-Key": str(uuid4())}
    if caller:
        headers["Authorization"] = f"Bearer {node.ground[caller].token}"
    in_query = method in {"GET", "DELETE"}
    query = {name: str(value) for name, value in rest.items()} if in_query else {}
    body = None if in_query else json.dumps(rest).encode()
    async with client.request(method, path, params=query, data=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


def check(node: Running, operation: Operation[Any, Any], sent: object, status: int, answer: dict[str, Any]) -> None:
    """A reply of the operation's type, or a typed error that is no fault."""
    if status == 200:
        msgspec.convert(answer, operation.reply)
    else:
        code = answer["error"]["code"]
        assert code in CODES
        assert code != "internal", (operation.name, sent)
    assert "internal" not in node.node.metrics.operations[operation.name].outcomes


@pytest.mark.parametrize("name", sorted(HTTP))
async def test_the_documented_example_is_answered_to_everybody(node: Running, client: ClientSession, name: str) -> None:
    operation = HTTP[name]
    example = example_of(reference(operation.request), components_of([operation.request]))
    for caller in CALLERS:
        if name in UNENDING and caller:
            continue
        status, answer = await call(node, client, operation, caller, example)
        check(node, operation, example, status, answer)


def values(schema: dict[str, Any], known: list[str]) -> st.SearchStrategy[Any]:
    """What the schema's type allows, its bounds mostly kept."""
    for part in schema.get("anyOf", ()):
        if part.get("type") != "null":
            return values(part, known)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "string" if schema.get("format") == "uuid":
            return st.sampled_from(known)
        case "string":
            fitting = TEXTS.map(lambda text: (text + "x" * schema.get("minLength", 0))[: schema.get("maxLength")])
            return st.one_of(fitting, fitting, TEXTS)
        case "integer":
            fitting_numbers = st.integers(schema.get("minimum", -(10**16)), schema.get("maximum", 10**16))
            return st.one_of(fitting_numbers, st.integers(0, 3), NUMBERS)
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(values(schema["items"], known), max_size=3)
        case _:
            return st.dictionaries(TEXTS, TEXTS, max_size=3)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_well_formed_nonsense_is_refused_without_a_fault(
    node: Running, client: ClientSession, chat: str, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(set(HTTP) - UNENDING)))
    operation = HTTP[name]
    schema = components_of([operation.request])[operation.request.__name__]
    known = [chat, *ids(node)]
    fields = {
        field: data.draw(values(part, known), label=field)
        for field, part in schema["properties"].items()
        if field in schema["required"] or data.draw(st.booleans())
    }
    if "conversation" in fields and data.draw(st.booleans()):
        fields["conversation"] = chat
    caller = data.draw(st.sampled_from(["buyer", "main", "sales", "organiser"]))
    status, answer = await call(node, client, operation, caller, fields)
    check(node, operation, fields, status, answer)


async def test_the_pages_of_a_whole_node(node: Running, client: ClientSession) -> None:
    for path in ("/", "/docs", "/openapi.json", "/asyncapi.json", "/outbox", "/healthz", "/readyz"):
        async with client.get(path) as answer:
            assert answer.status == 200, path
    async with ClientSession(f"http://127.0.0.1:{node.admin_port}") as admin, admin.get("/metrics") as answer:
        assert "fairwire_operations_total" in await answer.text()
    async with client.get("/metrics") as answer:
        assert answer.status == 404
