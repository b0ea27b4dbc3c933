"""A fair in files, and what the database holds after importing them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

import msgspec

from fairwire_server.bus.notify import notify_reset
from fairwire_server.clock import Clock, SystemClock
from fairwire_server.database.pool import Connection, Database
from fairwire_server.importing.failures import FailureFiles
from fairwire_server.importing.importer import Importer, Options
from fairwire_server.importing.report import Report
from fairwire_server.importing.sources import open_sources
from fairwire_server.importing.writing import Tell

FAIR = {"code": "cf140", "name_en": "140th Fair", "opens_at": "2026-10-15", "closes_at": "2026-11-05"}

Rows = Sequence[Mapping[str, object]]


class Failed(msgspec.Struct, frozen=True):
    """A line of a failures file, as somebody else reads it."""

    line: int
    kind: str
    reason: str
    message: str
    field: str | None = None
    row: dict[str, object] | str | None = None


def as_csv(rows: Rows, delimiter: str = ",") -> str:
    """Rows as a CSV file; the first row's keys are the header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


class Fairground:
    """Writes files into a folder and imports them into a database."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.told: list[UUID] = []

    def file(self, name: str, content: str | bytes) -> str:
        """A file of that content; answers its name for the import."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    async def files(
        self, *names: str, options: Options | None = None, clock: Clock | None = None, encoding: str = "utf-8"
    ) -> Report:
        """Import these files."""
        sources = open_sources(names, encoding=encoding)
        importer = Importer(self.database, clock or SystemClock(), self._tell, options)
        with FailureFiles.beside([source.name for source in sources]) as failures:
            return await importer.run(sources, failures)

    async def rows(self, **kinds: Rows) -> Report:
        """Import rows, a CSV file for each kind: `exhibitors=[{...}]`."""
        return await self.rows_with(None, **kinds)

    async def rows_with(self, options: Options | None, /, **kinds: Rows) -> Report:
        """As `rows`, with options."""
        names = [self.file(f"{kind}.csv", as_csv(rows)) for kind, rows in kinds.items()]
        return await self.files(*names, options=options)

    def failed(self, name: str) -> list[Failed]:
        """What stands in the failures file of the file `name`."""
        path = self.folder / f"{name}.failed.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [msgspec.json.decode(line, type=Failed) for line in lines]

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Rows of the database."""
        async with self.database.reader() as connection:
            return [dict(row) for row in await connection.fetch(query, *args)]

    async def value(self, query: str, *args: object) -> object:
        """One value."""
        return next(iter((await self.fetch(query, *args))[0].values()))

    @property
    def _tell(self) -> Tell:
        async def tell(connection: Connection, accounts: Sequence[UUID]) -> None:
            self.told += accounts
            await notify_reset(connection, accounts)

        return tell


def adds_up(report: Report) -> bool:
    """total = created + updated + unchanged + failed + duplicate, for each kind."""
    return all(
        counts.total
        == counts.created + counts.updated + counts.unchanged + sum(counts.failed.values()) + counts.duplicate
        for counts in report.kinds.values()
    )
