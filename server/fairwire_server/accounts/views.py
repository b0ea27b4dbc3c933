"""An account as itself and as its colleagues see it, from one row, so that replies, snapshot and events agree (W5)."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from fairwire_protocol.models import Account, AccountKind
from fairwire_server.accounts.callers import capabilities_of
from fairwire_server.accounts.fair_settings import fair_settings
from fairwire_server.accounts.profile_rules import missing_fields
from fairwire_server.accounts.store import AccountRow

__all__ = ["colleague", "missing_of", "own_account", "profile_of"]


def own_account(row: AccountRow) -> Account:
    """Everything an account may know of itself: also the snapshot's and the welcome's `account`."""
    profile = profile_of(row)
    return msgspec.structs.replace(
        colleague(row, contact_data=True),
        role=row.role,
        complete=row.complete,
        missing=_missing(row, profile),
        country=row.country,
        interests=tuple(row.interests or ()),
        profile=profile,
        capabilities=_granted(row.capabilities, row.kind),
    )


@lru_cache(maxsize=256)
def _granted(differences: bytes, kind: AccountKind) -> dict[str, str]:
    """What the fair's table gives accounts of a kind. Nobody changes it: it goes into frames."""
    table = capabilities_of(differences).get(kind, {})
    return {capability: scope for capability, scope in table.items() if scope != "no"}


def colleague(row: AccountRow, *, contact_data: bool) -> Account:
    """An account in its team's list; login, number and email only for those who manage it."""
    account = Account(
        id=row.id,
        kind=row.kind,
        name=row.name,
        state=row.state,
        exhibitor=row.exhibitor_id,
        department=row.department_id,
        language=row.language,
        time_zone=row.time_zone,
    )
    if not contact_data:
        return account
    return msgspec.structs.replace(
        account,
        login=row.login,
        mobile=row.mobile,
        mobile_verified=row.mobile_verified,
        email=row.email,
        email_verified=row.email_verified,
    )


def profile_of(row: AccountRow) -> dict[str, str]:
    """A buyer's profile as it is stored."""
    return msgspec.json.decode(row.profile, type=dict[str, str]) if row.profile else {}


def missing_of(row: AccountRow) -> tuple[str, ...]:
    """What a buyer's profile still lacks (A3). A known company and verified addresses need not be typed in again."""
    return _missing(row, profile_of(row))


def _missing(row: AccountRow, profile: dict[str, str]) -> tuple[str, ...]:
    if row.kind != "buyer":
        return ()
    known = {
        "company": row.company,
        "email": row.email if row.email_verified else None,
        "mobile": row.mobile if row.mobile_verified else None,
    }
    filled = {name: text for name, text in known.items() if text} | profile
    return missing_fields(fair_settings(row.settings).profile_fields, row.country, row.interests or (), filled)
