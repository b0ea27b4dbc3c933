"""Which address an account is written to, and whether this installation can write there (A8)."""

from __future__ import annotations

from fairwire_protocol.errors import Refused
from fairwire_server.accounts.letters import AddressKind, kind_of
from fairwire_server.accounts.phones import normalise_email, normalise_phone
from fairwire_server.accounts.ports import Reaches
from fairwire_server.accounts.store import AccountRow

__all__ = ["activation_address", "address_at", "demand_reach", "normalise_address", "verified_at"]

HOME_REGION = "CN"
"""Where a number without its country code is taken to be from, for whom that is likely."""


def normalise_address(text: str, *, domestic: bool) -> str:
    """An email address or a number in its one spelling; a domestic one needs no country code."""
    if "@" in text:
        return normalise_email(text, field="address")
    return normalise_phone(text, HOME_REGION if domestic else None, field="address")


def demand_reach(reaches: Reaches, address: str) -> None:
    """Refuse an address that nothing can be sent to from here, whoever has it."""
    if not reaches(kind_of(address)):
        raise Refused(
            "invalid", "This installation cannot send text messages yet; use an email address.", field="address"
        )


def address_at(row: AccountRow, kind: AddressKind) -> str | None:
    """The account's address of that kind, verified or not."""
    return row.email if kind == "email" else row.mobile


def verified_at(row: AccountRow, kind: AddressKind) -> str | None:
    """The account's address of that kind, if it is verified."""
    verified = row.email_verified if kind == "email" else row.mobile_verified
    return address_at(row, kind) if verified else None


def activation_address(row: AccountRow, reaches: Reaches) -> str | None:
    """Where an imported account's first code goes: the channel of its exhibitor's domicile (A8), else the other one."""
    order: tuple[AddressKind, AddressKind] = ("mobile", "email") if row.domicile == "domestic" else ("email", "mobile")
    for kind in order:
        address = address_at(row, kind)
        if address is not None and reaches(kind):
            return address
    return None
