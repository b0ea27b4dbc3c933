"""What an account signs in by, in the one spelling in which it is stored and compared (A5, A9)."""

from __future__ import annotations

import unicodedata

__all__ = ["fold_login"]


def fold_login(login: str) -> str:
    """`login` without white space around it, case-folded, NFC: `account.login` holds this and nothing else."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", login.strip()).casefold())
