"""Invitation links and what else is proven by a MAC: for which invitation, booking and side a link is (M9).

A link says all it is bound to, so that a guessed one costs no query; whether it still holds is told by its row. It can be
derived again from that row at any time and is kept nowhere. Each use of the installation's secret has a key of its own.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from fairwire_protocol.models import Side

__all__ = ["Invitation", "Links"]

MAC_BYTES: Final = 16
_SIDES: Final[dict[Side, bytes]] = {"buyer": b"b", "team": b"t"}
_PAYLOAD: Final = 33
TOKEN_CHARS: Final = 66  # of payload and MAC, without padding: 33 + 16 bytes


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a link is bound to."""

    id: UUID
    booking: UUID
    side: Side


class Links:
    """Writes and reads links. `key` gives a key for a use, `url` is how the world reaches this server."""

    def __init__(self, key: Callable[[bytes], bytes], url: str) -> None:
        self._invitation_key = key(b"invitation link")
        self._room_key = key(b"room name")
        self._url = url.rstrip("/")

    def token(self, invitation: Invitation) -> str:
        """The last part of the address."""
        payload = _payload(invitation)
        return urlsafe_b64encode(payload + self._mac(payload)).rstrip(b"=").decode()

    def address(self, invitation: Invitation) -> str:
        """The link."""
        return f"{self._url}/m/{self.token(invitation)}"

    def read(self, token: str) -> Invitation | None:
        """What the token is for, or nothing if it is not ours."""
        if len(token) != TOKEN_CHARS:
            return None
        try:
            signed = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except (UnicodeEncodeError, NotBase64):
            return None
        if len(signed) != _PAYLOAD + MAC_BYTES:
            return None
        side: Side = "buyer" if signed[32:_PAYLOAD] == b"b" else "team"
        invitation = Invitation(UUID(bytes=signed[:16]), UUID(bytes=signed[16:32]), side)
        # Compared as text: base64 has several spellings of the same bytes, and a link has one.
        return invitation if hmac.compare_digest(self.token(invitation), token) else None

    @property
    def room_page(self) -> str:
        """The page where room numbers are typed: the fixed address that an SMS names (M9, N7)."""
        return f"{self._url}/room"

    def room_name(self, booking: UUID) -> str:
        """What the meeting is called where it takes place: the same for everybody in it, and not to be guessed from its id."""
        return hmac.digest(self._room_key, booking.bytes, "sha256")[:12].hex()

    def _mac(self, payload: bytes) -> bytes:
        return hmac.digest(self._invitation_key, payload, "sha256")[:MAC_BYTES]


def _payload(invitation: Invitation) -> bytes:
    return invitation.id.bytes + invitation.booking.bytes + _SIDES[invitation.side]
