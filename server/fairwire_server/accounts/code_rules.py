"""Codes: how long, how many tries, and what a typed one is taken for (A8, A9)."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import Final

from fairwire_server.accounts.letters import Purpose

__all__ = ["CODE_LIFE", "CODE_TRIES", "DIGITS", "typed_code"]

CODE_LIFE: Final = timedelta(minutes=10)
CODE_TRIES: Final = 5
# A code that opens an account by itself is longer than one that needs a session beside it.
DIGITS: Final[dict[Purpose, int]] = {"sign_in": 8, "activate": 8, "verify": 6, "change": 6}


def typed_code(text: str) -> str:
    """The digits of what somebody typed or pasted: `１２３ 456` and `123-456` are `123456`."""
    return "".join(str(unicodedata.digit(c)) for c in unicodedata.normalize("NFKC", text) if c.isdecimal())
