"""The outbox page's channel: letters become rows that the embedded default shows instead of sending."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from fairwire_protocol.errors import FairwireError
from fairwire_server.accounts.letters import AddressKind, Letter
from fairwire_server.channels.channel import TryLater
from fairwire_server.database.errors import DatabaseError
from fairwire_server.database.queries import load_queries
from fairwire_server.database.work import Works

__all__ = ["OutboxChannel", "OutboxLetter"]

KEPT: Final = 500


@dataclass(frozen=True, slots=True)
class OutboxLetter:
    """A letter as the page shows it."""

    id: UUID
    recipient: str
    subject: str
    text: str
    at: datetime


class OutboxChannel:
    """Reaches every address, since nothing leaves the machine."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._sql = load_queries(__package__)

    def reaches(self, kind: AddressKind) -> bool:
        """Email and mobile alike."""
        return True

    async def send(self, letter: Letter) -> None:
        """Keep it for the page."""
        try:
            async with self._works.begin() as work:
                await work.connection.execute(
                    self._sql["keep_letter"], uuid7(), letter.to, letter.subject, letter.text, work.now
                )
                await work.connection.execute(self._sql["forget_letters"], KEPT - 1)
        except (FairwireError, DatabaseError):
            raise TryLater("database") from None

    async def newest(self, limit: int = 50) -> list[OutboxLetter]:
        """What the page shows, the newest first."""
        async with self._works.read() as work:
            rows = await work.connection.fetch(self._sql["newest_letters"], limit)
        return [OutboxLetter(**dict(row)) for row in rows]
