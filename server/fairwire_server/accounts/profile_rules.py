"""When a buyer's profile is complete (A3).

The fair names the fields it asks for, in `fair.settings.profile_fields`. Two of them are columns of their own, because others
see them before the rest (K2): `country` and `interests`. Every other name is a key of `buyer.profile`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

__all__ = ["DEFAULT_PROFILE_FIELDS", "changed_profile", "missing_fields"]

DEFAULT_PROFILE_FIELDS: Final[tuple[str, ...]] = ("full_name", "company", "country", "interests")
"""What a fair asks for whose settings say nothing."""


def missing_fields(
    profile_fields: Iterable[str], country: str | None, interests: Collection[str], profile: Mapping[str, str]
) -> tuple[str, ...]:
    """The fields still to fill, in the fair's order; complete means none. White space fills nothing."""
    return tuple(name for name in profile_fields if not _filled(name, country, interests, profile))


def changed_profile(before: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """The profile with the changes on top: a field set to nothing, or to white space, is emptied; one left out stays."""
    after = {**before, **{name: text.strip() for name, text in changes.items()}}
    return {name: text for name, text in after.items() if text}


def _filled(name: str, country: str | None, interests: Collection[str], profile: Mapping[str, str]) -> bool:
    match name:
        case "country":
            return bool(country)
        case "interests":
            return any(interest.strip() for interest in interests)
        case _:
            return bool(profile.get(name, "").strip())
