"""What a changed booking sets off in other parts of this capability: functions that compose registers with `Telling`.

Both join the transaction after slots, accounts, bookings and conversations are locked and before streams are, which come last (W4).
So neither of them appends to a stream: they answer the events that are to be told, and `Telling` writes them with its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from uuid import UUID

from fairwire_server.database.work import Work
from fairwire_server.meetings.members import Teams
from fairwire_server.meetings.records import Change
from fairwire_server.streams.told import Draft

__all__ = ["Notify", "SeatFreed", "nobody_waits", "nothing_planned"]

Notify = Callable[[Work, Sequence[Change], Teams], Awaitable[Sequence[Draft]]]
"""Plan and withdraw what is sent because of these changes (N1–N4), to people of these exhibitors among others."""
SeatFreed = Callable[[Work, Collection[UUID]], Awaitable[Sequence[Draft]]]
"""Seats may have become free in these slots, whose rows the caller has locked: offer them to who is first in line (M13)."""


async def nothing_planned(_: Work, __: Sequence[Change], ___: Teams) -> Sequence[Draft]:
    """For a `Telling` that nobody has registered with."""
    return ()


async def nobody_waits(_: Work, __: Collection[UUID]) -> Sequence[Draft]:
    """For a `Telling` that nobody has registered with."""
    return ()
