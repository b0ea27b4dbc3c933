"""The bus as the node sees it: what it may rely on, whether other nodes are reached through Redis or there are none.

Two things come in by it. *News* is what helper processes have committed, by PostgreSQL NOTIFY. *Messages* are what other nodes
say, as bytes that only the hub understands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import msgspec

__all__ = ["AnotherNodeError", "Bus", "Ears", "News"]


class AnotherNodeError(Exception):
    """A server runs on this database that this one cannot stand beside: one of the two has no Redis."""


class News(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Heard through PostgreSQL: new epochs, and accounts or fairs that should be compared with the database."""

    reset: tuple[UUID, ...] | str = ()
    look: tuple[UUID, ...] | str = ()
    by: UUID | None = None
    """The node that says it; it does not listen to itself."""


@dataclass(frozen=True, slots=True)
class Ears:
    """Who is told what. None of these may raise or wait."""

    news: Callable[[News], None]
    missed: Callable[[], None]
    """News or messages may have been lost: everything here should be compared with the database."""
    message: Callable[[bytes], None]
    """Another node's message; of one node and one key in the order in which they were told."""
    connected: Callable[[], None]
    """Other nodes are reached, for the first time or again."""


class Bus(Protocol):
    """What a node hears and tells.

    Guarantees, over every implementation: `tell` never blocks, never raises, and may be called before `run` and after it. A
    message never comes back to the node that told it. Messages of one node with the same key arrive in order, or not at all;
    a key whose message may be lost is looked up in the database by those who did not get it, unless it was `droppable`.
    """

    connected: bool
    """Whether other nodes are reached now, if there can be any. While they are not, positions are polled (W4)."""

    async def run(self, claimed: asyncio.Future[None]) -> None:
        """Listen until cancelled. `claimed` is done once this node may serve, or failed with `AnotherNodeError`."""

    def tell(self, key: UUID, message: bytes, *, droppable: bool = False) -> None:
        """Say something about an account, a fair or this node to every other node."""

    async def take(self, bucket: str, interval: float, burst: int) -> float | None:
        """Take one call from a bucket that all nodes share: seconds to wait, 0 to go ahead; None when nobody knows."""
