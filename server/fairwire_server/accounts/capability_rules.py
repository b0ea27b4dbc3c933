"""What an organiser may make of the capability table (A7): which values a cell takes, and which cells are fixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import AccountKind
from fairwire_server.accounts.rules import CAPABILITIES, DEFAULT, SEED_FORBIDS, Scope, Table

__all__ = ["SCOPED", "changed_kinds", "differences", "values_of"]

SCOPED: Final = frozenset({"read_history", "mark_contacts", "customer_base", "see_bookings"})
"""Capabilities that reach as far as *own*, *team* or *all*; the others are a yes or a no."""
_MIXED: Final = frozenset({"answer_orders", "export"})
"""Yes means everything here, and narrower scopes exist (A7's table)."""
FIXED: Final[Mapping[tuple[str, str], Scope]] = {
    **dict.fromkeys(SEED_FORBIDS, "no"),
    ("main", "edit_slots"): "yes",  # seed
    ("main", "manage_sub_accounts"): "yes",  # A9: else nobody could give it back
    ("main", "receive_chats"): "yes",  # C6: routing ends at main
}
"""Cells that no fair may change."""


def values_of(capability: str) -> frozenset[Scope]:
    """What a cell of that capability may hold."""
    if capability in SCOPED:
        return frozenset({"no", "own", "team", "all"})
    if capability in _MIXED:
        return frozenset({"no", "own", "team", "yes"})
    return frozenset({"no", "yes"})


def differences(wanted: Mapping[AccountKind, Mapping[str, Scope]]) -> dict[str, dict[str, Scope]]:
    """What of `wanted` differs from the default; refuses cells that are not there, are fixed, or hold something else."""
    kept: dict[str, dict[str, Scope]] = {}
    for kind, row in wanted.items():
        if kind not in DEFAULT:
            raise Refused("invalid", f"There is no such type of exhibitor account: {kind}.", field="capabilities")
        for capability, scope in row.items():
            if capability not in CAPABILITIES:
                raise Refused("invalid", f"There is no such capability: {capability}.", field="capabilities")
            if scope not in values_of(capability):
                raise Refused("invalid", f"{capability} cannot be {scope}.", field="capabilities")
            if FIXED.get((kind, capability), scope) != scope:
                raise Refused(
                    "invalid", f"{capability} of {kind} accounts is fixed for every fair.", field="capabilities"
                )
            if scope != DEFAULT[kind][capability]:
                kept.setdefault(kind, {})[capability] = scope
    return kept


def changed_kinds(before: Table, after: Table) -> tuple[str, ...]:
    """Kinds of account for whom anything is different."""
    return tuple(kind for kind in after if after[kind] != before.get(kind))
