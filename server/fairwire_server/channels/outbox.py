"""The outbox page's channels: what would leave becomes rows, which the embedded default shows instead of sending.

They keep what the other channels would have sent, HTML, invitation and segments included, so that everything about a notice can be
seen on a machine without a mail server and without an SMS provider.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from fairwire_protocol.errors import FairwireError
from fairwire_server.channels.sms_text import words_of
from fairwire_server.database.errors import DatabaseError
from fairwire_server.database.ids import uuid7
from fairwire_server.database.queries import load_queries
from fairwire_server.database.together import Together
from fairwire_server.database.work import Work, Works
from fairwire_server.notices.parcels import ChannelKind, Mail, Parcel, Taken, TryLater, Undeliverable
from fairwire_server.notices.segment_rules import segments
from fairwire_server.notices.sms_catalogue import SmsCatalogue

__all__ = ["KEPT", "Outbox", "OutboxMailChannel", "OutboxParcel", "OutboxSmsChannel"]

KEPT: Final = 500
_RATE: Final = 1000.0
_TURNS: Final[Mapping[ChannelKind, UUID]] = {"email": UUID(int=1), "sms": UUID(int=2)}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxParcel:
    """A mail or a short message as the page shows it."""

    id: UUID
    kind: ChannelKind
    recipient: str
    at: datetime
    text: str
    subject: str = ""
    language: str = ""
    html: str | None = None
    calendar: str | None = None
    calendar_method: str | None = None
    unsubscribe: str | None = None
    template: str = ""
    encoding: str = ""
    segments: tuple[str, ...] = ()


class Outbox:
    """The rows; the newest `KEPT` of each kind."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._together = Together(works)  # or a burst of reminders would hold every connection that chats need (N5)
        self._sql = load_queries(__package__)

    async def keep(self, kind: ChannelKind, *values: object) -> None:
        """One more row, and the oldest forgotten. Raises `TryLater`."""
        try:
            await self._together.run(_TURNS[kind], partial(self._keep, kind, values))
        except (FairwireError, DatabaseError):
            raise TryLater("database") from None

    async def _keep(self, kind: ChannelKind, values: Sequence[object], work: Work) -> None:
        await work.connection.execute(self._sql[f"keep_{kind}"], uuid7(), work.now, *values)
        await work.connection.execute(self._sql[f"forget_{kind}"], KEPT - 1)

    async def newest(self, limit: int = 50) -> list[OutboxParcel]:
        """What the page shows, the newest first."""
        async with self._works.read() as work:
            rows = await work.connection.fetch(self._sql["newest_parcels"], limit)
        return [_parcel(dict(row)) for row in rows]

    async def find(self, parcel: UUID) -> OutboxParcel | None:
        """One of them."""
        async with self._works.read() as work:
            row = await work.connection.fetchrow(self._sql["find_parcel"], parcel)
        return None if row is None else _parcel(dict(row))


class OutboxMailChannel:
    """Takes every mail, since nothing leaves the machine."""

    name = "outbox_email"
    kind: ChannelKind = "email"
    rate = _RATE

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def send(self, parcel: Parcel, may_leave: Callable[[], bool] | None = None) -> Taken:
        """Keep it for the page."""
        if not isinstance(parcel, Mail):
            raise Undeliverable("not_a_mail")
        _demand(may_leave)
        calendar = None if parcel.calendar is None else parcel.calendar.decode()
        await self._outbox.keep(
            "email",
            parcel.to,
            parcel.subject,
            parcel.text,
            parcel.language,
            parcel.html,
            calendar,
            parcel.calendar_method,
            parcel.unsubscribe,
        )
        return Taken(provider=self.name, reference=parcel.reference.hex)


class OutboxSmsChannel:
    """Takes every short message, in the words of the catalogue."""

    name = "outbox_sms"
    kind: ChannelKind = "sms"
    rate = _RATE

    def __init__(self, outbox: Outbox, catalogue: SmsCatalogue) -> None:
        self._outbox = outbox
        self._catalogue = catalogue

    async def send(self, parcel: Parcel, may_leave: Callable[[], bool] | None = None) -> Taken:
        """Keep it for the page, cut as it would have left."""
        sms, template, text = words_of(parcel, self._catalogue)
        cut = segments(text)
        _demand(may_leave)
        name = f"{template.kind}.{template.language}"
        await self._outbox.keep("sms", sms.to, text, template.language, name, cut.encoding, list(cut.parts))
        return Taken(provider=self.name, reference=sms.reference.hex, segments=cut.count)


def _demand(may_leave: Callable[[], bool] | None) -> None:
    if may_leave is not None and not may_leave():
        raise TryLater("lease_over")


def _parcel(row: dict[str, object]) -> OutboxParcel:
    parts = row.pop("segments")
    return OutboxParcel(**row, segments=tuple(parts) if isinstance(parts, list) else ())  # type: ignore[arg-type]  # the row's columns
