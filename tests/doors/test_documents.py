"""Both documents: valid, complete, the same each time, and true (their examples are what the server takes).

AsyncAPI's official parser is asked by `make check-documents`: it needs Node, and half a minute.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from click.testing import CliRunner
from openapi_spec_validator import OpenAPIV31SpecValidator

from fairwire_protocol import events, frames
from fairwire_protocol.codec import CODECS, JSON, MSGPACK
from fairwire_protocol.errors import CODES
from fairwire_protocol.operations import CATALOGUE, Operation
from fairwire_server.commands.asyncapi import command as asyncapi_command
from fairwire_server.commands.openapi import command as openapi_command
from fairwire_server.doors.asyncapi import asyncapi_document
from fairwire_server.doors.docs_view import docs_view
from fairwire_server.doors.openapi import openapi_document
from fairwire_server.doors.schemas import Schema, components_of, encoded, example_of, reference
from tests.doors.service import CATALOGUE as SMALL

HTTP = [operation for operation in CATALOGUE.values() if operation.http]
SOCKET = [operation for operation in CATALOGUE.values() if operation.socket]


@pytest.fixture(scope="module")
def openapi() -> Schema:
    """As plain JSON, the way a tool reads it."""
    document: Schema = json.loads(encoded(openapi_document()))
    return document


@pytest.fixture(scope="module")
def asyncapi() -> Schema:
    """As plain JSON, the way a tool reads it."""
    document: Schema = json.loads(encoded(asyncapi_document()))
    return document


def test_the_openapi_document_is_valid(openapi: Schema) -> None:
    assert openapi["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(openapi).validate()


def test_the_openapi_document_of_any_catalogue_is_valid() -> None:
    """Lists in a query, bytes both ways, anonymous operations: shapes the real catalogue may get."""
    OpenAPIV31SpecValidator(json.loads(encoded(openapi_document(SMALL)))).validate()


def test_both_documents_are_the_same_each_time() -> None:
    assert encoded(openapi_document()) == encoded(openapi_document())
    assert encoded(asyncapi_document()) == encoded(asyncapi_document())


@pytest.mark.parametrize("operation", HTTP, ids=lambda operation: operation.name)
def test_every_http_operation_is_described(openapi: Schema, operation: Operation[Any, Any]) -> None:
    assert operation.http is not None
    method, path = operation.http
    shown = openapi["paths"][path][method.lower()]
    assert shown["operationId"] == operation.name
    assert all(rule in shown["description"] for rule in operation.rules)
    assert (shown.get("security") == []) is operation.anonymous
    key = [part["required"] for part in shown.get("parameters", []) if part["name"] == "Idempotency-Key"]
    assert key == {"once": [True], "idempotent": [False]}.get(operation.effect, [])
    fields = {field.encode_name for field in msgspec.structs.fields(operation.request)}
    body = shown.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in body:
        body = openapi["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    in_body = set(body.get("properties", {}))
    elsewhere = {part["name"] for part in shown.get("parameters", []) if part["in"] != "header"}
    assert in_body | elsewhere == fields
    assert not in_body & elsewhere


@pytest.mark.parametrize("operation", HTTP, ids=lambda operation: operation.name)
def test_the_example_of_every_http_request_is_taken_by_the_server(
    openapi: Schema, operation: Operation[Any, Any]
) -> None:
    assert operation.http is not None
    method, path = operation.http
    shown = openapi["paths"][path][method.lower()]
    example = {part["name"]: part["example"] for part in shown.get("parameters", []) if "example" in part}
    example |= shown.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example", {})
    JSON.decode(json.dumps(example).encode(), operation.request)


@pytest.mark.parametrize("operation", list(CATALOGUE.values()), ids=lambda operation: operation.name)
def test_what_the_schemas_allow_the_decoder_takes(operation: Operation[Any, Any]) -> None:
    for type_ in {operation.request, operation.reply} - {bytes}:
        components = components_of([type_])
        example = example_of(reference(type_), components)
        JSON.decode(msgspec.json.encode(example), type_)


def test_every_error_code_is_documented_under_its_status(openapi: Schema) -> None:
    for name, code in CODES.items():
        assert f"`{name}`" in openapi["components"]["responses"][str(code.status)]["description"]
    assert set(openapi["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"]) == set(
        CODES
    )


def test_the_socket_document_has_every_frame_call_and_event(asyncapi: Schema) -> None:
    messages = set(asyncapi["components"]["messages"])
    tags = {frame.__struct_config__.tag for frame in (*get_args(frames.ClientFrame), *get_args(frames.ServerFrame))}
    bodies = {body.__struct_config__.tag for body in (*get_args(events.AccountEvent), events.FairEvent)}
    expected = tags - {"call", "reply", "event"}
    expected |= {f"{way}.{operation.name}" for operation in SOCKET for way in ("call", "reply")}
    expected |= {f"event.{tag}" for tag in bodies}
    assert messages == expected
    assert set(asyncapi["channels"]["socket"]["messages"]) == expected
    assert set(asyncapi["operations"]) >= {operation.name for operation in SOCKET}
    handshake = asyncapi["channels"]["socket"]["bindings"]["ws"]["headers"]["properties"]
    assert set(handshake["Sec-WebSocket-Protocol"]["enum"]) == set(CODECS)


def test_every_message_is_carried_by_an_operation(asyncapi: Schema) -> None:
    carried = {
        message["$ref"].rpartition("/")[2]
        for operation in asyncapi["operations"].values()
        for message in (*operation["messages"], *operation.get("reply", {}).get("messages", []))
    }
    assert carried == set(asyncapi["components"]["messages"])


def test_every_example_frame_decodes_in_both_codecs(asyncapi: Schema) -> None:
    """W1. What the document shows is what peers take."""
    receives = {name for name, operation in asyncapi["operations"].items() if operation["action"] == "receive"}
    for name, message in asyncapi["components"]["messages"].items():
        payload = message["examples"][0]["payload"]
        from_client = name in receives or name.startswith("call.")
        for codec in (JSON, MSGPACK):
            data = codec.encode(payload)
            frame = codec.decode_client_frame(data) if from_client else codec.decode_server_frame(data)
            if isinstance(frame, frames.Call):
                codec.decode(frame.args, CATALOGUE[frame.op].request)
            elif isinstance(frame, frames.Reply):
                codec.decode(frame.result, CATALOGUE[name.partition(".")[2]].reply)
            elif isinstance(frame, frames.Event):
                body: Any = events.AccountEvent if frame.stream == "account" else events.FairEvent
                codec.decode(frame.body, body)


@pytest.mark.parametrize(("command", "version"), [(openapi_command, "openapi"), (asyncapi_command, "asyncapi")])
def test_the_commands_print_the_document_or_write_it(command: Any, version: str, tmp_path: Path) -> None:
    printed = CliRunner().invoke(command, [])
    assert printed.exit_code == 0
    assert version in json.loads(printed.stdout)
    out = tmp_path / "document.json"
    assert CliRunner().invoke(command, ["--out", str(out)]).output == ""
    assert out.read_text() == printed.stdout
    assert "Examples:" in CliRunner().invoke(command, ["--help"]).output


def test_the_docs_page_shows_every_operation_once(openapi: Schema, asyncapi: Schema) -> None:
    view = docs_view(openapi, asyncapi)
    shown = [operation.name for tag in view.tags for operation in tag.operations]
    assert sorted(shown) == sorted(CATALOGUE)
    assert all(tag.description != tag.name for tag in view.tags), "a capability without its sentence in TAGS"
