"""Migrations: `migrations/NNNN_what.sql`, applied once, in order, all pending ones in one transaction.

Every applied file is remembered with its digest. A file that changed after it was applied, a number that is missing, or
a database that is ahead of this program stops the run before anything is done: guessing would cost data. An advisory
lock lets processes that start together take turns.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, TypeAlias

import asyncpg

from .errors import DatabaseError
from .pool import Connection, connect
from .queries import Queries, load_queries

__all__ = ["Migration", "MigrationError", "migrate", "migrate_database", "pending", "pending_in", "read_migrations"]

Progress = Callable[[str], None]
AnyConnection: TypeAlias = "Connection | asyncpg.Connection[asyncpg.Record]"

FILE_NAME: Final = re.compile(r"(?P<version>\d{4})_[a-z0-9_]+\.sql")
STATEMENT_S: Final = 3600.0


class MigrationError(DatabaseError):
    """The database and the migrations of this program do not fit together, or a migration failed."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, its name without the ending, its SQL and the digest that is remembered."""

    version: int
    name: str
    sql: str
    checksum: str


async def migrate_database(
    dsn: str, progress: Progress | None = None, directory: Traversable | None = None
) -> list[str]:
    """`migrate` over a connection of its own, which has no time limit of requests."""
    connection = await connect(dsn, command_timeout=STATEMENT_S, application_name="fairwire migrate")
    try:
        return await migrate(connection, progress, directory)
    finally:
        await connection.close()


async def migrate(
    conn: AnyConnection, progress: Progress | None = None, directory: Traversable | None = None
) -> list[str]:
    """Applies what is pending and returns the names applied; `progress` hears each name before it runs."""
    queries = load_queries(__package__)
    known = read_migrations(directory)
    async with conn.transaction():
        await conn.execute(queries["lift_timeouts"])
        await conn.execute(queries["lock_migrations"])
        await conn.execute(queries["create_migrations_table"])
        todo = _pending(known, await conn.fetch(queries["applied_migrations"]))
        for migration in todo:
            if progress is not None:
                progress(migration.name)
            await _apply(conn, migration, queries)
    return [migration.name for migration in todo]


async def pending(conn: AnyConnection, directory: Traversable | None = None) -> list[str]:
    """Names that `migrate` would apply now; raises as it would. Changes nothing."""
    queries = load_queries(__package__)
    exists = await conn.fetchval(queries["has_migrations_table"])
    applied = await conn.fetch(queries["applied_migrations"]) if exists else []
    return [migration.name for migration in _pending(read_migrations(directory), applied)]


async def pending_in(dsn: str, directory: Traversable | None = None) -> list[str]:
    """`pending` over a connection of its own."""
    connection = await connect(dsn, command_timeout=60, application_name="fairwire migrate")
    try:
        return await pending(connection, directory)
    finally:
        await connection.close()


def read_migrations(directory: Traversable | None = None) -> list[Migration]:
    """The files of `directory` (by default ours) in order; numbers count 1, 2, 3 … without a hole."""
    folder = files(__package__).joinpath("migrations") if directory is None else directory
    found = []
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".sql"):
            continue
        if not (match := FILE_NAME.fullmatch(file.name)):
            raise MigrationError(f"{file.name} is not named like 0001_what_it_does.sql.")
        sql = file.read_text("utf-8").replace("\r\n", "\n")
        digest = hashlib.sha256(sql.encode()).hexdigest()
        found.append(Migration(int(match["version"]), file.name.removesuffix(".sql"), sql, digest))
    for expected, migration in enumerate(found, start=1):
        if migration.version != expected:
            raise MigrationError(f"{migration.name} stands where {expected:04} should be: doubled or missing number.")
    return found


def _pending(known: list[Migration], applied: list[asyncpg.Record]) -> list[Migration]:
    """What is left to apply, after checking that what was applied is what the files still say."""
    if len(applied) > len(known):
        newest = applied[-1]["name"]
        raise MigrationError(f"The database is newer than this program: it has {newest}. Install a newer Fairwire.")
    for row, migration in zip(applied, known, strict=False):
        if row["version"] != migration.version:
            raise MigrationError(f"The database lacks {migration.name} but has the later {row['name']}.")
        if row["checksum"] != migration.checksum:
            raise MigrationError(
                f"{migration.name} changed after it was applied (as {row['name']}). An applied migration is never "
                "edited: restore the file and put the change into a new one."
            )
    return known[len(applied) :]


async def _apply(conn: AnyConnection, migration: Migration, queries: Queries) -> None:
    try:
        await conn.execute(migration.sql, timeout=STATEMENT_S)
    except asyncpg.PostgresError as error:
        where = f" near character {error.position}" if getattr(error, "position", None) else ""
        raise MigrationError(f"{migration.name} failed{where}, nothing was changed: {error}") from error
    if not conn.is_in_transaction():
        raise MigrationError(
            f"{migration.name} ended the transaction itself; leave BEGIN and COMMIT out of migrations."
        )
    await conn.execute(queries["record_migration"], migration.version, migration.name, migration.checksum)
