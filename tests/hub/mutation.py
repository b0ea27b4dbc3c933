"""Frames gone wrong: valid frames of every operation, changed as plain data or as bytes, from a seed.

Changes of the data keep the frame readable, so that they reach the operation behind it; changes of the bytes seldom do.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import msgpack

__all__ = ["FEW", "WRONG", "mutated_bytes", "mutated_frame", "packed"]

WRONG: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, 2**53, 2**63, 2**64 - 1, -(2**63), 1.5, 1e308, "", "x", "\0", "\ud7ff\uffff", "字" * 300, "x" * 5000,
    "-1", "1e9", "nan", "../../etc/passwd", "' OR 1=1 --", "%00", "00000000-0000-0000-0000-000000000000",
    str(UUID(int=2**128 - 1)), "019f0000000070008000636964 5f5f5f", [], [None], [[]] * 20, ["x"] * 200, {}, {"": ""}, {"a": {"b": [1]}},
)  # fmt: skip
"""Values of every type, and edges of the right one."""
FEW: tuple[Any, ...] = (None, True, -1, 2**63, 1.5, "", "x", "\0", "x" * 5000, [], ["x"] * 200, {}, {"a": {"b": [1]}})
"""Every type, once or twice."""


def packed(frame: Any, codec: str) -> bytes:
    """The frame in a codec, as bytes."""
    return json.dumps(frame).encode() if codec == "json" else bytes(msgpack.packb(frame))


def mutated_frame(chance: random.Random, frame: dict[str, Any]) -> Any:
    """The frame with one to three things in it replaced, removed, renamed, doubled or wrapped."""
    changed = copy.deepcopy(frame)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(changed))
        if not places:
            break
        holder, key = chance.choice(places)
        match chance.randrange(6):
            case 0 | 1 | 2:
                holder[key] = copy.deepcopy(chance.choice(WRONG))
            case 3:
                del holder[key]
            case 4:
                holder[key] = [holder[key]] if chance.random() < 0.5 else {"a": holder[key]}
            case _:
                if isinstance(holder, dict):
                    holder[chance.choice(["t", "cid", "op", "args", "x" * 100, "\0"])] = holder[key]
                else:
                    holder.append(holder[key])
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in it."""
    if isinstance(value, dict):
        for key in list(value):
            yield value, key
            yield from _places(value[key])
    elif isinstance(value, list):
        for index in range(len(value)):
            yield value, index
            yield from _places(value[index])


def mutated_bytes(chance: random.Random, data: bytes) -> bytes:
    """The bytes with a few of them flipped, cut, doubled, moved or made up."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        CHANGES[chance.randrange(len(CHANGES))](chance, changed)
    return bytes(changed[:65_536])


def _flip(chance: random.Random, data: bytearray) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _any_byte(chance: random.Random, data: bytearray) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.randrange(256)


def _cut(chance: random.Random, data: bytearray) -> None:
    del data[chance.randint(0, len(data)) :]


def _drop(chance: random.Random, data: bytearray) -> None:
    at = chance.randint(0, len(data))
    del data[at : at + chance.randint(1, 8)]


def _insert(chance: random.Random, data: bytearray) -> None:
    at = chance.randint(0, len(data))
    data[at:at] = chance.randbytes(chance.randint(1, 8))


def _nest(chance: random.Random, data: bytearray) -> None:
    opener = chance.choice(
        [
            b"\x81\xa1a",
            b"\x91",
            b"[",
            b'{"a":',
            b"\xdf\xff\xff\xff\xff",
            b"\xdd\x00\x0f\xff\xff",
            b"\xc6\xff\xff\xff\xff",
        ]
    )
    at = chance.randint(0, len(data))
    data[at:at] = opener * chance.choice([1, 15, 17, 500])


def _double(chance: random.Random, data: bytearray) -> None:
    at = chance.randint(0, len(data))
    data[at:at] = data[: chance.randint(0, len(data))]


CHANGES: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _flip,
    _any_byte,
    _cut,
    _drop,
    _insert,
    _nest,
    _double,
)
