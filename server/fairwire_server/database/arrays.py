"""What asyncpg takes for an array, named by concrete types.

Of each array parameter, and of each of its elements, asyncpg asks whether it is an array, and asks abstract classes, which is a call
of Python each time; a batch of messages or bookings has dozens of arrays and thousands of elements. The same questions about concrete
types are answered in C. A version of asyncpg that keeps its classes elsewhere is left as it is.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from asyncpg.protocol import protocol

__all__ = ["ask_for_concrete_types"]

_ARRAYS: Final[tuple[type, ...]] = (list, tuple, set, frozenset, deque, range, type({}.keys()), type({}.values()))
"""What may be passed as an array; anything else is asyncpg's `DataError`."""


def ask_for_concrete_types() -> None:
    """For all connections of this process."""
    for name, types in (("IterableABC", _ARRAYS), ("SizedABC", _ARRAYS), ("MappingABC", (dict,))):
        if hasattr(protocol, name):
            setattr(protocol, name, types)
