"""What a fair decides for itself: the shape of `fair.settings` (A1). A setting left out follows the installation."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from fairwire_server.accounts.profile_rules import DEFAULT_PROFILE_FIELDS

__all__ = ["FairSettings", "fair_settings"]


class FairSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fair's settings; unknown ones are ignored, so that an older server reads a newer fair."""

    profile_fields: tuple[str, ...] = DEFAULT_PROFILE_FIELDS
    """A3: what makes a buyer's profile complete."""
    registration: bool = True
    """A3: whether buyers may register themselves now."""
    sub_account_limit: int | None = None
    """A2: for exhibitors without a limit of their own; None: the installation's."""
    waiting_minutes: int | None = None
    """C11: None: the installation's."""
    receivers_only: bool = False
    """M2: whether only accounts that may receive meetings count towards a slot's capacity."""
    routing: tuple[str, ...] | None = None
    """C6: order of the reorderable steps; None: the default."""


@lru_cache(maxsize=64)
def fair_settings(stored: bytes) -> FairSettings:
    """The settings in `fair.settings` as the database gives them."""
    return msgspec.json.decode(stored, type=FairSettings)
