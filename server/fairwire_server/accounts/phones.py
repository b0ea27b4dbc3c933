"""Addresses that an account registers: mobile numbers as E.164, and email addresses (A8).

One spelling per address, so that it can be compared, kept unique and handed to a channel as it stands.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import phonenumbers

from fairwire_protocol.errors import Refused

__all__ = ["normalise_email", "normalise_phone"]

_MAX_PHONE: Final = 40  # characters as typed, spaces and brackets included
_PHONE: Final = re.compile(r"\s*\+?[\d ().\-\u2010-\u2015/]+")
_MAX_EMAIL: Final = 254  # RFC 5321 §4.5.3.1.3: a path is 256 octets with its angle brackets
_MAX_LOCAL: Final = 64  # RFC 5321 §4.5.3.1.1
_MAX_LABEL: Final = 63  # RFC 1035 §2.3.4
_NOT_IN_EMAIL: Final = frozenset('<>()[]\\,;:"')  # quoting and comments (RFC 5322), which nobody's address needs


def normalise_phone(text: str, default_region: str | None = None, *, field: str = "phone") -> str:
    """`text` as E.164 (`+8613800138000`); without a leading +, it is read as a number of `default_region` (`CN`).

    Refuses what is no number in use anywhere, and words around a number, which the library would pass over.
    """
    if len(text) > _MAX_PHONE or not _PHONE.fullmatch(typed := unicodedata.normalize("NFKC", text)):
        raise Refused("invalid", "A phone number is written with figures.", field=field)
    try:
        number = phonenumbers.parse(typed, default_region)
    except phonenumbers.NumberParseException:
        raise Refused("invalid", "This is not a phone number with its country code.", field=field) from None
    if not phonenumbers.is_valid_number(number):
        raise Refused("invalid", "There is no such phone number.", field=field)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalise_email(text: str, *, field: str = "email") -> str:
    """`text` without spaces around it, its domain in lower case; the local part is the receiver's own business.

    Whether the address exists is shown by the code sent to it; here only what could never be one is refused.
    """
    address = unicodedata.normalize("NFC", text.strip())
    local, at, domain = address.rpartition("@")
    domain = domain.casefold()
    if not at or "@" in local or not local or len(local.encode()) > _MAX_LOCAL:
        raise Refused("invalid", "An email address is name@domain.", field=field)
    if any(character in _NOT_IN_EMAIL or not _visible(character) for character in address):
        raise Refused("invalid", "An email address holds no spaces, quotes or control characters.", field=field)
    if any(not label or len(label) > _MAX_LABEL or label[0] == "-" or label[-1] == "-" for label in domain.split(".")):
        raise Refused("invalid", "The part after @ is not a domain.", field=field)
    if len((normal := f"{local}@{domain}").encode()) > _MAX_EMAIL:
        raise Refused("invalid", "An email address is at most 254 bytes long.", field=field)
    return normal


def _visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ"
