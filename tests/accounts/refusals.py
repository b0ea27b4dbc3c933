"""Expecting a refusal by its code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fairwire_protocol.errors import FairwireError

__all__ = ["refused"]


@contextmanager
def refused(code: str, *, field: str | None = None) -> Iterator[list[FairwireError]]:
    """The body is refused with `code`, and for `field`; the list then holds the error."""
    errors: list[FairwireError] = []
    with pytest.raises(FairwireError) as caught:
        yield errors
    assert caught.value.code == code
    if field is not None:
        assert caught.value.field == field
    errors.append(caught.value)
