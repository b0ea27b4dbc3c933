"""Where a page ends: the id of its last row, since ids tell the order or lead to what does."""

from __future__ import annotations

from uuid import UUID

from fairwire_protocol.errors import Refused

__all__ = ["page_cursor"]


def page_cursor(after: str | None) -> UUID | None:
    """The row after which the next page begins; None is the first page."""
    if after is None:
        return None
    try:
        return UUID(after)
    except ValueError:
        raise Refused("invalid", "This is not what `next` told.", field="after") from None
