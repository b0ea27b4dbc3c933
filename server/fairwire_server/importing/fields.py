"""How one cell is read: text or JSON in, a checked value out, or a `RowFault` that says what is wrong.

Every text becomes NFC without control characters and without white space at its ends, so that nothing of it surprises the
database, a terminal or a search. An empty cell is "" (lists: (), flags: False, numbers: `EMPTIED`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import phonenumbers

from fairwire_protocol.errors import Refused
from fairwire_server.accounts.naming_rules import new_login
from fairwire_server.accounts.phones import normalise_email, normalise_phone
from fairwire_server.importing.rows import RowFault

__all__ = [
    "EMPTIED", "account_kind", "buyer_role", "country", "domicile", "email", "exhibit_state", "flag", "instant", "integer",
    "items", "language", "login", "mobile", "phone_text", "profile", "profile_value", "text", "time_zone",
]  # fmt: skip

EMPTIED: Final = -1
"""An empty cell of a number: back to the default."""

Reader = Callable[[object], object]

_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
# What `normalise_email` leaves as it is, by far the most of them.
_PLAIN_EMAIL: Final = re.compile(r"[A-Za-z0-9._+-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_SPLIT: Final = re.compile("[;；|]")
_PROFILE_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
# Islands and the like that have a code but no telephone numbers of their own.
_COUNTRIES: Final = phonenumbers.SUPPORTED_REGIONS | {"AQ", "BV", "GS", "HM", "PN", "TF", "UM"}
_YES: Final = frozenset({"1", "true", "yes", "y", "on", "是", "有"})
_NO: Final = frozenset({"", "0", "false", "no", "n", "off", "否", "无"})


def text(limit: int) -> Callable[[object], str]:
    """One line of at most `limit` characters; white space inside is folded to single spaces."""

    def read(cell: object) -> str:
        value = cell if type(cell) is str else _string(cell)
        if value.isascii() and value.isprintable():
            value = value.strip() if "  " not in value else " ".join(value.split())
        else:
            value = " ".join(_clean(value).split())
            if value and not any(map(_visible, value)):
                raise RowFault("invalid", "Holds no visible character.")
        if len(value) > limit:
            raise RowFault("too_long", f"At most {limit} characters, not {len(value):,}.")
        return value

    return read


def login(cell: object) -> str:
    """What an account signs in by, in its one spelling."""
    value = _clean(_string(cell)).strip()
    if len(value) > 200:
        raise RowFault("too_long", f"At most 200 characters, not {len(value):,}.")
    try:
        return new_login(value) if value else ""
    except Refused as refusal:
        raise RowFault("invalid", refusal.message) from None


def profile_value(cell: object) -> str:
    """A field of a buyer's profile: up to 500 characters, line breaks kept."""
    value = _clean(_string(cell)).replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(value) > 500:
        raise RowFault("too_long", f"At most 500 characters, not {len(value):,}.")
    return value


def profile(cell: object) -> Mapping[str, str]:
    """An object of further profile fields."""
    if cell in (None, ""):
        return {}
    if not isinstance(cell, Mapping):
        raise RowFault("wrong_type", "Expected an object of text fields.")
    if len(cell) > 40 or not all(isinstance(key, str) and _PROFILE_KEY.fullmatch(key) for key in cell):
        raise RowFault("invalid", "At most 40 fields, named with lower case letters, digits and underscores.")
    return {str(key): profile_value(value) for key, value in cell.items()}


def flag(cell: object) -> bool:
    """yes or no, in the usual spellings."""
    if isinstance(cell, bool):
        return cell
    word = _string(cell).strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise RowFault("invalid", "Expected yes or no.")


def integer(least: int, most: int) -> Callable[[object], int]:
    """A whole number between the two."""

    def read(cell: object) -> int:
        word = _string(cell).strip()
        if not word:
            return EMPTIED
        if not (word.isascii() and word.isdigit()) or len(word) > 12 or not least <= int(word) <= most:
            raise RowFault("invalid", f"Expected a whole number from {least} to {most}.")
        return int(word)

    return read


def items(count: int, limit: int) -> Callable[[object], tuple[str, ...]]:
    """Several texts: a JSON list, or one cell with `;` between them. Empty and repeated ones are dropped."""
    one = text(limit)

    def read(cell: object) -> tuple[str, ...]:
        parts = cell if isinstance(cell, list | tuple) else _SPLIT.split(_string(cell))
        values = dict.fromkeys(value for value in map(one, parts) if value)
        if len(values) > count:
            raise RowFault("too_many", f"At most {count}, not {len(values)}.")
        return tuple(values)

    return read


def _choice(words: Mapping[str, str]) -> Callable[[object], str]:
    """One of a few words; `words` maps every spelling to the one that is stored."""
    known = tuple(dict.fromkeys(words.values()))

    def read(cell: object) -> str:
        word = _string(cell).strip().lower()
        if word and word not in words:
            raise RowFault("invalid", f"Expected {', '.join(known[:-1])} or {known[-1]}.")
        return words.get(word, "")

    return read


def _spellings(**chinese: str) -> Mapping[str, str]:
    return {word: name for name, other in chinese.items() for word in (name, *other.split())}


domicile: Final = _choice(_spellings(domestic="境内 国内", overseas="境外 国外"))
buyer_role: Final = _choice(_spellings(buyer="采购商", representative="采购代表"))
exhibit_state: Final = _choice(_spellings(listed="已上架", unlisted="已下架", banned="已封禁"))
account_kind: Final = _choice(
    _spellings(main="主账号", manager="管理子账号", business="业务子账号", exhibit="展品子账号", organiser="")
)


def country(cell: object) -> str:
    """ISO 3166-1 alpha-2."""
    code = _string(cell).strip().upper()
    if code and code not in _COUNTRIES:
        hint = "; the United Kingdom is GB" if code == "UK" else ""
        raise RowFault("invalid", f"Expected a country's two letters (ISO 3166-1), such as DE{hint}.")
    return code


def language(cell: object) -> str:
    """A language tag."""
    tag = _string(cell).strip()
    if tag and (len(tag) > 35 or not _LANGUAGE.fullmatch(tag)):
        raise RowFault("invalid", "Expected a language tag such as zh or en.")
    return tag


def time_zone(cell: object) -> str:
    """An IANA time zone that this machine knows."""
    name = _string(cell).strip()
    if name and not _known_zone(name):
        raise RowFault("invalid", "Expected an IANA time zone such as Asia/Shanghai.")
    return name


@lru_cache(maxsize=1024)
def _known_zone(name: str) -> bool:
    if len(name) > 64 or not name.isascii():
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such zone; a path that leaves the data; a folder
        return False
    return True


def email(cell: object) -> str:
    """An email address in its one spelling (A8)."""
    value = _string(cell).strip()
    if not value or (_PLAIN_EMAIL.fullmatch(value) and len(value) <= 254):
        return value
    _clean(value)
    try:
        return normalise_email(value)
    except Refused as refusal:
        raise RowFault("bad_email", refusal.message) from None


def phone_text(cell: object) -> str:
    """A number as typed; `mobile` reads it once the row's country is known."""
    return _clean(_string(cell)).strip().removeprefix("'")  # spreadsheets keep a leading + by an apostrophe


def mobile(typed: str, region: str | None) -> str:
    """E.164; without a leading + read as a number of `region` (A8)."""
    if not typed:
        return ""
    try:
        return normalise_phone("+" + typed[2:] if typed.startswith("00") else typed, region)
    except Refused as refusal:
        raise RowFault("bad_phone", refusal.message, "mobile") from None


def instant(value: str, zone: str, field: str) -> datetime:
    """ISO 8601 in UTC; without an offset it is read in `zone` (A1)."""
    try:
        at = datetime.fromisoformat(value)
        at = at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))
        at = at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RowFault(
            "invalid", "Expected an instant such as 2026-10-15T09:30 or 2026-10-15T09:30+08:00.", field
        ) from None
    if not 1970 <= at.year <= 2200:
        raise RowFault("invalid", "That is no year of a fair.", field)
    return at


def _string(cell: object) -> str:
    """Text, or a whole number where a text is meant (ids in JSON)."""
    match cell:
        case str():
            return cell
        case None:
            return ""
        case bool():
            pass
        case int() if abs(cell) < 10**30:
            return str(cell)
    raise RowFault("wrong_type", f"Expected text, not {type(cell).__name__}.")


def _clean(value: str) -> str:
    if found := _CONTROL.search(value):
        raise RowFault("control_character", f"Holds U+{ord(found[0]):04X}, which is no text.")
    return unicodedata.normalize("NFC", value)


def _visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ"
