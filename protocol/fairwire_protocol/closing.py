"""How a socket ends: what a peer's fault is called, and what a client does after a close code (W13)."""

from __future__ import annotations

from enum import Enum
from typing import Final

from fairwire_protocol.errors import Close, may_reconnect

__all__ = ["FRAME_BYTES", "CloseAction", "Violation", "close_action"]

FRAME_BYTES: Final = 65_536
"""The largest frame before `welcome` tells the limit (W15)."""


class CloseAction(Enum):
    """What a client does after a close (W13)."""

    RECONNECT = "reconnect"
    REFRESH = "refresh"
    STOP = "stop"


def close_action(code: int) -> CloseAction:
    """By range, so that a code of a newer server is obeyed too; 4005 alone asks for a new token first (W13)."""
    if not may_reconnect(code):
        return CloseAction.STOP
    return CloseAction.REFRESH if code == Close.TOKEN_EXPIRED else CloseAction.RECONNECT


class Violation(Exception):
    """The peer broke the protocol: close the socket with `close`."""

    def __init__(self, close: Close, reason: str) -> None:
        self.close = close
        self.reason = reason
        super().__init__(f"{int(close)} {reason}")
