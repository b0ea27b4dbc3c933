"""Exhibits as work that an account holds: a chat opened from one goes to its owner (A6, C6)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from fairwire_server.database.queries import load_queries
from fairwire_server.database.work import Work

__all__ = ["OwnedExhibits"]


class OwnedExhibits:
    """`Holdings` of the exhibits an account owns. Nobody's stream says who owns an exhibit, so nothing is announced."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__)

    async def list_open(self, work: Work, account: UUID) -> Sequence[tuple[str, UUID]]:
        """("exhibit", id) of everything it owns."""
        return [("exhibit", row["id"]) for row in await work.connection.fetch(self._sql["owned"], account)]

    async def hand_over(self, work: Work, source: UUID, target: UUID, by: UUID) -> None:
        """All of it to `target`."""
        await work.connection.execute(self._sql["hand_over"], source, target)
