"""Email by SMTP: each mail a conversation of its own on a pooled connection, every step within one time-out.

A mail has one recipient, so that a refused one harms no other. The conversation is ours (MAIL, RCPT, DATA), because what decides
stands in its middle: `may_leave` is asked after the server's 354, when nothing but the text remains to be written (N4), and an
answer that was lost before that point is known to have sent nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ssl import SSLError
from typing import Final

import aiosmtplib
from aiosmtplib.protocol import PERIOD_REGEX, SMTPProtocol

from fairwire_server.channels.bounce_rules import BounceTags
from fairwire_server.channels.mail_message import MailWriter
from fairwire_server.channels.smtp_pool import Connection, SmtpPool, SmtpServer
from fairwire_server.clock import Clock
from fairwire_server.notices.parcels import ChannelError, ChannelKind, Mail, Parcel, Taken, TryLater, Undeliverable

__all__ = ["EmailChannel"]

MayLeave = Callable[[], bool]
RESET_S: Final = 2.0


class EmailChannel:
    """Sends through one mail server as `sender`; bounces come back to an address of `tags`, where it is given."""

    name = "smtp"
    kind: ChannelKind = "email"

    def __init__(
        self,
        server: SmtpServer,
        clock: Clock,
        *,
        sender: str,
        tags: BounceTags | None = None,
        connections: int = 8,
        rate: float = 100.0,
    ) -> None:
        self.rate = rate
        self.pool = SmtpPool(server, clock, connections)
        self._timeout_s = server.timeout_s
        self._clock = clock
        self._writer = MailWriter(sender)
        self._tags = tags

    async def send(self, parcel: Parcel, may_leave: MayLeave | None = None) -> Taken:
        """One mail, taken by the server or refused."""
        if not isinstance(parcel, Mail):
            raise Undeliverable("not_a_mail")
        to = _transportable(parcel.to)
        talk = _Conversation(parcel.reference.hex, self._envelope_sender(parcel), to, may_leave)
        try:
            content = self._writer.write(parcel, to, self._clock.now())
            async with asyncio.timeout(self._timeout_s):
                await self._deliver(content, talk)
        except ChannelError:
            raise
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            # From None: the server's words often repeat the address.
            raise _meaning(error, talk) from None
        return Taken(provider=self.name, reference=parcel.reference.hex)

    async def run(self) -> None:
        """Keep the pool tidy until cancelled."""
        await self.pool.run()

    def _envelope_sender(self, mail: Mail) -> str:
        return self._tags.address(mail.reference) if self._tags is not None else self._writer.address

    async def _deliver(self, content: bytes, talk: _Conversation) -> None:
        """On a used connection the server may have hung up since: then once more on another one, if nothing had left."""
        while True:
            async with self.pool.lend() as connection:
                stale = not connection.fresh
                try:
                    await talk.hold(connection.client, content)
                    connection.reusable = True
                    return
                except (aiosmtplib.SMTPServerDisconnected, ConnectionError):
                    if talk.leaving or not stale:
                        raise
                except aiosmtplib.SMTPResponseException as refused:
                    if refused.code == 421 and stale and not talk.leaving:
                        continue  # "closing": it had waited long enough
                    if refused.code != 421:
                        connection.reusable = await _reset(connection)
                    raise


class _Conversation:
    """One mail's MAIL, RCPT and DATA. `step` says how far it came, `leaving` whether bytes of the mail were written."""

    def __init__(self, reference: str, sender: str, to: str, may_leave: MayLeave | None) -> None:
        self.step = "connection"
        self.leaving = False
        self._reference = reference
        self._sender = sender
        self._to = to
        self._may_leave = may_leave

    async def hold(self, client: aiosmtplib.SMTP, content: bytes) -> None:
        """Returns when the server has said that it has the mail for good."""
        utf8 = not self._to.isascii()
        if utf8 and not client.supports_extension("smtputf8"):
            raise Undeliverable("not_supported")
        encoding = "utf-8" if utf8 else "ascii"
        dsn = client.supports_extension("dsn")
        options = [f"SIZE={len(content)}"] if client.supports_extension("size") else []
        options += ["SMTPUTF8"] if utf8 else []
        options += ["RET=HDRS", f"ENVID={self._reference}"] if dsn else []
        self.step = "sender"
        await client.mail(self._sender, options=options, encoding=encoding, timeout=None)
        self.step = "recipient"
        asked = ["NOTIFY=FAILURE", f"ORCPT=rfc822;{_xtext(self._to)}"] if dsn and not utf8 else []
        await client.rcpt(self._to, options=asked, encoding=encoding, timeout=None)
        self.step = "data"
        begun = await client.execute_command(b"DATA", timeout=None)
        if begun.code != 354:
            raise aiosmtplib.SMTPDataError(begun.code, "")
        if self._may_leave is not None and not self._may_leave():
            raise TryLater(
                "lease_over"
            )  # the connection, in the middle of DATA, is dropped: that ends it without a mail
        answer = await self._write(client.protocol, content)
        if answer.code != 250:
            raise aiosmtplib.SMTPDataError(answer.code, "")

    async def _write(self, protocol: SMTPProtocol | None, content: bytes) -> aiosmtplib.SMTPResponse:
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("")
        self.leaving = True
        protocol.write(PERIOD_REGEX.sub(b"..", content) + b".\r\n")
        return await protocol.read_response()


async def _reset(connection: Connection) -> bool:
    """After a refusal the server is asked to forget the envelope; only then may the next mail have the connection."""
    try:
        async with asyncio.timeout(RESET_S):
            await connection.client.rset()
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        return False
    return True


def _transportable(address: str) -> str:
    """A domain of other letters in its ASCII form, which every server knows; a local part has none (RFC 6531)."""
    local, at, domain = address.rpartition("@")
    try:
        return f"{local}{at}{domain.encode('idna').decode()}" if not domain.isascii() else address
    except UnicodeError:
        return address


def _xtext(address: str) -> str:
    """RFC 3461 §4: everything but printable ASCII, and `+` and `=`, as hexadecimal."""
    return "".join(
        character if "!" <= character <= "~" and character not in "+=" else f"+{ord(character):02X}"
        for character in address
    )


def _meaning(error: Exception, talk: _Conversation) -> ChannelError:
    """Whether sending the same again can help. The reply's class decides (RFC 5321 §4.2.1), never its words.

    A refusal of class 5 is the mail's fault once the server has taken our sender; before that it is about us.
    """
    match error:
        case aiosmtplib.SMTPAuthenticationError():
            return TryLater("authentication")  # a setting of ours; the mail is not at fault
        case aiosmtplib.SMTPResponseException():
            return _by_code(talk.step, error.code)
        case ValueError() if not isinstance(error, OSError):
            return Undeliverable("address")  # one that cannot be written in a mail's head
        case TimeoutError():
            return TryLater("timeout", maybe_sent=talk.leaving)
        case SSLError() | aiosmtplib.SMTPConnectError(__cause__=SSLError()):
            return TryLater("tls", maybe_sent=talk.leaving)
        case OSError():
            return TryLater("connection", maybe_sent=talk.leaving)
        case _:
            return TryLater("protocol")  # such as no STARTTLS where it is demanded: a setting, on one side or the other


def _by_code(step: str, code: int) -> ChannelError:
    reason = f"{step}_{code}"
    if 500 <= code <= 599 and step in {"recipient", "data"}:
        return Undeliverable(reason)
    return TryLater(reason, throttled=code == 421)  # 421: the server as a whole has had enough for now
