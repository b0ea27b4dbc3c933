"""Who may do what: the capability table of A7 and the caller it is asked for.

The table is data of the fair; `DEFAULT` is what a fair starts with, and `fair.capabilities` holds the differences. A scope is
one of no, yes, own, team, all. *own* is what the account holds or held, *all* the whole exhibitor; *team* (departments) reads
as *all* until departments have members.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args
from uuid import UUID

from fairwire_protocol.models import AccountKind

__all__ = [
    "CAPABILITIES", "DEFAULT", "TEAM_KINDS", "Caller", "Capability", "Scope", "Table", "booking_scopes",
    "effective_table",
    "kinds_with_history", "may_receive", "reading_kinds",
]  # fmt: skip

Scope = Literal["no", "yes", "own", "team", "all"]
Capability = Literal[
    "receive_chats", "transfer_others", "read_history", "mark_contacts", "customer_base", "edit_slots", "see_bookings",
    "assign_bookings", "reject_bookings", "receive_meetings", "see_all_orders", "answer_orders", "recommend",
    "manage_sub_accounts", "export",
]  # fmt: skip
CAPABILITIES: Final[tuple[str, ...]] = get_args(Capability)
TEAM_KINDS: Final[frozenset[AccountKind]] = frozenset({"main", "manager", "business", "exhibit"})
Table = Mapping[str, Mapping[str, Scope]]


def _columns(main: Scope, manager: Scope, business: Scope, exhibit: Scope) -> dict[str, Scope]:
    return {"main": main, "manager": manager, "business": business, "exhibit": exhibit}


_ROWS: Final[Mapping[str, Mapping[str, Scope]]] = {
    "receive_chats": _columns("yes", "yes", "yes", "no"),
    "transfer_others": _columns("yes", "yes", "no", "no"),
    "read_history": _columns("all", "all", "own", "no"),
    "mark_contacts": _columns("all", "all", "own", "no"),
    "customer_base": _columns("all", "all", "own", "no"),
    "edit_slots": _columns("yes", "yes", "no", "no"),
    "see_bookings": _columns("all", "all", "own", "no"),
    "assign_bookings": _columns("yes", "yes", "no", "no"),
    "reject_bookings": _columns("yes", "yes", "no", "no"),
    "receive_meetings": _columns("yes", "yes", "yes", "no"),
    "see_all_orders": _columns("yes", "yes", "no", "no"),
    "answer_orders": _columns("yes", "yes", "own", "no"),
    "recommend": _columns("yes", "yes", "no", "yes"),
    "manage_sub_accounts": _columns("yes", "no", "no", "no"),
    "export": _columns("yes", "team", "own", "no"),
}
DEFAULT: Final[Table] = {
    kind: {capability: row[kind] for capability, row in _ROWS.items()}
    for kind in ("main", "manager", "business", "exhibit")
}
SEED_FORBIDS: Final = (("business", "assign_bookings"),)
"""Cells a source document fixes (domain: seed rules may not be weakened)."""


def effective_table(differences: Mapping[str, Mapping[str, Scope]]) -> dict[str, dict[str, Scope]]:
    """The default table with the fair's differences on top; unknown kinds and capabilities are ignored."""
    table = {kind: dict(row) for kind, row in DEFAULT.items()}
    for kind, row in differences.items():
        for capability, scope in row.items():
            if kind in table and capability in table[kind] and (kind, capability) not in SEED_FORBIDS:
                table[kind][capability] = scope
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is asking: an account of a fair on one session, with the fair's capabilities for its kind."""

    account: UUID
    fair: UUID
    kind: AccountKind
    name: str
    session: UUID
    device: str
    exhibitor: UUID | None = None
    complete: bool = True
    """Buyers: whether the profile is complete (A3)."""
    silenced: bool = False
    table: Table
    """The fair's whole capability table, every kind of account."""

    @property
    def side(self) -> Literal["buyer", "team", "organiser"]:
        """Which side of a conversation the account is on."""
        if self.kind == "buyer":
            return "buyer"
        return "organiser" if self.kind == "organiser" else "team"

    def scope(self, capability: Capability) -> Scope:
        """How far `capability` reaches for this account."""
        return self.table.get(self.kind, {}).get(capability, "no")

    def may(self, capability: Capability) -> bool:
        """Whether the account has `capability` at all."""
        return self.scope(capability) != "no"

    def as_now(self, kind: AccountKind, name: str, *, complete: bool, silenced: bool) -> Caller:
        """The same caller after its account's row was read again."""
        return replace(self, kind=kind, name=name, complete=complete, silenced=silenced)

    def reads_all(self) -> bool:
        """Whether the account's stream carries every chat of its exhibitor (W3)."""
        return self.scope("read_history") in {"all", "team"}

    def sees_bookings(self) -> Literal["buyer", "all", "own", "no"]:
        """Which bookings are in its view: a buyer's own, the exhibitor's, those it holds, held or is invited to, or none (A7)."""
        if self.side != "team":
            return "buyer" if self.side == "buyer" else "no"
        return booking_scopes(self.table).get(self.kind, "no")


def booking_scopes(table: Table) -> dict[str, Literal["all", "own"]]:
    """How far each kind of exhibitor account sees bookings (A7); kinds that see none are left out."""
    scopes = {kind: row.get("see_bookings", "no") for kind, row in table.items()}
    return {kind: "own" if scope == "own" else "all" for kind, scope in scopes.items() if scope != "no"}


def reading_kinds(table: Table) -> list[str]:
    """Kinds of exhibitor account whose streams carry every chat of the exhibitor (W3)."""
    return [kind for kind, row in table.items() if row.get("read_history") in {"all", "team"}]


def kinds_with_history(table: Table) -> list[str]:
    """Kinds of exhibitor account that read any chats at all: to the others nothing of a chat goes, even of one they once held."""
    return [kind for kind, row in table.items() if row.get("read_history", "no") != "no"]


def may_receive(kind: AccountKind, state: str, table: Table) -> bool:
    """Whether chats may come to such an account (A7, C7)."""
    return state == "active" and table.get(kind, {}).get("receive_chats", "no") != "no"
