"""What surrounds one call: its command id, where it came from, and the socket it came on, if any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

__all__ = ["Context"]


def _nothing() -> None:
    """The door does not care."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`cid` names the command (W7); `correlation` ties log lines together; `address` is the client's, proxies considered."""

    cid: UUID | None
    correlation: str
    address: str
    socket: int | None = None
    """The hub's number of the socket the call came on."""
    duplicate: Callable[[], None] = _nothing
    """Called by a service that answers with an earlier result of the same cid."""
