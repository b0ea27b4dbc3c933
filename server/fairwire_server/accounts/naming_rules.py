"""Logins, names and other short texts that people type: one spelling for what is compared, nothing invisible in what is shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from fairwire_protocol.errors import Refused
from fairwire_server.accounts.logins import fold_login

__all__ = ["clean_name", "clean_words", "language_tag", "new_login"]

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_LOGIN_LEAST: Final = 3


def new_login(text: str) -> str:
    """A login that is about to be given, in its one spelling; refuses one that nobody could type again with confidence."""
    login = fold_login(text)
    if len(login) < _LOGIN_LEAST or not all(map(_visible, login)):
        raise Refused("invalid", f"A login has at least {_LOGIN_LEAST} characters and no spaces.", field="login")
    return login


def clean_name(text: str, *, field: str = "name") -> str:
    """A name as it is shown: composed, single spaces, nothing invisible but what joins letters."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not any(map(_visible, name)) or any(unicodedata.category(c) in {"Cc", "Cs", "Co", "Cn"} for c in name):
        raise Refused("invalid", "A name has visible characters, and no control characters.", field=field)
    return name


def clean_words(words: Iterable[str], *, field: str) -> tuple[str, ...]:
    """A list of short texts, each once, in the order given."""
    return tuple(dict.fromkeys(clean_name(word, field=field) for word in words))


def language_tag(text: str) -> str:
    """A language tag in its shape (BCP 47); which languages we speak is another question."""
    if not _LANGUAGE.fullmatch(text):
        raise Refused("invalid", "A language is a tag such as zh, en or zh-Hant.", field="language")
    return text


def _visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ"
