"""Named constraints have the last word; here is what they say to a client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fairwire_protocol.errors import Refused
from fairwire_server.database.errors import ConstraintViolated

__all__ = ["refusing"]

_MEANT: Final = {
    "account_login_unique": ("login_taken", None),
    "account_by_mobile": ("conflict", "Another account of this fair has verified this number."),
    "account_by_email": ("conflict", "Another account of this fair has verified this email address."),
}


@contextmanager
def refusing() -> Iterator[None]:
    """Around a unit of work: a broken constraint of ours becomes the refusal it means."""
    try:
        yield
    except ConstraintViolated as violated:
        if violated.name not in _MEANT:
            raise
        code, message = _MEANT[violated.name]
        raise Refused(code, message) from violated
