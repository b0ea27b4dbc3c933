"""Which mail a bounce is about, and what it says: pure decisions over one returned message.

The envelope's sender is `bounce+<reference>.<mac>@domain`, so whatever comes back to it names its mail, and nobody can name one
that we did not send. What comes back is read as RFC 3464 (`multipart/report`); the remote server's words are never kept, they
often repeat the address.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32encode
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.parser import HeaderParser
from email.policy import compat32
from hashlib import sha256
from typing import Final
from uuid import UUID

from fairwire_server.notices.parcels import ReceiptOutcome

__all__ = ["MAX_BYTES", "Bounce", "BounceTags", "read_bounce", "tagged_address"]

MAX_BYTES: Final = 256 * 1024
"""Of a bounce that is read; the rest, which is our own mail again, is cut off."""
NESTED_MOST: Final = 20
"""Parts within parts: reading a mail made to be deep costs the square of its depth."""
_TAG: Final = re.compile(r"\+([0-9a-f]{32})\.([a-z2-7]{16})@", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"[A-Za-z0-9._-]{1,14}\+[0-9A-Fa-f]{32}\.[A-Za-z2-7]{16}@[A-Za-z0-9.-]{1,190}")
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_HEADERS: Final = ("Delivered-To", "X-Original-To", "Envelope-To", "To")
"""Where mail servers write the envelope's recipient, the surest first."""


class BounceTags:
    """Makes and reads tagged sender addresses. `base` is the address that takes bounces, `bounce@fair.example`."""

    def __init__(self, base: str, secret: bytes) -> None:
        self._local, _, self._domain = base.rpartition("@")
        self._key = hmac.digest(secret, b"bounce address", sha256)

    def address(self, reference: UUID) -> str:
        """The envelope's sender of one mail."""
        return f"{self._local}+{reference.hex}.{self._mac(reference)}@{self._domain}"

    def reference(self, address: str) -> UUID | None:
        """The mail that a tagged address names, if we made it."""
        found = _TAG.search(address)
        if found is None:
            return None
        reference = UUID(hex=found[1])
        return reference if hmac.compare_digest(self._mac(reference), found[2].lower()) else None

    def _mac(self, reference: UUID) -> str:
        """80 bits: a local part has 64 characters, and a forged bounce gains nothing but one notice shown as failed."""
        return b32encode(hmac.digest(self._key, reference.bytes, sha256)[:10]).decode().lower()


@dataclass(frozen=True, slots=True)
class Bounce:
    """What became of one mail; `reason` is the status code of RFC 3463 where the bounce has one."""

    reference: UUID
    outcome: ReceiptOutcome
    reason: str


def read_bounce(raw: bytes, reference: UUID) -> Bounce | None:
    """What `raw` says of the mail that its address named; None for what is no bounce, and for news that say nothing final
    (delayed, relayed)."""
    raw = raw[:MAX_BYTES]
    if raw.lower().count(b"boundary=") > NESTED_MOST:
        return None
    message = message_from_bytes(raw, policy=compat32)
    if message.get_content_type() != "multipart/report" or _parameter(message, "report-type") != "delivery-status":
        return None  # an answer of a person or a machine
    found = _fields(message)
    status = next(iter(_STATUS.findall(found.get("status", ""))), "")
    action = re.match(r"\s*([a-z]+)", found.get("action", "").lower())  # RFC 3464 §2.3.3; comments may follow
    match action[1] if action is not None else "":
        case "failed":
            return Bounce(reference, "expired" if status.startswith("4") else "failed", status or "bounced")
        case "delivered":
            return Bounce(reference, "delivered", status)
        case _:
            return None


def tagged_address(raw: bytes) -> str:
    """The address in a returned message's headers that has the form of a tagged one, or nothing."""
    head = HeaderParser(policy=compat32).parsestr(raw[:MAX_BYTES].decode("latin-1"), headersonly=True)
    values = (str(value)[:1000] for name in _HEADERS for value in head.get_all(name, []))
    found = next((found for value in values if (found := _ADDRESS.search(value))), None)
    return found[0] if found is not None else ""


def _fields(message: Message) -> dict[str, str]:
    """The fields of the first recipient in the status part: each mail of ours has one recipient (RFC 3464 §2.1)."""
    fields: dict[str, str] = {}
    for part in message.walk():
        if part.get_content_type() in {"message/delivery-status", "message/global-delivery-status"}:
            blocks = part.get_payload()
            for block in blocks if isinstance(blocks, list) else []:
                if isinstance(block, Message):
                    for name, value in block.items():
                        fields.setdefault(name.lower(), str(value))
            break
    return fields


def _parameter(message: Message, name: str) -> str:
    value = message.get_param(name)
    return value.lower() if isinstance(value, str) else ""
