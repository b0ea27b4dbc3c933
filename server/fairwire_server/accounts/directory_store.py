"""Rows of the fair's directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from fairwire_protocol.models import Exhibit, ExhibitorCard, Section
from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries

__all__ = ["DirectoryStore", "FairRow"]


@dataclass(frozen=True, slots=True)
class FairRow:
    """A fair with its sections."""

    id: UUID
    code: str
    name_zh: str
    name_en: str
    time_zone: str
    opens_at: datetime
    closes_at: datetime
    settings: bytes
    sections: tuple[Section, ...]


class DirectoryStore:
    """Named queries over fairs, exhibitors and exhibits."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__, "directory.sql")

    async def fair(self, connection: Connection, code: str) -> FairRow | None:
        """The fair of that code."""
        row = await connection.fetchrow(self._sql["fair"], code)
        if row is None:
            return None
        sections = msgspec.json.decode(row["sections"], type=tuple[Section, ...])
        return FairRow(**{**dict(row), "sections": sections})

    async def exhibitors(
        self,
        connection: Connection,
        fair: UUID,
        words: str | None,
        section: UUID | None,
        after: UUID | None,
        limit: int,
    ) -> list[ExhibitorCard]:
        """A page of the fair's exhibitors by name; `words` is a tsquery."""
        if words is None:
            rows = await connection.fetch(self._sql["exhibitors"], fair, section, after, limit)
        else:
            rows = await connection.fetch(self._sql["exhibitors_by_words"], fair, words, section, after, limit)
        return [_card(dict(row)) for row in rows]

    async def exhibitor(self, connection: Connection, exhibitor: UUID, fair: UUID) -> ExhibitorCard | None:
        """One exhibitor of the fair."""
        row = await connection.fetchrow(self._sql["exhibitor"], exhibitor, fair)
        return None if row is None else _card(dict(row))

    async def listed_exhibits(self, connection: Connection, exhibitor: UUID, limit: int) -> tuple[Exhibit, ...]:
        """Its listed exhibits, the newest first."""
        rows = await connection.fetch(self._sql["listed_exhibits"], exhibitor, limit)
        return tuple(Exhibit(**{**dict(row), "tags": tuple(row["tags"])}) for row in rows)


def _card(row: Mapping[str, Any]) -> ExhibitorCard:
    return ExhibitorCard(**{**row, "sections": tuple(map(str, row["sections"]))})
