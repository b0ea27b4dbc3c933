"""OpenAPI 3.1 of the HTTP door, generated from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fairwire_protocol.errors import CODES
from fairwire_protocol.operations import CATALOGUE, Operation
from fairwire_server.doors.schemas import (
    TAGS,
    Schema,
    build_version,
    components_of,
    described,
    example_of,
    reference,
    tag_of,
)

__all__ = ["openapi_document"]

_INTRODUCTION: Final = """The HTTP door of a Fairwire server: every operation that a client can call once, without a socket.

Sign in (`POST /v1/sign-in`), send the access token as `Authorization: Bearer …`, refresh it before it ends. A command that
takes effect once needs an `Idempotency-Key`, a UUID of the client's; sent again, it is answered with the first result and
`Idempotency-Replayed: true`. An error is `{"error": …}`: final, or temporary with `retry_after_ms`. Ids are UUIDs, instants
integers in milliseconds since 1970 UTC. Fields a client does not know are to be ignored. Live events come by the WebSocket
(AsyncAPI document)."""
_READ_STATUSES: Final = (400, 401, 403, 404, 422, 429, 500, 503)
_HEADERS: Final[Schema] = {
    "correlation": {"description": "Names this call in the server's log.", "schema": {"type": "string"}},
    "replayed": {
        "description": "`true` if this is the first result of the same Idempotency-Key (W7).",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "retry": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
}


def openapi_document(catalogue: Mapping[str, Operation[Any, Any]] = CATALOGUE, *, server: str = "/") -> Schema:
    """The document as plain maps; the same each time."""
    operations = [operation for operation in catalogue.values() if operation.http is not None]
    components = components_of(
        type_ for operation in operations for type_ in (operation.request, operation.reply) if type_ is not bytes
    )
    paths: dict[str, Schema] = {}
    for operation in operations:
        assert operation.http is not None
        method, path = operation.http
        paths.setdefault(path, {})[method.lower()] = _operation(operation, components)
    tags = dict.fromkeys(map(tag_of, operations))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fairwire",
            "version": build_version(),
            "summary": "Chat between buyers and exhibitors' teams at an online trade fair.",
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "tags": [{"name": tag, "description": TAGS.get(tag, tag)} for tag in tags],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": {**_referenced(paths, components), "Error": _error_schema()},
            "responses": {str(status): _error_response(status) for status in _statuses()},
            "headers": _HEADERS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The access token of sign-in (W13)."}
            },
        },
    }


def _operation(operation: Operation[Any, Any], components: Mapping[str, Schema]) -> Schema:
    assert operation.http is not None
    method, path = operation.http
    schema = components[operation.request.__name__]
    in_path = [name for name in schema["properties"] if f"{{{name}}}" in path]
    rest = [name for name in schema["properties"] if name not in in_path]
    parameters = [_parameter(name, "path", schema, components) for name in in_path]
    shown: Schema = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": described(operation),
        "tags": [tag_of(operation)],
    }
    if operation.binary == "request":
        shown["requestBody"] = {"required": True, "content": {"application/octet-stream": {"schema": {}}}}
    elif method in {"GET", "DELETE"}:
        parameters += [_parameter(name, "query", schema, components) for name in rest]
    elif rest:
        shown["requestBody"] = _body(operation, in_path, schema, components)
    if operation.effect in {"once", "idempotent"}:
        parameters.append(_idempotency_key(required=operation.effect == "once"))
    if parameters:
        shown["parameters"] = parameters
    if operation.anonymous:
        shown["security"] = []
    statuses = _READ_STATUSES if operation.effect == "read" else _statuses()
    shown["responses"] = {"200": _success(operation, components)} | {
        str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses
    }
    return shown


def _parameter(name: str, place: str, schema: Schema, components: Mapping[str, Schema]) -> Schema:
    part = schema["properties"][name]
    required = place == "path" or name in schema["required"]
    shown: Schema = {"name": name, "in": place, "required": required, "schema": _without_null(part)}
    return {**shown, "example": example_of(part, components, name)} if required else shown


def _without_null(schema: Schema) -> Schema:
    """In a path or query, absent is the only way to say null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else schema


def _body(
    operation: Operation[Any, Any], in_path: list[str], schema: Schema, components: Mapping[str, Schema]
) -> Schema:
    """The request, without the fields that stand in the path."""
    body: Schema = reference(operation.request)
    if in_path:
        body = {
            "type": "object",
            "description": schema.get("description", ""),
            "properties": {name: part for name, part in schema["properties"].items() if name not in in_path},
            "required": [name for name in schema["required"] if name not in in_path],
        }
    required = bool(body.get("required", schema["required"]))
    content = {"schema": body, "example": example_of(body, components)}
    return {"required": required, "content": {"application/json": content}}


def _idempotency_key(*, required: bool) -> Schema:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": required,
        "description": "The command's cid: a UUID made by the client, the same for every attempt (W7).",
        "schema": {"type": "string", "format": "uuid"},
    }


def _success(operation: Operation[Any, Any], components: Mapping[str, Schema]) -> Schema:
    headers = {"X-Correlation-Id": {"$ref": "#/components/headers/correlation"}}
    if operation.binary == "reply":
        content: Schema = {f"image/{kind}": {"schema": {}} for kind in ("png", "jpeg", "webp", "gif")}
        return {"description": "The bytes; they never change.", "headers": headers, "content": content}
    if operation.effect == "once":
        headers["Idempotency-Replayed"] = {"$ref": "#/components/headers/replayed"}
    schema = reference(operation.reply)
    description = components[operation.reply.__name__].get("description", "Done.")
    content = {"application/json": {"schema": schema, "example": example_of(schema, components)}}
    return {"description": description, "headers": headers, "content": content}


def _statuses() -> tuple[int, ...]:
    return tuple(sorted({code.status for code in CODES.values()}))


def _error_schema() -> Schema:
    return {
        "title": "Error",
        "description": "A refusal. Final, unless `retry_after_ms` says when the same request may succeed (W7).",
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": {"type": "string", "enum": list(CODES)},
                    "message": {"type": "string", "description": "For people; not to be parsed."},
                    "field": {"type": "string", "description": "Which field is meant."},
                    "retry_after_ms": {"type": "integer", "minimum": 0},
                    "detail": {"type": "object"},
                    "correlation": {"type": "string", "description": "Names this call in the server's log."},
                },
            }
        },
    }


def _error_response(status: int) -> Schema:
    codes = {name: code for name, code in CODES.items() if code.status == status}
    headers = {"X-Correlation-Id": {"$ref": "#/components/headers/correlation"}}
    if not all(code.final for code in codes.values()):
        headers["Retry-After"] = {"$ref": "#/components/headers/retry"}
    name, code = next(iter(codes.items()))
    error: Schema = {"code": name, "message": code.meaning, "correlation": "5f0c9c1e6a7b4d21"}
    if not code.final:
        error["retry_after_ms"] = 1000
    return {
        "description": "\n".join(f"- `{name}`: {code.meaning}" for name, code in codes.items()),
        "headers": headers,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Error"}, "example": {"error": error}}
        },
    }


def _referenced(paths: Schema, components: Mapping[str, Schema]) -> dict[str, Schema]:
    """The components that anything points at: requests that became parameters are left out."""
    found: dict[str, Schema] = {}
    waiting = list(_references(paths))
    while waiting:
        name = waiting.pop()
        if name not in found and name in components:
            found[name] = components[name]
            waiting += _references(components[name])
    return dict(sorted(found.items()))


def _references(part: object) -> Iterable[str]:
    match part:
        case {"$ref": str(target)}:
            yield target.rpartition("/")[2]
        case dict():
            for value in part.values():
                yield from _references(value)
        case list():
            for value in part:
                yield from _references(value)
        case _:
            pass
