"""Accounts of exhibitors, as far as it matters to whom of them a booking is told, and how (A7, N1, N10)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from uuid import UUID

import msgspec

from fairwire_protocol.models import AccountKind
from fairwire_server.accounts.callers import capabilities_of
from fairwire_server.accounts.rules import booking_scopes, reading_kinds
from fairwire_server.notices.rules import Addressee

__all__ = ["Member", "Teams", "teams_of"]


@dataclass(frozen=True, slots=True)
class Member:
    """An account of an exhibitor."""

    id: UUID
    kind: AccountKind
    active: bool
    sees: str | None
    """How far it sees bookings: all, own, or not at all (A7)."""
    reads_chats: bool
    """Whether its stream carries every chat of the exhibitor (W3)."""
    assigns: bool
    """Whether it assigns bookings, and so is told of requests (N10)."""
    addressee: Addressee


Teams = Mapping[UUID, Sequence[Member]]
"""By exhibitor."""


class _Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the function `teams` of the database says of an account."""

    id: UUID
    exhibitor: UUID
    kind: AccountKind
    state: str
    capabilities: msgspec.Raw
    domicile: Literal["domestic", "overseas"] | None
    email: bool
    mobile: bool
    domestic_number: bool
    added: dict[str, tuple[str, ...]] | None
    reminders_by_mail: bool


class _Kinds(NamedTuple):
    """What a fair's table says of kinds (A7)."""

    seeing: Mapping[str, str]
    reading: Collection[str]
    assigning: Collection[str]


_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw] | None)
_ROW: Final = msgspec.json.Decoder(_Row)


@lru_cache(maxsize=64)
def _kinds(capabilities: bytes) -> _Kinds:
    table = capabilities_of(capabilities)
    assigning = {kind for kind, row in table.items() if row.get("assign_bookings", "no") != "no"}
    return _Kinds(booking_scopes(table), frozenset(reading_kinds(table)), assigning)


@lru_cache(maxsize=4096)
def _member(stored: bytes) -> tuple[UUID, Member]:
    """An account and its exhibitor. It is read with every batch and hardly ever another one."""
    row = _ROW.decode(stored)
    kinds, active = _kinds(bytes(row.capabilities)), row.state == "active"
    addressee = Addressee(
        side="team",
        domicile=row.domicile,
        email=row.email,
        mobile=row.mobile,
        domestic_number=row.domestic_number,
        added=row.added or {},
        reminders_by_mail=row.reminders_by_mail,
    )
    sees = kinds.seeing.get(row.kind)
    reads, assigns = active and row.kind in kinds.reading, active and row.kind in kinds.assigning
    return row.exhibitor, Member(row.id, row.kind, active, sees, reads, assigns, addressee)


def teams_of(stored: str | bytes | None, exhibitors: Collection[UUID]) -> Teams:
    """The teams of these exhibitors, out of what the function `teams` has answered. One that is suspended or disabled may come
    back to its stream, so it is told like the others (W5)."""
    found: dict[UUID, list[Member]] = {exhibitor: [] for exhibitor in exhibitors}
    for row in _ROWS.decode(stored or "null") or ():
        exhibitor, member = _member(bytes(row))
        found[exhibitor].append(member)
    return found
