"""What surrounds one call: its command id, where it came from, and the socket it came on, if any; and an answer of bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import msgspec

__all__ = ["BinaryReply", "Context"]


def _nothing() -> None:
    """The door does not care."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """`cid` names the command (W7); `correlation` ties log lines together; `address` is the client's, proxies considered."""

    cid: UUID | None
    correlation: str
    address: str
    socket: int | None = None
    """The hub's number of the socket the call came on."""
    duplicate: Callable[[], None] = _nothing
    """Called by a service that answers with an earlier result of the same cid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryReply:
    """What an operation answers whose reply is bytes: the bytes, or the file that holds them, which then is sent unread.

    `etag` says which they are. While `lasting` they never change under their path, and clients may keep them for ever.
    """

    data: bytes | Path
    content_type: str
    etag: str
    lasting: bool = True
    filename: str | None = None
    """What it is saved as, for what is not to be shown in place; plain ASCII without quotes."""
