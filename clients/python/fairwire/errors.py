"""What a call of the SDK can raise.

FairwireError      the server's word: `final`, or carrying `retry_after_ms` (fairwire_protocol.errors)
Pending            no answer in time; the outcome is open, not failed: the same cid asks again (W16)
Stopped            the connection is over for good: signed out, suspended, too many devices … (W13)
"""

from __future__ import annotations

from uuid import UUID

from fairwire_protocol.errors import FairwireError, Refused, Unavailable

__all__ = ["FairwireError", "Pending", "Refused", "Stopped", "Unavailable"]


class Pending(Exception):
    """No answer in time. A message stays in the outbox and is sent again by itself; other calls may be repeated with `cid`."""

    def __init__(self, operation: str, cid: UUID) -> None:
        self.operation = operation
        self.cid = cid
        super().__init__(f"{operation} has not been answered yet; its cid is {cid}")


class Stopped(Exception):
    """The client does not reconnect any more. `code` is the close code (W13), or None if the client was closed here."""

    def __init__(self, code: int | None, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason if code is None else f"{code}: {reason}")
