"""Email by SMTP: one connection per letter, every step with a time-out."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from ssl import SSLError
from typing import Final

import aiosmtplib

from fairwire_server.accounts.letters import AddressKind, Letter
from fairwire_server.channels.channel import ChannelError, TryLater, Undeliverable

__all__ = ["EmailChannel"]

IMPLICIT_TLS_PORT: Final = 465  # RFC 8314 §3.3


class EmailChannel:
    """Sends through one mail server, as `sender`."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        sender: str,
        user: str = "",
        password: str = "",
        starttls: bool = True,
        timeout_s: float = 20.0,
    ) -> None:
        self._host = host
        self._port = port
        self._sender = sender
        self._user = user
        self._password = password
        self._starttls = starttls and port != IMPLICIT_TLS_PORT
        self._timeout_s = timeout_s

    def reaches(self, kind: AddressKind) -> bool:
        """Email addresses; there is no SMS provider yet."""
        return kind == "email"

    async def send(self, letter: Letter) -> None:
        """One letter, taken by the server or refused."""
        if not self.reaches(letter.kind):
            raise Undeliverable("not_an_email_address")
        try:
            message = self._message(letter)
            async with asyncio.timeout(self._timeout_s):
                await self._deliver(message, letter.to)
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            # From None: the server's words often repeat the address.
            raise _meaning(error) from None

    async def _deliver(self, message: EmailMessage, to: str) -> None:
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._user or None,
            password=self._password or None,
            timeout=self._timeout_s,
            use_tls=self._port == IMPLICIT_TLS_PORT,
            start_tls=self._starttls,
        )
        try:
            await client.connect()
            await client.send_message(message, sender=self._sender, recipients=[to])
            # The letter has been taken: what becomes of the farewell changes nothing.
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await client.quit()
        finally:
            client.close()

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = letter.to
        message["Subject"] = letter.subject
        message["Date"] = localtime()
        message["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2].rstrip("> ") or None)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: out-of-office replies stay away
        message.set_content(letter.text)
        return message


def _meaning(error: Exception) -> ChannelError:
    """Whether sending the same again can help. The reply's class decides (RFC 5321 §4.2.1), never its words."""
    match error:
        case aiosmtplib.SMTPAuthenticationError():
            return TryLater("authentication")  # a setting of ours; the letter is not at fault
        case aiosmtplib.SMTPRecipientsRefused():
            codes = [refused.code for refused in error.recipients]
            return _by_code("recipient", max(codes, default=550))
        case aiosmtplib.SMTPNotSupported():
            return Undeliverable("not_supported")
        case aiosmtplib.SMTPResponseException():
            return _by_code("response", error.code)
        case ValueError() if not isinstance(error, OSError):
            return Undeliverable("address")  # one that cannot be written in a mail's head
        case TimeoutError():
            return TryLater("timeout")
        case SSLError():
            return TryLater("tls")
        case OSError():
            return TryLater("connection")
        case _:
            return TryLater("protocol")  # such as no STARTTLS where it is demanded: a setting, on one side or the other


def _by_code(what: str, code: int) -> ChannelError:
    return (Undeliverable if 500 <= code <= 599 else TryLater)(f"{what}_{code}")
