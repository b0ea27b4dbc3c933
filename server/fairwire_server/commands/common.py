"""What commands share: running to the end, a progress line, and the database as the settings describe it."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import click
import uvloop

from fairwire_protocol.errors import FairwireError, Unavailable
from fairwire_server.bus.bus import AnotherNodeError
from fairwire_server.database.engine import EmbeddedEngine
from fairwire_server.database.errors import DatabaseError
from fairwire_server.database.migrate import migrate_database, pending_in
from fairwire_server.database.pool import Database
from fairwire_server.settings import Settings

__all__ = ["ProgressLine", "allow_many_sockets", "collect_seldom", "database_url", "open_database", "run"]

Result = TypeVar("Result")


class ProgressLine:
    """One line on the terminal that is written over; without a terminal, a line for each thing said."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._open = False

    def __call__(self, text: str) -> None:
        """Say what is being done now."""
        click.echo(f"\r\x1b[K{text} …" if self._terminal else f"{text} …", err=True, nl=not self._terminal)
        self._open = self._terminal

    def close(self) -> None:
        """Clear the line, so that the next output starts at its beginning."""
        if self._open:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._open = False


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Runs a command's coroutine; SIGTERM ends it as Ctrl-C does, and expected errors become one line and exit code 1."""

    async def until_told() -> Result:
        task = asyncio.ensure_future(work)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(until_told())
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    except Unavailable as error:
        reason = error.__cause__ or error
        raise click.ClickException(f"The database does not answer ({type(reason).__name__}: {reason}).") from error
    except FairwireError as error:
        raise click.ClickException(error.message) from error
    except asyncio.CancelledError:
        raise click.Abort from None
    except ExceptionGroup as group:
        refused = group.subgroup(AnotherNodeError)
        if refused is None:
            raise
        raise click.ClickException(str(_first(refused))) from None


def _first(error: BaseException) -> BaseException:
    """The innermost error of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@asynccontextmanager
async def database_url(settings: Settings) -> AsyncIterator[str]:
    """The URL of the configured database, or of the embedded one, which runs (and is revived) while the body does."""
    if settings.database_url:
        yield settings.database_url
        return
    progress = ProgressLine()
    engine = EmbeddedEngine(settings.data_dir)
    try:
        await engine.start(progress)
    finally:
        progress.close()
    try:
        supervisor = asyncio.create_task(engine.supervise(progress))
        try:
            yield engine.dsn()
        finally:
            supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await supervisor
    finally:
        await engine.stop()


@asynccontextmanager
async def open_database(
    settings: Settings, *, migrate: bool = False, command_timeout: float | None = None, name: str = "fairwire"
) -> AsyncIterator[Database]:
    """A pool over the configured or the embedded database, its tables up to date.

    The embedded one is migrated on the way. A configured one only with `migrate`; otherwise what is pending is an error,
    since other nodes may run on it. `command_timeout` replaces the setting for bulk work; `name` is shown by PostgreSQL.
    """
    async with database_url(settings) as url:
        if migrate or not settings.database_url:
            progress = ProgressLine()
            try:
                await migrate_database(url, lambda step: progress(f"Migrating: {step}"))
            finally:
                progress.close()
        elif names := await pending_in(url):
            raise click.ClickException(
                f"The database lacks {len(names)} migrations; run `python -m fairwire_server migrate` first."
            )
        database = await Database.open(
            url,
            min_size=settings.pool_min,
            max_size=settings.pool_max,
            command_timeout=command_timeout or settings.command_timeout_s,
            lock_timeout_ms=settings.lock_timeout_ms,
            application_name=name,
        )
        async with database:
            yield database


def collect_seldom() -> None:
    """What lives as long as the process is not searched for garbage any more, and new garbage less often: cycles are rare in a
    message's way, and looking for them every 700 objects took a seventh of the time under load. Thousands of sockets that come are
    looked through in small heaps: one of a million objects would stop the loop for a third of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 2, 2_000)


def allow_many_sockets() -> None:
    """Every socket is an open file, and shells and engines of containers often give a process 1,024: take all that may be had."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
