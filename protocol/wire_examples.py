"""Example values of the wire's types, the same on every run: food for the golden vectors and the specification.

`full(type)` fills every field, `least(type)` only those without a default. A field's example follows its name and type, so that a
new field gets one without being mentioned here.
"""

from __future__ import annotations

import types
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from fairwire_protocol import events, frames, models
from fairwire_protocol.codec import MSGPACK, Codec
from fairwire_protocol.operations import CATALOGUE

__all__ = ["EVENT_TYPES", "FRAME_TYPES", "examples", "full", "least"]

FRAME_TYPES: Final = (*get_args(frames.ClientFrame), *get_args(frames.ServerFrame))
EVENT_TYPES: Final = (*get_args(events.AccountEvent), events.FairEvent)
WORDS: Final = {
    "text": "你好，请问展位在哪里？", "name": "Li Lei", "name_zh": "珠江家电", "name_en": "Pearl River Appliances", "title": "开幕",
    "language": "zh", "time_zone": "Asia/Shanghai", "mobile": "+8613800000000", "email": "li@example.com", "login": "li.lei",
    "address": "li@example.com", "country": "BR", "code": "482913", "fair": "demo", "query": "展位", "word": "假货", "reason": "spam",
    "note": "会说西班牙语", "token": "eyJhY2NvdW50Ijo0Mn0.c2ln", "device_name": "Laptop", "build": "0.1.0", "op": "chat.send",
    "message": "The frame or body is not valid MessagePack or JSON, or breaks a bound.", "next": "c2Vx", "after": "c2Vx",
    "kind": "text", "avatar": "https://example.com/a.png", "image": "https://example.com/i.png", "password": "correct horse battery",
    "new": "another horse battery", "current": "correct horse battery", "quiet_from": "22:00", "quiet_to": "07:30",
}  # fmt: skip
NUMBERS: Final = {
    "pos": 70_000, "fair_pos": 12, "at": 70_000, "seq": 41, "last_seq": 41, "read": 39, "received": 41, "readable_to": 41,
    "epoch": 5_012_345_678_901, "start": 69_990, "end": 69_999, "ts": 1_792_000_000_000, "retry_after_ms": 1500, "protocol": 1,
    "interval_ms": 25_000, "answer_ms": 8000, "for_ms": 6000, "part": 0, "limit": 30, "width": 1280, "height": 960, "bytes": 245_760,
    "frame_bytes": 65_536, "depth": 16, "text_chars": 4000,
}  # fmt: skip
DATE: Final = 1_792_000_000_000


def uuid(field: str) -> UUID:
    """A UUIDv7 that is always the same for a field of this name."""
    return UUID(
        int=0x019F_0000_0000_7000_8000_0000_0000_0000 | int.from_bytes(field.encode()[:6].ljust(6, b"_"), "big")
    )


def full(kind: Any, field: str = "", codec: Codec = MSGPACK) -> Any:
    """An example with every field filled."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return full(args[0], field, codec)
    if origin is Literal:
        return args[0]
    if origin in {Union, types.UnionType}:
        return full(next(arg for arg in args if arg not in {type(None), msgspec.UnsetType}), field, codec)
    if origin is tuple:
        return (
            (full(args[0], field, codec),) if args[-1] is Ellipsis else tuple(full(arg, field, codec) for arg in args)
        )
    if origin is dict:
        return {full(args[0], "company", codec): full(args[1], "name", codec)}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind, codec, every=True)
    return _scalar(kind, field, codec)


def least(kind: Any, codec: Codec = MSGPACK) -> Any:
    """An example of a struct with nothing but what has no default."""
    return _struct(kind, codec, every=False)


def _struct(kind: type[msgspec.Struct], codec: Codec, *, every: bool) -> Any:
    hints = get_type_hints(kind, include_extras=True)
    values = {}
    for field in msgspec.structs.fields(kind):
        optional = field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT
        if every or not optional:
            values[field.name] = _raw(kind, field.name, codec) or full(hints[field.name], field.name, codec)
    if kind is models.Message and every:
        values |= {"kind": "text", "recalled": False, "image": None, "card": None, "transfer": None, "booking": None}
    return kind(**values)


def _raw(kind: type, field: str, codec: Codec) -> msgspec.Raw | None:
    if (kind, field) == (frames.Call, "args"):
        value: object = full(CATALOGUE["chat.send"].request, codec=codec)
    elif (kind, field) == (frames.Reply, "result"):
        value = full(CATALOGUE["chat.send"].reply, codec=codec)
    elif (kind, field) == (frames.Event, "body"):
        value = full(events.MessagePosted, codec=codec)
    elif (kind, field) == (frames.Error, "detail"):
        value = {"conversations": [str(uuid("conversation"))]}
    else:
        return None
    return msgspec.Raw(codec.encode(value))


def _scalar(kind: Any, field: str, codec: Codec) -> Any:
    if kind is UUID:
        return uuid(field)
    if kind is bool:
        return True
    if kind is int:
        return NUMBERS.get(field, DATE if field.endswith(("_at", "_time", "since", "until")) else 7)
    if kind is bytes:
        return b"\x89PNG"
    if kind is str:
        return WORDS.get(field, field or "x")
    if kind is msgspec.Raw:
        return msgspec.Raw(codec.encode({}))
    raise TypeError(f"no example of {kind}")


def examples(codec: Codec = MSGPACK) -> dict[str, msgspec.Struct]:
    """Every example by its vector's name."""
    found: dict[str, msgspec.Struct] = {}
    kinds = [("frame", FRAME_TYPES), ("event", EVENT_TYPES)]
    for family, members in kinds:
        for member in members:
            name = f"{family}/{member.__struct_config__.tag}"
            found[f"{name}/full"] = full(member, codec=codec)
            found[f"{name}/least"] = least(member, codec=codec)
    for name, operation in CATALOGUE.items():
        found[f"request/{name}/full"] = full(operation.request, codec=codec)
        found[f"request/{name}/least"] = least(operation.request, codec=codec)
        if operation.binary != "reply":
            found[f"reply/{name}/full"] = full(operation.reply, codec=codec)
            found[f"reply/{name}/least"] = least(operation.reply, codec=codec)
    for name in [name for name in found if name.endswith("/least") and found[name] == found[name[:-5] + "full"]]:
        del found[name]
    return found | {f"event/message/{name}": value for name, value in _messages().items()} | _others()


def _messages() -> dict[str, events.MessagePosted]:
    """One message event of each kind and view (C2, C4, C8, C12)."""
    base: models.Message = full(models.Message)
    system = msgspec.structs.replace(base, text=None, cid=None)
    transfer: models.Transfer = full(models.Transfer)
    replace = msgspec.structs.replace
    kinds = {
        "image": replace(base, kind="image", text=None, image=full(models.Image)),
        "card": replace(system, kind="card", card=full(models.Card)),
        "transfer-team": replace(system, kind="transfer", side="team", transfer=transfer),
        "transfer-buyer": replace(
            system, kind="transfer", side="team", sender=None, transfer=models.Transfer(to=transfer.to)
        ),
        "recalled": replace(base, text=None, recalled=True),
    }
    return {name: events.MessagePosted(message=message) for name, message in kinds.items()}


def _others() -> dict[str, msgspec.Struct]:
    """What the types alone do not show: the other view of a contact, large positions, absent readers."""
    return {
        "event/contact/exhibitor": events.ContactChanged(contact=full(models.ExhibitorCard)),
        "event/marker/team-as-one": events.MarkerMoved(
            conversation=uuid("conversation"), marker=models.Marker(account=None, side="team", received=41, read=40)
        ),
        "frame/beat/largest": frames.Beat(pos=9_007_199_254_740_991, fair_pos=0),
        "frame/void/fair": frames.Void(stream="fair", start=1, end=1),
        "frame/resumed/epoch": frames.Resumed(
            resumed=False, reason="epoch", account=full(models.Position), fair=full(models.Position)
        ),
    }
