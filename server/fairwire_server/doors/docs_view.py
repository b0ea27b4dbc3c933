"""The two generated documents as what the docs page shows: operations, frames, events, errors and types, each with its fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from markupsafe import Markup, escape

from fairwire_protocol.errors import CODES, Close, Code, may_reconnect
from fairwire_server.doors.schemas import Schema

__all__ = ["DocsView", "FieldRow", "OperationView", "PayloadView", "TagView", "TypeView", "docs_view"]

_BOUNDS: Final = {
    "minLength": "at least {} characters", "maxLength": "at most {} characters", "minItems": "at least {}", "maxItems": "at most {}",
    "minimum": "from {}", "maximum": "to {}", "pattern": "matches {}",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of a table."""

    name: str
    type: Markup
    required: bool
    notes: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class OperationView:
    """One operation, whichever doors it has."""

    name: str
    summary: str
    description: tuple[str, ...]
    method: str | None
    path: str | None
    socket: bool
    anonymous: bool
    fields: tuple[FieldRow, ...]
    reply: Markup
    request_example: str | None
    reply_example: str | None


@dataclass(frozen=True, slots=True)
class TagView:
    """A capability and its operations."""

    name: str
    description: str
    operations: tuple[OperationView, ...]


@dataclass(frozen=True, slots=True)
class PayloadView:
    """A frame or the body of an event."""

    name: str
    direction: str
    summary: str
    fields: tuple[FieldRow, ...]
    example: str


@dataclass(frozen=True, slots=True)
class TypeView:
    """A type that others refer to."""

    name: str
    description: str
    fields: tuple[FieldRow, ...]


@dataclass(frozen=True, slots=True)
class DocsView:
    """Everything on the page."""

    version: str
    http_introduction: str
    socket_introduction: str
    tags: tuple[TagView, ...]
    frames: tuple[PayloadView, ...]
    events: tuple[PayloadView, ...]
    errors: Mapping[str, Code]
    closes: tuple[tuple[int, str, bool], ...]
    types: tuple[TypeView, ...]


def docs_view(openapi: Schema, asyncapi: Schema) -> DocsView:
    """What both documents say, merged by operation."""
    schemas: dict[str, Schema] = asyncapi["components"]["schemas"] | openapi["components"]["schemas"]
    operations = _operations(openapi, asyncapi, schemas)
    tags = {tag["name"]: tag["description"] for tag in (*openapi["tags"], *asyncapi["info"]["tags"])}
    messages = asyncapi["components"]["messages"]
    incoming = {name for name, operation in asyncapi["operations"].items() if operation["action"] == "receive"}
    frames = [
        _payload(
            name, "client → server" if name in incoming else "server → client", message, message["payload"], schemas
        )
        for name, message in messages.items()
        if "." not in name
    ]
    events = [
        _payload(name.removeprefix("event."), message["payload"]["properties"]["stream"]["const"] + " stream",
                 message, message["payload"]["properties"]["body"], schemas, "body")
        for name, message in messages.items()
        if name.startswith("event.")
    ]  # fmt: skip
    return DocsView(
        version=openapi["info"]["version"],
        http_introduction=openapi["info"]["description"],
        socket_introduction=asyncapi["info"]["description"],
        tags=tuple(
            TagView(tag, text, tuple(view for name, view in operations.items() if name.partition(".")[0] == tag))
            for tag, text in tags.items()
        ),
        frames=tuple(frames),
        events=tuple(events),
        errors=CODES,
        closes=tuple((int(code), code.name.lower().replace("_", " "), may_reconnect(code)) for code in Close),
        types=tuple(
            TypeView(name, schema.get("description", ""), tuple(_rows(schema)))
            for name, schema in sorted(schemas.items())
        ),
    )


def _operations(openapi: Schema, asyncapi: Schema, schemas: Mapping[str, Schema]) -> dict[str, OperationView]:
    on_socket = {name for name, operation in asyncapi["operations"].items() if "reply" in operation}
    views = {
        operation["operationId"]: _by_http(method, path, operation, operation["operationId"] in on_socket)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    }
    for name in sorted(on_socket - views.keys()):
        views[name] = _by_socket(name, asyncapi["operations"][name], asyncapi["components"]["messages"], schemas)
    return views


def _by_http(method: str, path: str, operation: Schema, socket: bool) -> OperationView:
    rows = [
        FieldRow(part["name"], _type(part["schema"]), part["required"], _notes(part["schema"]), part["in"])
        for part in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {})
    content = body.get("application/json", {})
    schema = content.get("schema", {})
    if "$ref" in schema:
        rows.append(FieldRow("", _type(schema), True, "", "body"))
    rows += _rows(schema, "body")
    if body and not content:
        rows.append(FieldRow("", Markup("bytes"), True, "", "body"))
    reply = operation["responses"]["200"]["content"].get("application/json", {})
    return OperationView(
        name=operation["operationId"],
        summary=operation["summary"],
        description=tuple(operation["description"].split("\n\n")[1:]),
        method=method.upper(),
        path=path,
        socket=socket,
        anonymous=operation.get("security") == [],
        fields=tuple(rows),
        reply=_type(reply["schema"]) if reply else Markup("bytes"),
        request_example=_json(content["example"]) if "example" in content else None,
        reply_example=_json(reply["example"]) if "example" in reply else None,
    )


def _by_socket(
    name: str, operation: Schema, messages: Mapping[str, Schema], schemas: Mapping[str, Schema]
) -> OperationView:
    call, reply = messages[f"call.{name}"], messages[f"reply.{name}"]
    asked = call["payload"]["properties"]["args"]
    return OperationView(
        name=name,
        summary=operation["summary"],
        description=tuple(operation["description"].split("\n\n")[1:]),
        method=None,
        path=None,
        socket=True,
        anonymous=False,
        fields=tuple(_rows(schemas[asked["$ref"].rpartition("/")[2]], "args")),
        reply=_type(reply["payload"]["properties"]["result"]),
        request_example=_json(call["examples"][0]["payload"]),
        reply_example=_json(reply["examples"][0]["payload"]),
    )


def _payload(
    name: str, direction: str, message: Schema, schema: Schema, schemas: Mapping[str, Schema], part: str = ""
) -> PayloadView:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    example = message["examples"][0]["payload"]
    text = message.get("summary", "")
    return PayloadView(name, direction, text, tuple(_rows(schema)), _json(example[part] if part else example))


def _rows(schema: Schema, place: str = "") -> Iterable[FieldRow]:
    required = schema.get("required", [])
    for name, part in schema.get("properties", {}).items():
        yield FieldRow(name, _type(part), name in required, _notes(part), place)


def _type(schema: Schema) -> Markup:
    """The type in a few words, names of other types as links."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#type-{0}">{0}</a>').format(name)
    if "anyOf" in schema:
        return Markup(" or ").join(_type(part) for part in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return Markup(" · ").join(
            Markup("<code>{}</code>").format(value) for value in schema.get("enum", [schema.get("const")])
        )
    match schema.get("type"):
        case "array":
            items: Any = schema.get("prefixItems") or schema.get("items") or {}
            inner = Markup(", ").join(map(_type, items)) if isinstance(items, list) else _type(items)
            return Markup("list of {}").format(inner)
        case "object" if "additionalProperties" in schema:
            return Markup("map to {}").format(_type(schema["additionalProperties"]))
        case "string" if "format" in schema:
            return escape(schema["format"])
        case str(kind):
            return escape(kind)
        case _:
            return Markup("any")


def _notes(schema: Schema) -> str:
    """Bounds, default and description."""
    bounded = schema
    for part in schema.get("anyOf", []):
        bounded = {**bounded, **part}
    notes = [text.format(bounded[name]) for name, text in _BOUNDS.items() if name in bounded]
    default = schema.get("default")
    if default not in (None, "", [], {}):
        notes.append(f"default {default}")
    if "description" in schema:
        notes.append(schema["description"])
    return "; ".join(notes)


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
