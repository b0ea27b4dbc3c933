"""Golden vectors: one example or more of everything that crosses the wire, as plain data and as bytes (W1).

`golden.json` is for every language: each vector has a `name`, its `value` as plain JSON, and the same value in MessagePack as
hex digits. A client passes when decoding the hex gives the value, and a JSON frame holding the value means the same to it.
"""

from __future__ import annotations

from importlib.resources import files

import msgspec

__all__ = ["Vector", "load"]


class Vector(msgspec.Struct, frozen=True):
    """`name` is `frame/…`, `event/…`, `request/…` or `reply/…`, then what it is, then which example of it."""

    name: str
    value: msgspec.Raw
    msgpack: str

    @property
    def bytes(self) -> bytes:
        """The value in MessagePack."""
        return bytes.fromhex(self.msgpack)


class _File(msgspec.Struct, frozen=True):
    protocol: int
    vectors: tuple[Vector, ...]


def load() -> tuple[Vector, ...]:
    """Every vector, in the order of the file."""
    text = files("fairwire_protocol.vectors").joinpath("golden.json").read_bytes()
    return msgspec.json.decode(text, type=_File).vectors
