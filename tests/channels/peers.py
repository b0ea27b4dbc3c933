"""The channels with their other sides: real servers that can be told to refuse, to be busy, to go silent, or to hang up."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from itertools import count
from typing import Any, Protocol
from uuid import UUID

from uuid_utils.compat import uuid7

from fairwire_server.channels.aliyun import Aliyun
from fairwire_server.channels.build import drop_receipts
from fairwire_server.channels.email import EmailChannel
from fairwire_server.channels.outbox import Outbox, OutboxMailChannel, OutboxSmsChannel
from fairwire_server.channels.smpp import SmppChannel, SmppServer
from fairwire_server.channels.sms_http import HttpSmsChannel, SmsProvider
from fairwire_server.channels.smtp_pool import SmtpServer
from fairwire_server.channels.tencent import Tencent
from fairwire_server.channels.twilio import Twilio
from fairwire_server.clock import Clock, SystemClock
from fairwire_server.database.pool import Database
from fairwire_server.database.work import Works
from fairwire_server.notices.parcels import Channel, Mail, Parcel, Sms, TakeIn
from fairwire_server.notices.sms_catalogue import read_catalogue
from tests.harness.sms_gateway import APP_ID, KEY_ID, KEY_SECRET, SENDER, SmsGateway, sms_gateway
from tests.harness.smsc import PASSWORD, SYSTEM_ID, Smsc, smsc
from tests.harness.smtp import Behaviour, SmtpSink, smtp_sink

__all__ = ["PEERS", "Mood", "Peer", "email_channel", "mail", "sms"]

PATIENT_S, SILENT_S = 10.0, 1.0
"""A channel's time-out where an answer comes, and where none does: a busy machine is slow, and a test should not be."""
Peers = Callable[[Database, float], AbstractAsyncContextManager["Peer"]]


def catalogue_text() -> str:
    """The shipped texts with another signature, and ids of providers."""
    text = files("fairwire_server.notices").joinpath("sms_templates.toml").read_text("utf-8")
    text = text.replace('zh = "Fairwire"', 'zh = "云展会"').replace('en = "Fairwire"', 'en = "Fair"')
    ids = count(100)
    return re.sub(r"^(zh|en)(\.text = .*)$", lambda m: _with_ids(m[1], m[2], next(ids)), text, flags=re.MULTILINE)


def _with_ids(language: str, text: str, number: int) -> str:
    return f'{language}{text}\n{language}.aliyun = "SMS_{number}"\n{language}.tencent = "{number}"'


CATALOGUE = read_catalogue(catalogue_text(), "https://fair.example", "tencent")


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


def email_channel(sink: SmtpSink, timeout_s: float = PATIENT_S, **more: object) -> EmailChannel:
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
async def _email(database: Database, timeout_s: float) -> AsyncIterator[Peer]:
    async with smtp_sink() as sink:
        yield _Email(sink, email_channel(sink, timeout_s))


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
async def _outbox_mail(database: Database, timeout_s: float) -> AsyncIterator[Peer]:
    outbox = Outbox(Works(database, SystemClock()))
    yield _Outbox(outbox, OutboxMailChannel(outbox), lambda to: mail(f"wang{to}@example.com"))


@asynccontextmanager
async def _outbox_sms(database: Database, timeout_s: float) -> AsyncIterator[Peer]:
    outbox = Outbox(Works(database, SystemClock()))
    yield _Outbox(outbox, OutboxSmsChannel(outbox, CATALOGUE), lambda to: sms(number(to)))


def number(to: int) -> str:
    """A recipient's number."""
    return f"+86138001380{to:02}"


@dataclass
class _Http:
    gateway: SmsGateway
    channel: HttpSmsChannel
    moods = frozenset(Mood)

    def parcel(self, to: int = 0) -> Parcel:
        return sms(number(to))

    def be(self, mood: Mood, to: int | None = None) -> None:
        if to is not None:
            self.gateway.refused_numbers = frozenset({number(to)})
            return
        self.gateway.mood = mood.name.lower()

    async def arrived(self) -> list[tuple[str, str]]:
        return [(to, self._text(template, values)) for to, template, values in self.gateway.messages]

    def _text(self, template: str, values: str) -> str:
        """What the provider makes of a template's id and variables; Twilio got the text."""
        known = [one for one in CATALOGUE.templates.values() if template in one.ids.values()]
        if not known:
            return values
        said = json.loads(values)
        variables = said if isinstance(said, dict) else dict(zip(known[0].variables, said, strict=True))
        return known[0].text.format(**variables)


def provider(name: str, url: str) -> SmsProvider:
    """An account at the gateway."""
    match name:
        case "aliyun":
            return Aliyun(key_id=KEY_ID, key_secret=KEY_SECRET, signatures=CATALOGUE.signature, endpoint=url)
        case "tencent":
            signatures = CATALOGUE.signature
            return Tencent(key_id=KEY_ID, key_secret=KEY_SECRET, app_id=APP_ID, signatures=signatures, endpoint=url)
        case _:
            return Twilio(account=KEY_ID, token=KEY_SECRET, sender=SENDER, endpoint=url)


@asynccontextmanager
async def http_channel(
    name: str, gateway: SmsGateway, timeout_s: float = PATIENT_S, clock: Clock | None = None
) -> AsyncIterator[HttpSmsChannel]:
    """One provider's channel to the gateway."""
    channel = HttpSmsChannel(
        provider(name, gateway.url), CATALOGUE, clock or SystemClock(), rate=50, timeout_s=timeout_s
    )
    try:
        yield channel
    finally:
        await channel.close()


def _http(name: str) -> Peers:
    @asynccontextmanager
    async def peer(database: Database, timeout_s: float) -> AsyncIterator[Peer]:
        async with sms_gateway() as gateway, http_channel(name, gateway, timeout_s) as channel:
            yield _Http(gateway, channel)

    return peer


@dataclass
class _Smpp:
    centre: Smsc
    channel: SmppChannel
    moods = frozenset(Mood)

    def parcel(self, to: int = 0) -> Parcel:
        return sms(number(to))

    def be(self, mood: Mood, to: int | None = None) -> None:
        if to is not None:
            self.centre.refused_numbers = frozenset({number(to)})
            return
        self.centre.mood = mood.name.lower()

    async def arrived(self) -> list[tuple[str, str]]:
        return self.centre.messages()


@asynccontextmanager
async def smpp_channel(
    centre: Smsc, take_in: TakeIn = drop_receipts, clock: Clock | None = None, *, binds: bool = True, **more: Any
) -> AsyncIterator[SmppChannel]:
    """Bound to the centre, unless it is one that `binds` nobody."""
    window, timeout_s = more.pop("window", 10), more.pop("timeout_s", PATIENT_S)
    server = SmppServer(
        host="127.0.0.1", port=centre.port, system_id=SYSTEM_ID, password=PASSWORD, window=window, timeout_s=timeout_s
    )
    asked: dict[str, Any] = {"sender": "10690000", "rate": 50} | more
    channel = SmppChannel(server, CATALOGUE, clock or SystemClock(), **asked)
    running = asyncio.create_task(channel.run(take_in))
    try:
        if binds:
            await channel.until_bound(PATIENT_S)
        yield channel
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def _smpp(database: Database, timeout_s: float) -> AsyncIterator[Peer]:
    async with smsc() as centre, smpp_channel(centre, timeout_s=timeout_s) as channel:
        yield _Smpp(centre, channel)


PEERS: dict[str, Peers] = {
    "email": _email,
    "outbox_email": _outbox_mail,
    "outbox_sms": _outbox_sms,
    "smpp": _smpp,
    **{name: _http(name) for name in ("aliyun", "tencent", "twilio")},
}


def expected(parcel: Parcel) -> tuple[str, str]:
    """Recipient and text as they must arrive."""
    return parcel.to, parcel.text if isinstance(parcel, Mail) else text_of(parcel)


def reference(parcel: Parcel) -> UUID:
    """The parcel's own."""
    return parcel.reference
