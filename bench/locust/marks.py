"""A message's mark: what its cid says of it, so that whoever receives it knows when it was sent, and by whom, as which.

A cid is any UUIDv7 (RFC 9562 §5.7). Ours puts the time to a quarter of a microsecond into its first 60 bits (§6.2, method 3) and,
where others put chance, the run, the client and the client's own count. The text stays what people write; nothing is
looked up; and generators on one machine need no common register. A retry keeps its cid, hence its first time (W7).
"""

from __future__ import annotations

from typing import Final, NamedTuple
from uuid import UUID

__all__ = ["Mark", "new_mark", "read_mark"]

MILLISECOND: Final = 1_000_000
RUN_BITS: Final = 16
CLIENT_BITS: Final = 24
COUNT_BITS: Final = 22


class Mark(NamedTuple):
    """Who sent it as which of its messages, and when (ns since 1970)."""

    client: int
    nth: int
    sent_ns: int


def new_mark(run: int, client: int, count: int, now_ns: int) -> UUID:
    """The cid of a client's next message."""
    milliseconds, rest = divmod(now_ns, MILLISECOND)
    value = (milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | (rest * 4096 // MILLISECOND) << 64 | 2 << 62
    own = (run << CLIENT_BITS | client & (1 << CLIENT_BITS) - 1) << COUNT_BITS | count & (1 << COUNT_BITS) - 1
    return UUID(int=value | own)


def read_mark(run: int, cid: UUID | None) -> Mark | None:
    """What a message of this run says; None for a message that is not of it."""
    if cid is None:
        return None
    value = cid.int
    if (value >> CLIENT_BITS + COUNT_BITS) & (1 << RUN_BITS) - 1 != run:
        return None
    fraction = ((value >> 64) & 0xFFF) * MILLISECOND // 4096
    return Mark(
        (value >> COUNT_BITS) & (1 << CLIENT_BITS) - 1,
        value & (1 << COUNT_BITS) - 1,
        (value >> 80) * MILLISECOND + fraction,
    )
