"""A team's decisions: which state an account goes to, when its work must be handed over, and to whom (A2, A6, A9)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import AccountKind, AccountState
from fairwire_server.accounts.rules import Table, may_receive

__all__ = [
    "KEPT_WITHOUT_CHATS",
    "LISTED_MAX",
    "TRANSITIONS",
    "Step",
    "leaves_behind",
    "open_work",
    "stepped",
    "sub_account_limit",
]

Step = Literal["disable", "enable", "suspend", "reinstate", "remove"]
TRANSITIONS: Final[Mapping[tuple[AccountState, Step], AccountState]] = {
    ("active", "disable"): "disabled",
    ("active", "enable"): "active",
    ("active", "suspend"): "suspended",
    ("active", "reinstate"): "active",
    ("active", "remove"): "removed",
    ("disabled", "disable"): "disabled",
    ("disabled", "enable"): "active",
    ("disabled", "suspend"): "suspended",
    ("disabled", "reinstate"): "disabled",
    ("disabled", "remove"): "removed",
    ("suspended", "suspend"): "suspended",
    ("suspended", "reinstate"): "active",  # or what it was suspended from
    ("suspended", "remove"): "removed",
}
"""A main account cannot undo what the organiser did: (suspended, enable) and (suspended, disable) are not here."""

KEPT_WITHOUT_CHATS: Final = frozenset({"exhibit"})
"""Work that an account may hold although no chats come to it: disabled for a while, or of type exhibit."""
LISTED_MAX: Final = 50


def stepped(state: AccountState, step: Step) -> AccountState:
    """The state after `step`; refuses one that is not in order."""
    if state == "removed":
        raise Refused("not_found")
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise Refused("conflict", "The organiser has suspended this account.") from None


def leaves_behind(
    before: tuple[AccountKind, AccountState], after: tuple[AccountKind, AccountState], table: Table
) -> Collection[str] | None:
    """Which kinds of work may stay with an account that changes so; None: all of it may."""
    if after[1] == "removed":
        return ()
    newly_disabled = after[1] == "disabled" and before[1] != "disabled"
    if newly_disabled or (may_receive(*before, table) and not may_receive(*after, table)):
        return KEPT_WITHOUT_CHATS
    return None


def sub_account_limit(own: int | None, fair: int | None, installation: int) -> int:
    """How many sub-accounts an exhibitor may have: its own limit, else its fair's, else the installation's (A2)."""
    return next(limit for limit in (own, fair, installation) if limit is not None)


def open_work(held: Sequence[tuple[str, UUID]]) -> dict[str, object]:
    """What an account still holds, for a refusal: per kind how many, and the first ids."""
    kinds: dict[str, list[str]] = {}
    for kind, item in held:
        kinds.setdefault(kind, []).append(str(item))
    return {kind: {"count": len(ids), "ids": ids[:LISTED_MAX]} for kind, ids in kinds.items()}
