"""AsyncAPI 3.0 of the socket door, generated from the catalogue and the frame and event types.

One channel, `/v1/socket`, with a message for every frame: a `call` and a `reply` for each operation, an `event` for each kind
of body. Both codecs carry the same messages, so they are two servers of one channel; the subprotocol picks (W1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from fairwire_protocol import events, frames
from fairwire_protocol.codec import CODECS
from fairwire_protocol.errors import CODES, Close, may_reconnect
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

__all__ = ["asyncapi_document"]

PATH: Final = "/v1/socket"
CHANNEL: Final = "#/channels/socket"
_CALLED: Final = frozenset({"call", "reply", "event"})
"""Frames that stand as one message per operation or body."""
_CONTENT_TYPES: Final = {"msgpack": "application/msgpack", "json": "application/json"}
_INTRODUCTION: Final = """The live wire of a Fairwire server: commands and durable events over one WebSocket.

The subprotocol names version and codec: `fairwire.v1.msgpack` (binary frames) or `fairwire.v1.json` (text frames). The first
frame is `hello`, within 10 s; `welcome`, `resumed` and either the missing events or a snapshot follow, then `live` (W1, W5, W6).
A command is a `call` with a `cid` and is answered by `reply` or `error`; what it changed is durable by then, and comes as an
`event` too, to every device (W7). `beat` is answered by `ack` (W11). A frame is one map whose `t` names it; types and fields a
client does not know are to be ignored."""


def asyncapi_document(
    catalogue: Mapping[str, Operation[Any, Any]] = CATALOGUE, *, host: str = "127.0.0.1:8080"
) -> Schema:
    """The document as plain maps; the same each time."""
    operations = [operation for operation in catalogue.values() if operation.socket]
    incoming, outgoing = _frames(frames.ClientFrame), _frames(frames.ServerFrame)
    bodies = {body.__struct_config__.tag: body for body in (*get_args(events.AccountEvent), events.FairEvent)}
    types = [*incoming.values(), *outgoing.values(), *bodies.values()]
    types += [type_ for operation in operations for type_ in (operation.request, operation.reply)]
    components = {name: _draft_07(schema) for name, schema in components_of(types).items()}
    messages = _frame_messages(incoming | outgoing, components)
    for operation in operations:
        messages |= _call_messages(operation, incoming["call"], outgoing["reply"], components)
    for tag, body in bodies.items():
        messages[f"event.{tag}"] = _event_message(str(tag), body, outgoing["event"], components)
    return {
        "asyncapi": "3.0.0",
        "id": "urn:fairwire:socket",
        "info": {
            "title": "Fairwire socket",
            "version": build_version(),
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0"},
            "tags": [
                {"name": tag, "description": TAGS.get(tag, tag)} for tag in dict.fromkeys(map(tag_of, operations))
            ],
        },
        "defaultContentType": _CONTENT_TYPES["json"],
        "servers": _servers(host),
        "channels": {
            "socket": {
                "address": PATH,
                "title": "The socket",
                "description": _channel_description(),
                "servers": [{"$ref": f"#/servers/{codec.name}"} for codec in CODECS.values()],
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET", "headers": _handshake()}},
            }
        },
        "operations": _operations(operations, incoming, outgoing, bodies),
        "components": {
            "schemas": components,
            "messages": messages,
            "correlationIds": {
                "cid": {"description": "Ties reply or error to its call (W7).", "location": "$message.payload#/cid"}
            },
        },
    }


def _frames(union: Any) -> dict[str, type[Struct]]:
    """Frame types by their `t`, raw defaults taken out: they have no JSON form."""
    return {str(frame.__struct_config__.tag): _documented(frame) for frame in get_args(union)}


def _documented(frame: type[Struct]) -> type[Struct]:
    fields = msgspec.structs.fields(frame)
    if not any(isinstance(field.default, Raw) for field in fields):
        return frame
    same = [
        (field.name, Any | UnsetType, UNSET) if isinstance(field.default, Raw)
        else (field.name, field.type) if field.required
        else (field.name, field.type, field.default)
        for field in fields
    ]  # fmt: skip
    config = frame.__struct_config__
    return msgspec.defstruct(
        frame.__name__,
        same,
        namespace={"__doc__": frame.__doc__},
        tag_field=config.tag_field,
        tag=config.tag,
        kw_only=True,
    )


def _draft_07(schema: Any) -> Any:
    """AsyncAPI's schemas are draft 07: tuples are spelled otherwise, and OpenAPI's discriminator is not known."""
    if isinstance(schema, list):
        return [_draft_07(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    same = {name: _draft_07(part) for name, part in schema.items() if name != "discriminator"}
    if "prefixItems" in same:
        same |= {"items": same.pop("prefixItems"), "additionalItems": False}
    return same


def _frame_messages(every: Mapping[str, type[Struct]], components: Mapping[str, Schema]) -> dict[str, Schema]:
    messages = {}
    for tag, frame in every.items():
        if tag not in _CALLED:
            schema = components[frame.__name__]
            messages[tag] = _message(tag, schema.get("description", tag), reference(frame), components)
    messages["error"]["correlationId"] = {"$ref": "#/components/correlationIds/cid"}
    messages["error"]["description"] = "\n".join(f"- `{name}`: {code.meaning}" for name, code in CODES.items())
    return messages


def _message(name: str, summary: str, payload: Schema, components: Mapping[str, Schema]) -> Schema:
    return {
        "name": name,
        "title": name,
        "summary": summary,
        "payload": payload,
        "examples": [{"payload": example_of(payload, components)}],
        "x-content-types": _CONTENT_TYPES,
    }


def _call_messages(
    operation: Operation[Any, Any], call: type[Struct], reply: type[Struct], components: Mapping[str, Schema]
) -> dict[str, Schema]:
    asked = _narrowed(
        components[call.__name__], {"op": {"const": operation.name}, "args": reference(operation.request)}
    )
    if not components[operation.request.__name__]["required"]:
        asked["required"].remove("args")
    answered = _narrowed(components[reply.__name__], {"result": reference(operation.reply)})
    messages = {
        f"call.{operation.name}": _message(f"call {operation.name}", operation.summary, asked, components),
        f"reply.{operation.name}": _message(
            f"reply {operation.name}", f"{operation.name} is done.", answered, components
        ),
    }
    for message in messages.values():
        message["correlationId"] = {"$ref": "#/components/correlationIds/cid"}
        message["tags"] = [{"name": tag_of(operation)}]
    return messages


def _event_message(tag: str, body: type[Struct], event: type[Struct], components: Mapping[str, Schema]) -> Schema:
    stream = "fair" if body is events.FairEvent else "account"
    payload = _narrowed(components[event.__name__], {"stream": {"const": stream}, "body": reference(body)})
    return _message(f"event {tag}", components[body.__name__].get("description", tag), payload, components)


def _narrowed(frame: Schema, parts: Mapping[str, Schema]) -> Schema:
    """The frame's schema with some fields said more exactly; those are always there."""
    return {
        "type": "object",
        "properties": {**frame["properties"], **parts},
        "required": [*frame["required"], *(name for name in parts if name not in frame["required"])],
    }


def _operations(
    operations: list[Operation[Any, Any]],
    incoming: Mapping[str, type[Struct]],
    outgoing: Mapping[str, type[Struct]],
    bodies: Mapping[Any, type[Struct]],
) -> Schema:
    shown: Schema = {}
    for tag in incoming:
        if tag not in _CALLED:
            shown[tag] = {"action": "receive", "title": tag, **_carries(tag)}
    for operation in operations:
        shown[operation.name] = {
            "action": "receive",
            "title": operation.name,
            "summary": operation.summary,
            "description": described(operation),
            "tags": [{"name": tag_of(operation)}],
            **_carries(f"call.{operation.name}"),
            "reply": _carries(f"reply.{operation.name}", "error"),
        }
    for tag in outgoing:
        if tag not in _CALLED | {"error"}:
            shown[tag] = {"action": "send", "title": tag, **_carries(tag)}
    shown["events"] = {
        "action": "send",
        "title": "Durable events",
        "description": "At least once each, in the order of `pos`; clients drop what they have (W2, W4).",
        **_carries(*(f"event.{tag}" for tag in bodies)),
    }
    return shown


def _carries(*messages: str) -> Schema:
    refs = [{"$ref": f"{CHANNEL}/messages/{message}"} for message in messages]
    return {"channel": {"$ref": CHANNEL}, "messages": refs}


def _servers(host: str) -> Schema:
    return {
        codec.name: {
            "host": host,
            "protocol": "ws",
            "title": f"{codec.subprotocol}",
            "summary": f"{'Binary' if codec.binary else 'Text'} frames, {_CONTENT_TYPES[codec.name]}.",
        }
        for codec in CODECS.values()
    }


def _handshake() -> Schema:
    subprotocols = {"type": "string", "enum": list(CODECS)}
    origin = {"type": "string", "description": "Absent, or on the server's exact list (W1)."}
    return {
        "type": "object",
        "required": ["Sec-WebSocket-Protocol"],
        "properties": {"Sec-WebSocket-Protocol": subprotocols, "Origin": origin},
    }


def _channel_description() -> str:
    lines = ["Close codes (W13):", ""]
    for code in Close:
        meaning = code.name.lower().replace("_", " ")
        lines.append(f"- {int(code)} {meaning}: {'reconnect and resume' if may_reconnect(code) else 'stop'}")
    return "\n".join(lines)
