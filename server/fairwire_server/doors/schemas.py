"""What both documents share: JSON schemas of the protocol's types, an example of each, and how an operation is described.

Everything comes from the catalogue and the types of `fairwire_protocol`, in their order, so that a document is the same every
time it is made and needs no database.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final

import msgspec

from fairwire_protocol.operations import Operation

__all__ = [
    "TAGS",
    "Schema",
    "build_version",
    "components_of",
    "described",
    "encoded",
    "example_of",
    "reference",
    "tag_of",
]

Schema = dict[str, Any]
REF: Final = "#/components/schemas/{name}"

TAGS: Final[Mapping[str, str]] = {
    "auth": "Signing in and out, registering, devices (A3, A5, A9).",
    "account": "The own account and its addresses (A7, A8).",
    "buyer": "A buyer's profile (A3).",
    "team": "An exhibitor's sub-accounts (A2, A6, A9).",
    "fair": "The fair itself (A1, A4).",
    "exhibitors": "Exhibitors (参展商) and what they show (A2, C2).",
    "chat": "Conversations: messages, transfers (转接), history, search, images (C).",
    "contacts": "The recent list (最近联系人), stars and pins (K1, K3, K4).",
    "customers": "The customer base (客户库) (K2).",
    "slots": "Slots (洽谈时段): when an exhibitor meets (M1–M3).",
    "bookings": "Meetings (预约洽谈): requesting, waiting lists (M4, M13).",
    "meetings": "Entering a meeting (进入洽谈): invitations, lobby, attendance, schedules, calendars (M8, M9, M11, M14, M15).",
    "notices": "Notices (通知): what the account was told and how, and what it prefers (N).",
    "presence": "Who is here now (C17, W10).",
    "organiser": "What only the organiser does (A4, A6, A7, C18).",
}
"""Capabilities by the first word of their operations' names. A name that begins otherwise is a tag of its own."""

_UUID: Final = "0198c5a0-7c1e-7b2a-9d3f-5e8a1b2c3d4e"
_SAMPLES: Final[Mapping[str, object]] = {
    "code": "482913", "country": "CN", "email": "li.wei@example.com", "address": "li.wei@example.com", "fair": "spring-2026",
    "language": "zh", "login": "li.wei", "name": "Li Wei", "name_zh": "光明灯具", "name_en": "Guangming Lighting",
    "password": "correct horse battery", "current": "correct horse battery", "new": "staple battery horse", "query": "灯具",
    "text": "您好, do you ship to Rotterdam?", "time_zone": "Asia/Shanghai", "device": "9f3c2a70", "title": "大厅 B 开放",
    "ts": 1_793_520_000_000, "expires_at": 1_793_520_900_000, "reason": "Advertising",
}  # fmt: skip


def build_version() -> str:
    """The version of the distribution that runs."""
    return version("fairwire")


def components_of(types: Iterable[Any]) -> dict[str, Schema]:
    """Schemas of these types and of all they hold, by name."""
    _, components = msgspec.json.schema_components(list(dict.fromkeys(types)), ref_template=REF)
    for schema in components.values():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"])
    return dict(sorted(components.items()))


def reference(type_: type[Any]) -> Schema:
    """Points at the component of `type_`."""
    return {"$ref": REF.format(name=type_.__name__)}


def tag_of(operation: Operation[Any, Any]) -> str:
    """The capability an operation belongs to."""
    return operation.name.partition(".")[0]


def described(operation: Operation[Any, Any]) -> str:
    """What it does, what repeating it does (W7), by which door and by which rules."""
    parts = [operation.summary]
    match operation.effect:
        case "once":
            parts.append("Takes effect once per `cid`: a repeat is answered with the first result (W7).")
        case "idempotent":
            parts.append("Repeating it changes nothing more (W7).")
        case _:
            pass
    if operation.one_door:
        parts.append(f"By {'the socket' if operation.socket else 'HTTP'} alone: {operation.one_door}.")
    parts.append(f"Rate class: {operation.rate}. Rules: {', '.join(operation.rules)}.")
    return "\n\n".join(parts)


def example_of(schema: Schema, components: Mapping[str, Schema], name: str = "") -> Any:
    """A value the schema accepts: required fields, and whatever `_SAMPLES` has a telling value for."""
    if "$ref" in schema:
        return example_of(components[schema["$ref"].rpartition("/")[2]], components, name)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], components, name)
    match schema.get("type"):
        case "object":
            return _example_object(schema, components)
        case "array":
            return _example_array(schema, components, name)
        case "string":
            return _example_string(schema, name)
        case "integer" | "number":
            sample = _SAMPLES.get(name, schema.get("default"))
            return sample if isinstance(sample, int) else max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case _:
            return {}


def _example_object(schema: Schema, components: Mapping[str, Schema]) -> Schema:
    required = schema.get("required", [])
    properties = schema.get("properties", {})
    shown = {name: part for name, part in properties.items() if name in required or name in _SAMPLES}
    return {name: example_of(part, components, name) for name, part in shown.items()}


def _example_array(schema: Schema, components: Mapping[str, Schema], name: str) -> list[Any]:
    items = schema.get("prefixItems") or schema.get("items")
    if isinstance(items, dict):
        items = [items]
    return [example_of(item, components, name) for item in items or ()]


def _example_string(schema: Schema, name: str) -> str:
    if schema.get("format") == "uuid":
        return _UUID
    sample = _SAMPLES.get(name)
    text = sample if isinstance(sample, str) else "example"
    return text[: schema["maxLength"]] if "maxLength" in schema else text


def encoded(document: Schema) -> bytes:
    """As a file: indented JSON, readable in a diff."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
