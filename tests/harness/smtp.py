"""A mail server on a free port that keeps what it gets, and can be as unhelpful as real ones are.

It speaks real SMTP (aiosmtpd) on the test's own loop, so mails arrive while the test waits for them and nothing needs a
thread. How it behaves is changed at run time: accept, refuse for good (5xx), refuse for now (4xx), say that it closes (421), go
silent (HANG), or take the mail and say nothing (MUTE) or hang up (RESET) instead of answering. It offers DSN (RFC 3461), which
aiosmtpd itself does not know.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import Enum
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

__all__ = ["AUTHORITY", "Behaviour", "Mail", "SmtpSink", "server_tls", "smtp_sink"]

AUTHORITY = Path(__file__).with_name("tls") / "authority.pem"


class Behaviour(Enum):
    """What the sink says to a recipient or a message."""

    ACCEPT = "accept"
    REJECT = "550 5.1.1 no such mailbox"
    TEMPFAIL = "451 4.3.0 try again later"
    CLOSING = "421 4.7.0 too much for now"
    HANG = "hang"
    MUTE = "mute"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Mail:
    """One accepted mail, as the envelope and the parsed message."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    options: tuple[str, ...] = ()
    """What MAIL and RCPT said beside the addresses."""
    raw: bytes = b""

    @property
    def text(self) -> str:
        """The plain part, decoded."""
        part = self.message.get_body(preferencelist=("plain",))
        assert part is not None, "the mail has no plain part"
        content: str = part.get_content()
        return content


class _Talk(SMTP):
    """A session of the sink."""

    @syntax("MAIL FROM: <address>", extended=" [SP <mail-parameters>]")
    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd finds its commands by these names
        """Parameters of DSN are taken out before aiosmtpd refuses them."""
        kept, self.dsn = _without(arg, ("RET=", "ENVID="))
        await super().smtp_MAIL(kept)

    @syntax("RCPT TO: <address>", extended=" [SP <mail-parameters>]")
    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802 - as above
        """As for MAIL."""
        kept, dsn = _without(arg, ("NOTIFY=", "ORCPT="))
        self.dsn += dsn
        await super().smtp_RCPT(kept)


def _without(arg: str | None, names: tuple[str, ...]) -> tuple[str | None, list[str]]:
    words = (arg or "").split(" ")
    found = [word for word in words if word.upper().startswith(names)]
    return (" ".join(word for word in words if word not in found) if arg else arg), found


class SmtpSink:
    """The server. `mails` is everything accepted so far, in order; `attempts` counts messages refused too.

    With `implicit_tls` it is encrypted from the first byte on."""

    def __init__(self, implicit_tls: ssl.SSLContext | None = None) -> None:
        self._implicit_tls = implicit_tls
        self.mails: list[Mail] = []
        self.attempts = 0
        self.tls: ssl.SSLContext | None = None
        """Offers STARTTLS, and takes no mail without, when it is set before the first session."""
        self.refused_recipients: frozenset[str] = frozenset()
        """Those it never knows, whatever it says to others."""
        self.at_recipient = Behaviour.ACCEPT
        self.at_data = Behaviour.ACCEPT
        self._arrived = asyncio.Condition()
        self._released = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._sessions: set[_Talk] = set()

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        assert self._server is not None, "the sink has not been started"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def sessions(self) -> int:
        """Connections made to it so far."""
        return len(self._sessions)

    def hang_up(self) -> None:
        """Drop every session, as a server does with clients that say nothing for long."""
        for session in self._sessions:
            if session.transport is not None:
                session.transport.close()

    def behave(self, *, at_recipient: Behaviour = Behaviour.ACCEPT, at_data: Behaviour = Behaviour.ACCEPT) -> None:
        """Change its manners from the next command on; sessions that hang are let go: refused for now, or accepted if taken."""
        self.at_recipient, self.at_data = at_recipient, at_data
        self._released.set()
        self._released = asyncio.Event()

    async def next_mail(self, to: str, *, after: int = 0, within: float = 5.0) -> Mail:
        """The first mail to that address, leaving out the `after` first ones; waits for it."""
        async with asyncio.timeout(within), self._arrived:
            while True:
                matching = [mail for mail in self.mails if to in mail.recipients]
                if len(matching) > after:
                    return matching[after]
                await self._arrived.wait()

    async def start(self) -> None:
        """Listen; the port is known afterwards."""
        self._server = await asyncio.get_running_loop().create_server(
            self._session, "127.0.0.1", 0, ssl=self._implicit_tls
        )

    async def close(self) -> None:
        """Stop listening and drop every session, hanging ones too."""
        assert self._server is not None, "the sink has not been started"
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()

    def _session(self) -> _Talk:
        required = self.tls is not None
        session = _Talk(
            self, hostname="sink.test", enable_SMTPUTF8=True, tls_context=self.tls, require_starttls=required
        )
        self._sessions.add(session)
        return session

    async def handle_EHLO(  # noqa: N802 - aiosmtpd finds its hooks by these names
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """What it offers: DSN too."""
        session.host_name = hostname
        return [*responses[:-1], "250-DSN", responses[-1]]

    async def handle_RCPT(  # noqa: N802 - as above
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        """aiosmtpd asks this for each recipient."""
        behaviour = Behaviour.REJECT if address in self.refused_recipients else self.at_recipient
        answer = await self._answer(server, behaviour)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """aiosmtpd hands over each whole message here."""
        self.attempts += 1
        behaviour = self.at_data
        kept = behaviour in (Behaviour.RESET, Behaviour.MUTE)
        if kept:
            await self._keep(server, envelope)
        answer = await self._answer(server, behaviour)
        if answer.startswith("250") and not kept:
            await self._keep(server, envelope)
        return answer

    async def _keep(self, server: SMTP, envelope: Envelope) -> None:
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        assert isinstance(server, _Talk)
        options = (*envelope.mail_options, *envelope.rcpt_options, *server.dsn)
        mail = Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), message, options, envelope.content)
        async with self._arrived:
            self.mails.append(mail)
            self._arrived.notify_all()

    async def _answer(self, server: SMTP, behaviour: Behaviour) -> str:
        if behaviour is Behaviour.ACCEPT:
            return "250 OK"
        if behaviour is Behaviour.RESET:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return Behaviour.CLOSING.value
        if behaviour in (Behaviour.HANG, Behaviour.MUTE):
            await self._released.wait()
            return Behaviour.TEMPFAIL.value if behaviour is Behaviour.HANG else "250 OK"
        refusal: str = behaviour.value
        return refusal


def server_tls() -> ssl.SSLContext:
    """For 127.0.0.1, by `AUTHORITY`: a key made for these tests, which opens nothing."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(AUTHORITY.with_name("server.pem"))
    return context


@contextlib.asynccontextmanager
async def smtp_sink(implicit_tls: ssl.SSLContext | None = None) -> AsyncIterator[SmtpSink]:
    """A started sink, closed at the end."""
    sink = SmtpSink(implicit_tls)
    await sink.start()
    try:
        yield sink
    finally:
        await sink.close()
