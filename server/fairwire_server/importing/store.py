"""The importer's connection: temporary tables, copying into them, and the named statements over them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg

from fairwire_server.database.errors import translated
from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries
from fairwire_server.importing.staging import TABLES, Batch

__all__ = ["ImportStore", "Record", "RowsRefused"]

Record: TypeAlias = asyncpg.Record

STATEMENT_S: Final = 900.0
FILES: Final = ("staging.sql", "catalogue.sql", "parties.sql", "demo.sql")

# What says that a value does not fit, not that the database is unwell.
_REFUSALS: Final = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, asyncpg.ProgramLimitExceededError)


class RowsRefused(Exception):
    """A constraint or a bound of the database refused a batch; nothing of it was written."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)


class ImportStore:
    """Named statements on one connection, which the importer has for itself as long as it works."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = {name: sql for file in FILES for name, sql in load_queries(__package__, file).items()}

    async def prepare(self) -> None:
        """Lift the limits of requests from this connection and make the staged tables."""
        await self.fetch("prepare_session")
        await self.execute("create_staging")
        await self.execute("create_batch")

    async def copy(self, batch: Batch) -> None:
        """Append the records of `batch` to the staged tables."""
        for table, records in batch.records.items():
            if records:
                await self.connection.copy_records_to_table(
                    table, records=records, columns=TABLES[table], timeout=STATEMENT_S
                )

    async def execute(self, name: str, *args: object) -> None:
        """Run a named statement."""
        await self.connection.execute(self._sql[name], *args, timeout=STATEMENT_S)

    async def fetch(self, name: str, *args: object) -> list[asyncpg.Record]:
        """The rows of a named statement."""
        return await self.connection.fetch(self._sql[name], *args, timeout=STATEMENT_S)

    async def ids(self, name: str, *args: object) -> list[UUID]:
        """The first column of a named statement."""
        return [row[0] for row in await self.fetch(name, *args)]

    async def next_batch(self, kind: str, after: int, size: int) -> tuple[int, int] | None:
        """Where the next batch of a kind ends and how many rows it has."""
        row = (await self.fetch("next_batch", kind, after, size))[0]
        return (row["last"], row["rows"]) if row["rows"] else None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """One transaction, or a savepoint inside one. Raises `RowsRefused`, or what `translated` says."""
        try:
            async with self.connection.transaction():
                yield
        except _REFUSALS as error:
            name = getattr(error, "constraint_name", None)
            raise RowsRefused(str(name or type(error).__name__)) from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            meant = translated(error, connection_lost=self.connection.is_closed())
            if meant is error:
                raise
            raise meant from error

    @asynccontextmanager
    async def rehearsal(self, dry: bool) -> AsyncIterator[None]:
        """A transaction around everything that is rolled back at the end, when `dry`."""
        if not dry:
            yield
            return
        transaction = self.connection.transaction()
        await transaction.start()
        try:
            yield
        finally:
            await transaction.rollback()
