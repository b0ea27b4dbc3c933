"""Values that PostgreSQL has written as the wire's MessagePack: sent as they are, made objects only where somebody looks at them (W5).

What the database cannot word, because its look depends on the side or on what has become of it, is nil at the end of its value
there, and is filled in here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import Raw

__all__ = ["Packed"]

T = TypeVar("T")
NIL: Final = b"\xc0"
_ITEMS: Final = msgspec.msgpack.Decoder(list[Raw])


@dataclass(frozen=True, slots=True)
class Packed(Generic[T]):
    """`count` values of `type`, one behind the other in `data`."""

    type: type[T]
    count: int = 0
    data: bytes = b""

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[T]:
        return iter(msgspec.msgpack.decode(self._array(), type=list[self.type]))  # type: ignore[name-defined]  # a type made here

    def filled(self, values: Iterable[bytes]) -> Packed[T]:
        """With these, packed, in the places of what is nil."""
        rest = iter(values)
        items = (bytes(item) for item in _ITEMS.decode(self._array()))
        whole = (item[:-1] + next(rest) if item.endswith(NIL) else item for item in items)
        return Packed(self.type, self.count, b"".join(whole))

    def pieces(self, most: int) -> Iterator[list[bytes | Raw]]:
        """As arrays of at most `most` bytes each, or of one value that is larger, each to be joined."""
        if len(self.data) <= most:
            yield [_head(self.count), self.data]
        else:
            yield from _cut(_ITEMS.decode(self._array()), most)

    def _array(self) -> bytes:
        return _head(self.count) + self.data


def _cut(items: list[Raw], most: int) -> Iterator[list[bytes | Raw]]:
    size = sum(map(len, items))
    if size <= most or len(items) == 1:
        yield [_head(len(items)), *items]
        return
    each = -(-len(items) // (size // most + 1))
    for at in range(0, len(items), each):
        yield from _cut(items[at : at + each], most)


def _head(count: int) -> bytes:
    """How an array of so many begins."""
    return b"\xdd" + count.to_bytes(4, "big")
