"""The channels that the settings name, made together and run together.

What the settings cannot say alone — a catalogue of short messages with faults — is found here, before anything is started, and told
as a fault of its variable like every other one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fairwire_server.channels.bounce_rules import BounceTags
from fairwire_server.channels.email import EmailChannel
from fairwire_server.channels.outbox import Outbox, OutboxMailChannel, OutboxSmsChannel
from fairwire_server.channels.smtp_pool import SmtpServer
from fairwire_server.database.work import Works
from fairwire_server.notices.parcels import Channel, ChannelKind, Receipt, TakeIn
from fairwire_server.notices.sms_catalogue import CatalogueError, SmsCatalogue, default_catalogue, read_catalogue
from fairwire_server.settings import Fault, Settings, SettingsError

__all__ = ["Channels", "bounce_tags", "build_channels", "sms_catalogue"]

Runner = Callable[[TakeIn], Awaitable[None]]
"""Keeps a channel's connections until cancelled, and hands on the receipts that come by them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """One channel for each kind of parcel that can leave from here. `outbox` keeps what only the page shows."""

    by_kind: Mapping[ChannelKind, Channel]
    catalogue: SmsCatalogue
    outbox: Outbox | None = None
    runners: tuple[Runner, ...] = field(default=())

    @property
    def all(self) -> tuple[Channel, ...]:
        """Email first, the way out that everything can fall over to (N6)."""
        return tuple(self.by_kind[kind] for kind in ("email", "sms") if kind in self.by_kind)

    @asynccontextmanager
    async def running(self, take_in: TakeIn | None = None) -> AsyncIterator[None]:
        """Their connections are kept while the body runs, and receipts given to `take_in`, or dropped."""
        take_in = take_in or _drop
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
    outbox: Outbox | None = None
    if settings.smtp_host:
        email = _email(settings, works, secret)
        by_kind["email"] = email
        runners.append(lambda _: email.run())
    else:
        outbox = Outbox(works)
        by_kind["email"] = OutboxMailChannel(outbox)
    if settings.sms_provider == "outbox" or outbox is not None:
        outbox = outbox or Outbox(works)
        by_kind["sms"] = OutboxSmsChannel(outbox, catalogue)
    return Channels(by_kind=by_kind, catalogue=catalogue, outbox=outbox, runners=tuple(runners))


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


async def _drop(receipts: Sequence[Receipt]) -> None:
    """Where nobody keeps what became of parcels."""


def _email(settings: Settings, works: Works, secret: bytes) -> EmailChannel:
    server = SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        user=settings.smtp_user,
        password=settings.smtp_password,
        starttls=settings.smtp_starttls,
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
