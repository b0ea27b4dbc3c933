"""Decisions about contacts, marks and the customer base: pure (A7, C9, K1–K4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import Entry
from fairwire_server.accounts.rules import Caller

__all__ = ["Sight", "check_pin", "check_star", "check_visible", "in_order", "recent_order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One account's relation to one conversation."""

    conversation: UUID
    fair: UUID
    exhibitor: UUID
    buyer: UUID
    holder: UUID
    last_seq: int
    participates: bool
    readable_to: int | None
    last_pos: int | None
    pinned_at: datetime | None
    starred_at: datetime | None
    in_base: bool
    blocked: bool = False
    """By either side (C18)."""


def check_visible(caller: Caller, sight: Sight | None) -> Sight:
    """The conversation, if the caller may see it at all; else `not_found`, whatever it is that exists (C9, A1)."""
    if sight is None or sight.fair != caller.fair:
        raise Refused("not_found")
    if caller.side == "buyer" and sight.buyer == caller.account:
        return sight
    if caller.side == "team" and sight.exhibitor == caller.exhibitor:
        scope = caller.scope("read_history")
        if scope in {"all", "team"} or (scope == "own" and sight.participates):
            return sight
    raise Refused("not_found")


def check_star(sight: Sight, starred: bool) -> None:
    """K3: only a buyer who is in the customer base."""
    if starred and not sight.in_base:
        raise Refused("not_in_base")


def check_pin(pins: int, limit: int) -> None:
    """K4: at most `limit` pins per account."""
    if pins >= limit:
        raise Refused("pin_limit", f"At most {limit} contacts can be pinned.", detail={"limit": limit})


def recent_order(entry: Entry) -> tuple[bool, int]:
    """Pinned first, each part by newest message (K1, K4, W8): the sort key, rising."""
    return (entry.pinned_at is None, -entry.at)


def in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Entries as the recent list shows them."""
    return tuple(sorted(entries, key=recent_order))
