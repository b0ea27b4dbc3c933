"""One-click unsubscribe from reminders by mail (RFC 8058, N8): the address that a reminder carries, and what its POST does.

It ends the mails that N9 lets anybody end: all T−24 h mails, and T−15 mails that the account itself has added. The token names the
account and proves that we wrote it; it opens nothing else.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from typing import Final
from uuid import UUID

from fairwire_server.database.work import Works
from fairwire_server.notices.store import NoticeStore

__all__ = ["Unsubscribing"]

_MAC_BYTES: Final = 16
_TOKEN_CHARS: Final = 43


class Unsubscribing:
    """`key` gives a key for a use, `url` is how the world reaches this server."""

    def __init__(self, works: Works, store: NoticeStore, key: Callable[[bytes], bytes], url: str) -> None:
        self._works = works
        self._store = store
        self._key = key(b"unsubscribe")
        self._url = url.rstrip("/")

    def address(self, account: UUID) -> str:
        """Where one POST ends this account's reminders by mail."""
        return f"{self._url}/unsubscribe/{self.token(account)}"

    def token(self, account: UUID) -> str:
        """The last part of the address."""
        return urlsafe_b64encode(account.bytes + self._mac(account)).rstrip(b"=").decode()

    def account(self, token: str) -> UUID | None:
        """Whose token it is; None if we did not write it."""
        if len(token) != _TOKEN_CHARS:
            return None
        try:
            signed = urlsafe_b64decode(token.encode("ascii") + b"=")
        except (UnicodeEncodeError, NotBase64):
            return None
        account = UUID(bytes=signed[:16])
        # Compared as text: base64 has several spellings of the same bytes, and a token has one.
        return account if hmac.compare_digest(self.token(account), token) else None

    async def unsubscribe(self, token: str) -> bool:
        """End them. False for a token that is none."""
        account = self.account(token)
        if account is None:
            return False
        async with self._works.begin() as work:
            return bool(await self._store.value(work.connection, "unsubscribe", account))

    def _mac(self, account: UUID) -> bytes:
        return hmac.digest(self._key, account.bytes, "sha256")[:_MAC_BYTES]
