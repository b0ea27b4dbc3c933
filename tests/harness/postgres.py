"""A real PostgreSQL for a test session, and a database of its own for every test that asks.

One embedded cluster is started when the first test needs it. The template is migrated once; a test's database is a copy
of it and is dropped afterwards. The cluster is not durable (no fsync): a test that pulls the plug makes its own engine.

It lies in shared memory where there is enough: copying a template's 300 files takes 25 ms there, 400 ms on some disks.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from fairwire_server.database.engine import EmbeddedEngine
from fairwire_server.database.file_lock import FileLock
from fairwire_server.database.migrate import migrate_database

TEMPLATE = "fairwire_template"
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 2 * 1024**3
PREFIX = "fairwire-tests-"


class Cluster:
    """The session's PostgreSQL; `database()` lends a migrated one, `empty_database()` one without any table."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        self.engine = engine
        self._numbers: Iterator[int] = itertools.count(1)
        self._template_made = False

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """The URL of a fresh copy of the migrated template."""
        if not self._template_made:
            await self._command(f"CREATE DATABASE {TEMPLATE}")
            await migrate_database(self.engine.dsn(TEMPLATE))
            self._template_made = True
        async with self._lent(f"TEMPLATE {TEMPLATE} STRATEGY file_copy") as url:
            yield url

    @asynccontextmanager
    async def empty_database(self) -> AsyncIterator[str]:
        """The URL of a database that was never migrated."""
        async with self._lent("") as url:
            yield url

    @asynccontextmanager
    async def _lent(self, options: str) -> AsyncIterator[str]:
        name = f"test_{next(self._numbers)}"
        await self._command(f"CREATE DATABASE {name} {options}")
        try:
            yield self.engine.dsn(name)
        finally:
            await self._command(f"DROP DATABASE {name} WITH (FORCE)")

    async def _command(self, sql: str) -> None:
        connection = await asyncpg.connect(self.engine.dsn("postgres"), timeout=10, command_timeout=60)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


@asynccontextmanager
async def session_cluster(fallback: Path) -> AsyncIterator[Cluster]:
    """Starts the cluster, in memory or below `fallback`, and removes it with its files at the end."""
    for folder in _abandoned():
        await EmbeddedEngine(folder).stop()
        shutil.rmtree(folder, ignore_errors=True)
    folder = _folder(fallback)
    engine = EmbeddedEngine(folder, durable=False, tuning={"shared_buffers": "128MB", "max_connections": "200"})
    await engine.start()
    try:
        yield Cluster(engine)
    finally:
        await engine.stop()
        shutil.rmtree(folder)


def _folder(fallback: Path) -> Path:
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=MEMORY if roomy else fallback))


def _abandoned() -> list[Path]:
    """What sessions that were killed have left in memory: a minute old, ours, and its engine without any user."""
    found = []
    for folder in MEMORY.glob(f"{PREFIX}*"):
        owned = folder.stat().st_uid == os.geteuid() and time.time() - folder.stat().st_mtime > 60
        lock = folder / "postgres" / "users.lock"
        if owned and (not lock.exists() or FileLock(lock).is_free()):
            found.append(folder)
    return found
