"""The channels that the settings name, made together and run together.

What the settings cannot say alone — a catalogue of short messages with faults — is found here, before anything is started, and told
as a fault of its variable like every other one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from fairwire_server.channels.aliyun import Aliyun
from fairwire_server.channels.bounce_rules import BounceTags
from fairwire_server.channels.bounces import BounceReports
from fairwire_server.channels.email import EmailChannel
from fairwire_server.channels.outbox import Outbox, OutboxMailChannel, OutboxSmsChannel
from fairwire_server.channels.provider_rules import Verdict
from fairwire_server.channels.smpp_rules import read_statuses
from fairwire_server.channels.sms_http import HttpSmsChannel, SmsProvider
from fairwire_server.channels.sms_reports import AliyunReports, TencentReports, TwilioReports
from fairwire_server.channels.smtp_pool import SmtpServer
from fairwire_server.channels.tencent import Tencent
from fairwire_server.channels.twilio import Twilio
from fairwire_server.database.work import Works
from fairwire_server.notices.parcels import CallbackReader, Channel, ChannelKind, Receipt, TakeIn
from fairwire_server.notices.sms_catalogue import CatalogueError, SmsCatalogue, default_catalogue, read_catalogue
from fairwire_server.settings import Fault, Settings, SettingsError

if TYPE_CHECKING:
    from fairwire_server.channels.smpp import SmppChannel

__all__ = ["Channels", "bounce_tags", "build_channels", "drop_receipts", "sms_catalogue"]

IMPLICIT_TLS_PORT: Final = 465  # RFC 8314 §3.3
Runner = Callable[[TakeIn], Awaitable[None]]
"""Keeps a channel's connections until cancelled, and hands on the receipts that come by them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """One channel for each kind of parcel that can leave from here. `outbox` keeps what only the page shows."""

    by_kind: Mapping[ChannelKind, Channel]
    catalogue: SmsCatalogue
    outbox: Outbox | None = None
    callbacks: tuple[CallbackReader, ...] = ()
    """Whose reports come by HTTP: providers of short messages, and the mail server that takes bounces."""
    runners: tuple[Runner, ...] = field(default=())

    @property
    def all(self) -> tuple[Channel, ...]:
        """Email first, the way out that everything can fall over to (N6)."""
        return tuple(self.by_kind[kind] for kind in ("email", "sms") if kind in self.by_kind)

    @asynccontextmanager
    async def running(self, take_in: TakeIn) -> AsyncIterator[None]:
        """Their connections are kept while the body runs, and the receipts that come by them given to `take_in`."""
        tasks = [asyncio.ensure_future(run(take_in)) for run in self.runners]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def build_channels(settings: Settings, works: Works, secret: bytes) -> Channels:
    """Raises `SettingsError` for a catalogue with faults."""
    catalogue = sms_catalogue(settings)
    runners: list[Runner] = []
    by_kind: dict[ChannelKind, Channel] = {}
    callbacks: tuple[CallbackReader, ...] = ()
    shown = not settings.smtp_host or settings.sms_provider == "outbox"
    outbox = Outbox(works) if shown else None
    if settings.smtp_host:
        email = _email(settings, works, secret)
        by_kind["email"] = email
        if (tags := bounce_tags(settings, secret)) is not None:
            callbacks = (BounceReports(tags=tags, provider=email.name),)
        runners.append(lambda _: email.run())
    elif outbox is not None:
        by_kind["email"] = OutboxMailChannel(outbox)
    match settings.sms_provider:
        case "aliyun" | "tencent" | "twilio":
            sms, reports = _http_sms(settings, works, catalogue)
            callbacks += reports
            by_kind["sms"] = sms
            runners.append(lambda _: sms.run())
        case "smpp":
            smpp = _smpp(settings, works, catalogue)
            by_kind["sms"] = smpp
            runners.append(smpp.run)
        case _ if outbox is not None:
            by_kind["sms"] = OutboxSmsChannel(outbox, catalogue)
    return Channels(by_kind=by_kind, catalogue=catalogue, outbox=outbox, callbacks=callbacks, runners=tuple(runners))


def bounce_tags(settings: Settings, secret: bytes) -> BounceTags | None:
    """Makes and reads the addresses that bounces come back to, where one is set."""
    return BounceTags(settings.smtp_bounces, secret) if settings.smtp_bounces else None


def sms_catalogue(settings: Settings) -> SmsCatalogue:
    """The texts of short messages; all that is wrong with them as faults of the setting."""
    platform = settings.public_url or f"http://{settings.host}:{settings.port}"
    variable = "FAIRWIRE_SMS_TEMPLATES"
    try:
        if settings.sms_templates is None:
            return default_catalogue(platform)
        return read_catalogue(settings.sms_templates.read_text("utf-8"), platform, settings.sms_provider)
    except CatalogueError as error:
        raise SettingsError([Fault(variable, fault) for fault in error.faults]) from None
    except (OSError, UnicodeDecodeError):
        raise SettingsError([Fault(variable, "The file cannot be read.")]) from None


async def drop_receipts(receipts: Sequence[Receipt]) -> None:
    """A `TakeIn` where nobody keeps what became of parcels."""


def _http_sms(
    settings: Settings, works: Works, catalogue: SmsCatalogue
) -> tuple[HttpSmsChannel, tuple[CallbackReader, ...]]:
    provider, readers = _provider(settings, catalogue)
    channel = HttpSmsChannel(provider, catalogue, works.clock, rate=settings.sms_rate, timeout_s=settings.sms_timeout_s)
    return channel, readers


def _smpp(settings: Settings, works: Works, catalogue: SmsCatalogue) -> SmppChannel:
    if find_spec("smpp34") is None:
        raise SettingsError(
            [Fault("FAIRWIRE_SMS_PROVIDER", "smpp needs the extra: pip install 'fairwire[server,smpp]'.")]
        )
    from fairwire_server.channels.smpp import SmppChannel, SmppServer  # its library is an extra

    server = SmppServer(
        host=settings.smpp_host,
        port=settings.smpp_port,
        system_id=settings.smpp_system_id,
        password=settings.smpp_password,
        system_type=settings.smpp_system_type,
        tls=settings.smpp_tls,
        window=settings.smpp_window,
        timeout_s=settings.sms_timeout_s,
    )
    return SmppChannel(
        server,
        catalogue,
        works.clock,
        sender=settings.sms_sender,
        rate=settings.sms_rate,
        concatenation=settings.smpp_concatenation,
        statuses=smpp_statuses(settings),
    )


def smpp_statuses(settings: Settings) -> dict[int, Verdict]:
    """A centre's own statuses; a wrong one as a fault of the setting."""
    try:
        return read_statuses(settings.smpp_statuses)
    except ValueError as error:
        raise SettingsError([Fault("FAIRWIRE_SMPP_STATUSES", f"{error}.")]) from None


def _provider(settings: Settings, catalogue: SmsCatalogue) -> tuple[SmsProvider, tuple[CallbackReader, ...]]:
    key, secret, token = settings.sms_key_id, settings.sms_key_secret, settings.sms_callback_token
    endpoint = {"endpoint": settings.sms_endpoint} if settings.sms_endpoint else {}
    match settings.sms_provider:
        case "aliyun":
            aliyun = Aliyun(key_id=key, key_secret=secret, signatures=catalogue.signature, **endpoint)
            return aliyun, (AliyunReports(token=token),) if token else ()
        case "tencent":
            tencent = Tencent(
                key_id=key,
                key_secret=secret,
                app_id=settings.sms_app_id,
                region=settings.sms_region,
                signatures=catalogue.signature,
                **endpoint,
            )
            return tencent, (TencentReports(token=token),) if token else ()
        case _:
            callback = f"{settings.public_url}/callbacks/twilio" if settings.public_url else ""
            twilio = Twilio(account=key, token=secret, sender=settings.sms_sender, callback=callback, **endpoint)
            return twilio, (TwilioReports(auth_token=secret),) if callback else ()


def _email(settings: Settings, works: Works, secret: bytes) -> EmailChannel:
    server = SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        user=settings.smtp_user,
        password=settings.smtp_password,
        starttls=settings.smtp_starttls,
        implicit_tls=settings.smtp_port == IMPLICIT_TLS_PORT,
        timeout_s=settings.smtp_timeout_s,
    )
    return EmailChannel(
        server,
        works.clock,
        sender=settings.smtp_from,
        tags=bounce_tags(settings, secret),
        connections=settings.smtp_connections,
        rate=settings.smtp_rate,
    )
