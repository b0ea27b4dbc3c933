"""The catalogue of operations: what clients can do, declared once for server, SDK, documents and tests.

The server binds a handler and a permission to each; one it does not bind, or binds twice, keeps it from starting.
"""

from __future__ import annotations

from typing import Any, Final

from fairwire_protocol.operations import bookings, chat, contacts, identity, notices, organiser, rooms, slots
from fairwire_protocol.operations.base import Effect, Empty, Operation, RateClass, Request

__all__ = [
    "CATALOGUE",
    "Effect",
    "Empty",
    "Operation",
    "RateClass",
    "Request",
    "bookings",
    "chat",
    "contacts",
    "identity",
    "notices",
    "organiser",
    "rooms",
    "slots",
]


def _collect() -> dict[str, Operation[Any, Any]]:
    found: dict[str, Operation[Any, Any]] = {}
    for module in (identity, organiser, chat, contacts, bookings, slots, rooms, notices):
        for value in vars(module).values():
            if isinstance(value, Operation):
                if value.name in found:
                    raise ValueError(f"two operations are called {value.name}")
                found[value.name] = value
    return found


CATALOGUE: Final = _collect()
