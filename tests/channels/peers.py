"""The channels with their other sides: real servers that can be told to refuse, to be busy, to go silent, or to hang up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from uuid import UUID

from uuid_utils.compat import uuid7

from fairwire_server.channels.email import EmailChannel
from fairwire_server.channels.outbox import Outbox, OutboxMailChannel, OutboxSmsChannel
from fairwire_server.channels.smtp_pool import SmtpServer
from fairwire_server.clock import SystemClock
from fairwire_server.database.pool import Database
from fairwire_server.database.work import Works
from fairwire_server.notices.parcels import Channel, Mail, Parcel, Sms
from fairwire_server.notices.sms_catalogue import default_catalogue
from tests.harness.smtp import Behaviour, SmtpSink, smtp_sink

__all__ = ["PEERS", "Mood", "Peer", "email_channel", "mail", "sms"]

CATALOGUE = default_catalogue("https://fair.example")
TIMEOUT_S = 1.0


class Mood(Enum):
    """How the other side takes the next parcel."""

    WELL = "takes it"
    FINAL = "refuses it for good"
    LATER = "refuses it for now"
    BUSY = "has had too much"
    SILENT = "says nothing"
    GONE = "takes it and hangs up instead of answering"


class Peer(Protocol):
    """A channel and its other side. `moods` are those that the other side can have."""

    @property
    def channel(self) -> Channel: ...
    @property
    def moods(self) -> frozenset[Mood]: ...
    def parcel(self, to: int = 0) -> Parcel:
        """A parcel to the recipient with that number."""

    def be(self, mood: Mood, to: int | None = None) -> None:
        """From now on, to everybody or to that recipient alone (FINAL)."""

    async def arrived(self) -> list[tuple[str, str]]:
        """Recipient and text of everything that the other side has taken, in order."""


def mail(to: str, **more: object) -> Mail:
    """A mail with Chinese, dots at the start of lines, and lines that end."""
    return Mail(
        **{"reference": uuid7(), "to": to, "subject": "预约洽谈", "text": "您好。\n.\n..End", "language": "zh"} | more  # type: ignore[arg-type]
    )


def sms(to: str, template: str = "reminder_soon", language: str = "zh", **variables: str) -> Sms:
    """A reminder."""
    variables = variables or {"time": "11月25日14:30", "room": "123456789"}
    return Sms(reference=uuid7(), to=to, template=template, language=language, variables=variables)


def text_of(message: Sms) -> str:
    """What must arrive."""
    return CATALOGUE.find(message.template, message.language).filled(message.variables)


def email_channel(sink: SmtpSink, timeout_s: float = TIMEOUT_S, **more: object) -> EmailChannel:
    """As it is made for a mail server without TLS."""
    server = SmtpServer(host="127.0.0.1", port=sink.port, starttls=False, timeout_s=timeout_s)
    return EmailChannel(server, SystemClock(), sender="Fair <fair@example.com>", **more)  # type: ignore[arg-type]


@dataclass
class _Email:
    sink: SmtpSink
    channel: EmailChannel
    moods = frozenset(Mood)

    def parcel(self, to: int = 0) -> Mail:
        return mail(f"wang{to}@example.com")

    def be(self, mood: Mood, to: int | None = None) -> None:
        if to is not None:
            self.sink.refused_recipients = frozenset({f"wang{to}@example.com"})
            return
        behaviours = {
            Mood.WELL: Behaviour.ACCEPT,
            Mood.FINAL: Behaviour.REJECT,
            Mood.LATER: Behaviour.TEMPFAIL,
            Mood.BUSY: Behaviour.CLOSING,
            Mood.SILENT: Behaviour.HANG,
            Mood.GONE: Behaviour.RESET,
        }
        self.sink.behave(at_data=behaviours[mood])

    async def arrived(self) -> list[tuple[str, str]]:
        return [(mail.recipients[0], mail.text.replace("\r\n", "\n").strip()) for mail in self.sink.mails]


@asynccontextmanager
async def _email(database: Database) -> AsyncIterator[Peer]:
    async with smtp_sink() as sink:
        yield _Email(sink, email_channel(sink))


@dataclass
class _Outbox:
    outbox: Outbox
    channel: Channel
    make: Callable[[int], Parcel]
    moods = frozenset({Mood.WELL})

    def parcel(self, to: int = 0) -> Parcel:
        return self.make(to)

    def be(self, mood: Mood, to: int | None = None) -> None:
        assert mood is Mood.WELL

    async def arrived(self) -> list[tuple[str, str]]:
        return [(one.recipient, one.text) for one in reversed(await self.outbox.newest())]


@asynccontextmanager
async def _outbox_mail(database: Database) -> AsyncIterator[Peer]:
    outbox = Outbox(Works(database, SystemClock()))
    yield _Outbox(outbox, OutboxMailChannel(outbox), lambda to: mail(f"wang{to}@example.com"))


@asynccontextmanager
async def _outbox_sms(database: Database) -> AsyncIterator[Peer]:
    outbox = Outbox(Works(database, SystemClock()))
    yield _Outbox(outbox, OutboxSmsChannel(outbox, CATALOGUE), lambda to: sms(number(to)))


def number(to: int) -> str:
    """A recipient's number."""
    return f"+86138001380{to:02}"


PEERS: dict[str, Callable[[Database], AbstractAsyncContextManager[Peer]]] = {
    "email": _email,
    "outbox_email": _outbox_mail,
    "outbox_sms": _outbox_sms,
}


def expected(parcel: Parcel) -> tuple[str, str]:
    """Recipient and text as they must arrive."""
    return parcel.to, parcel.text if isinstance(parcel, Mail) else text_of(parcel)


def reference(parcel: Parcel) -> UUID:
    """The parcel's own."""
    return parcel.reference
