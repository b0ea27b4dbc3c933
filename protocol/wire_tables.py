"""Keep the tables of `protocol/README.md` equal to the code.

    python protocol/wire_tables.py            write the tables between their marks
    python protocol/wire_tables.py --check    fail if a table is not what the code says

A table stands between `<!-- table: name -->` and `<!-- end -->`. What a field means is the sentence below it in its module.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from fairwire_protocol import frames, models
from fairwire_protocol.errors import CODES, Close
from fairwire_protocol.operations import CATALOGUE, Request
from fairwire_protocol.operations.base import Empty
from fairwire_protocol.vectors import load
from wire_examples import EVENT_TYPES

TARGET: Final = Path(__file__).parent / "README.md"
CLOSES: Final = {
    Close.GOING_AWAY: "The node is going away; another one, or the same one later, takes the client.",
    Close.TOO_SLOW: "The client did not read: a write was blocked, or it lagged, for longer than 10 s.",
    Close.NO_ANSWER: "A beat was not answered in time.",
    Close.POSITION_LOST: "One side cannot go on from the other's position; also what a client says when it sees a hole.",
    Close.OVERLOADED: "The server cannot serve this socket now.",
    Close.TOKEN_EXPIRED: "The access token is over. Refresh first (§3), then reconnect.",
    Close.BAD_TOKEN: "The token is forged, of another session, or its session is unknown.",
    Close.SUSPENDED: "The account is suspended, disabled or removed, or the session was revoked.",
    Close.TOO_MANY_DEVICES: "An eleventh device; or, for the old socket of a device, that a new one of the same device took its place.",
    Close.PROTOCOL_NOT_SPOKEN: "No version, or no subprotocol, in common.",
    Close.MALFORMED: "No hello in 10 s, a first frame that is none, frames of the other kind, an ack of what was never sent, "
    "or the tenth frame that deserves an error.",
}

_BIG: Final = "int(0…9007199254740991)"


def notation(kind: Any) -> str:
    """A type as §2 writes it."""
    if kind == models.Seq:
        return "seq"
    if kind == models.Pos:
        return "pos"
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return notation(args[0]) + _bounds(args[1])
    if origin is Literal:
        return " / ".join(f'"{arg}"' for arg in args)
    if origin in {Union, types.UnionType}:
        known = [arg for arg in args if arg is not msgspec.UnsetType]
        some = " / ".join(notation(arg) for arg in known if arg is not type(None))
        return some + (" / null" if type(None) in known else "")
    if origin is tuple:
        return f"[{notation(args[0])}]" if args[-1] is Ellipsis else "[" + ", ".join(map(notation, args)) + "]"
    if origin is dict:
        return f"{{{notation(args[0])}: {notation(args[1])}}}"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    return {str: "text", int: "int", bool: "bool", UUID: "uuid", bytes: "bytes", msgspec.Raw: "map"}[kind]


def _bounds(meta: msgspec.Meta) -> str:
    low = meta.min_length if meta.min_length is not None else meta.ge
    high = meta.max_length if meta.max_length is not None else meta.le
    parts = f"{low}…{high}" if low is not None and high is not None else f"≤ {high}" if high is not None else f"≥ {low}"
    if meta.pattern is not None:
        return f" matching `{meta.pattern}`"
    return f"({parts})"


def fields(kind: type[msgspec.Struct]) -> Iterator[str]:
    """The rows of a struct's table."""
    hints, notes = get_type_hints(kind, include_extras=True), sentences(kind)
    config = kind.__struct_config__
    if config.tag is not None:
        yield f'| `{config.tag_field}` | "{config.tag}" | | |'
    for field in msgspec.structs.fields(kind):
        if isinstance(field.default, msgspec.Raw):
            absent = "`{}`"
        elif field.default is msgspec.UNSET:
            absent = "nothing"
        elif field.default is not msgspec.NODEFAULT:
            absent = f"`{json.dumps(msgspec.to_builtins(field.default))}`"
        elif field.default_factory is not msgspec.NODEFAULT:
            absent = f"`{json.dumps(msgspec.to_builtins(field.default_factory()))}`"
        else:
            absent = ""
        shown = _BIG if field.name == "epoch" else notation(hints[field.name])
        yield f"| `{field.encode_name}` | {shown} | {absent} | {notes.get(field.name, '')} |"


def sentences(kind: type) -> dict[str, str]:
    """The strings that stand below fields in the source."""
    body = ast.parse(inspect.cleandoc("\n" + inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for one, following in zip(body.body, body.body[1:], strict=False):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and isinstance(following, ast.Expr):
            value = following.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found[one.target.id] = " ".join(value.value.split())
    return found


def struct(kind: type[msgspec.Struct], title: str) -> str:
    """A struct's heading, sentence and table."""
    text = f"#### {title}\n\n{' '.join((kind.__doc__ or '').split())}\n"
    rows = list(fields(kind))
    if rows:
        text += "\n| field | type | if absent | |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    return text


def framed(kind: type[msgspec.Struct]) -> str:
    """A frame with its example in both codecs."""
    name = f"frame/{kind.__struct_config__.tag}/"
    vectors = [vector for vector in load() if vector.name.startswith(name)]
    shown = min(vectors, key=lambda vector: len(vector.msgpack) if vector.name.endswith(("full", "least")) else 1 << 20)
    plain = json.dumps(json.loads(bytes(shown.value)), ensure_ascii=False, separators=(",", ":"))
    return (
        struct(kind, f"frame `{kind.__struct_config__.tag}`")
        + f"\n```json\n{plain}\n```\n```hex\n{_hex(shown.msgpack)}\n```\n"
    )


def _hex(digits: str) -> str:
    return "\n".join(digits[at : at + 128] for at in range(0, len(digits), 128))


def operations() -> str:
    """One row each."""
    rows = ["| operation | HTTP | effect | what it does |", "|---|---|---|---|"]
    for name, operation in CATALOGUE.items():
        http = f"`{operation.http[0]} {operation.http[1]}`" if operation.http else ""
        doors = http if operation.socket else f"{http} only: {operation.one_door}"
        if not operation.http:
            doors = f"socket only: {operation.one_door}"
        who = " No token needed." if operation.anonymous else ""
        rules = ", ".join(operation.rules)
        rows.append(
            f"| [`{name}`](#{anchor(name)}) | {doors} | {operation.effect} | {operation.summary}{who} ({rules}) |"
        )
    return "\n".join(rows) + "\n"


def anchor(name: str) -> str:
    """GitHub's anchor of an operation's heading."""
    return "operation-" + name.replace(".", "")


def requests() -> str:
    """Each operation's request and reply."""
    parts = []
    for name, operation in CATALOGUE.items():
        request = "none" if operation.request is Request else operation.request.__name__
        rows = list(fields(operation.request))
        if operation.binary == "request":
            request = "the bytes"
        reply = {Empty: "an empty map", bytes: "the bytes"}.get(operation.reply) or notation(operation.reply)
        about = "" if operation.request is Request else " " + " ".join((operation.request.__doc__ or "").split())
        text = f"#### operation `{name}`\n\nRequest: {request}.{about} Reply: {reply}.\n"
        if rows:
            text += "\n| field | type | if absent | |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
        parts.append(text)
    return "\n".join(parts)


def reply_types() -> list[type[msgspec.Struct]]:
    """Every struct that is reached from a reply or a request and is no model of its own section."""
    found: dict[str, type[msgspec.Struct]] = {}

    def walk(kind: Any) -> None:
        for arg in get_args(kind):
            walk(arg)
        if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)) or kind.__name__ in found or kind is Empty:
            return
        if kind.__module__.startswith("fairwire_protocol.operations") and not issubclass(kind, Request):
            found[kind.__name__] = kind
        for hint in get_type_hints(kind).values():
            walk(hint)

    for operation in CATALOGUE.values():
        walk(operation.request)
        walk(operation.reply)
    return list(found.values())


def model_types() -> list[type[msgspec.Struct]]:
    """The shared shapes, in their order."""
    shapes = [value for value in vars(models).values() if isinstance(value, type) and issubclass(value, models.Model)]
    return [*(shape for shape in shapes if shape is not models.Model), frames.Device, frames.Resume, frames.BeatPlan]


def errors() -> str:
    """The codes."""
    rows = [
        f"| `{code}` | {it.status} | {'final' if it.final else 'temporary'} | {it.meaning} |"
        for code, it in CODES.items()
    ]
    return "\n".join(["| code | HTTP | | meaning |", "|---|---|---|---|", *rows]) + "\n"


def closes() -> str:
    """The close codes."""
    rows = [f"| {int(close)} | {close.name.lower().replace('_', ' ')} | {CLOSES[close]} |" for close in Close]
    return "\n".join(["| code | name | why |", "|---|---|---|", *rows]) + "\n"


TABLES: Final[dict[str, Callable[[], str]]] = {
    "client frames": lambda: "\n".join(framed(kind) for kind in get_args(frames.ClientFrame)),
    "server frames": lambda: "\n".join(framed(kind) for kind in get_args(frames.ServerFrame)),
    "events": lambda: "\n".join(struct(kind, f"event `{kind.__struct_config__.tag}`") for kind in EVENT_TYPES),
    "models": lambda: "\n".join(struct(kind, kind.__name__) for kind in model_types()),
    "operations": operations,
    "requests": requests,
    "replies": lambda: "\n".join(struct(kind, kind.__name__) for kind in reply_types()),
    "errors": errors,
    "close codes": closes,
}


def filled(text: str) -> str:
    """The document with every table as the code says."""

    def table(match: re.Match[str]) -> str:
        return f"<!-- table: {match[1]} -->\n\n{TABLES[match[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- table: ([a-z ]+) -->\n.*?<!-- end -->", table, text, flags=re.DOTALL)


def main() -> int:
    """Write, or check."""
    text = TARGET.read_text(encoding="utf-8")
    fresh = filled(text)
    if "--check" in sys.argv[1:]:
        if text != fresh:
            sys.stderr.write("a table of protocol/README.md is stale; run python protocol/wire_tables.py\n")
            return 1
        return 0
    TARGET.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
