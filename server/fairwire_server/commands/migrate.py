"""`migrate`: bring the tables up to date, or tell what that would do."""

from __future__ import annotations

import click

from fairwire_server.commands.common import ProgressLine, database_url, run
from fairwire_server.database.migrate import migrate_database, pending_in
from fairwire_server.settings import Settings, from_environment

__all__ = ["command"]


@click.command()
@click.option("--check", is_flag=True, help="Change nothing: list what is pending, exit code 1 if anything is.")
def command(check: bool) -> None:
    """Bring the database's tables up to date.

    Applies every migration that the database has not seen, in order, all in one transaction: either all of them are in
    or nothing has changed. Running it again does nothing. Several processes may run it at once; they take turns.

    It stops, changing nothing, when the database is newer than this program or when a migration was edited after it had
    been applied. `serve` does the same for the embedded database by itself; for one of your own, run this before you
    start new nodes.

    \b
    Examples:
      python -m fairwire_server migrate
      FAIRWIRE_DATABASE_URL=postgresql://fair@db/fair python -m fairwire_server migrate --check
    """
    names = run(_pending(from_environment()) if check else _migrate(from_environment()))
    for name in names:
        click.echo(f"{'pending' if check else 'applied'}  {name}")
    if not names:
        click.echo("The database is up to date.")
    elif check:
        raise click.exceptions.Exit(1)


async def _pending(settings: Settings) -> list[str]:
    async with database_url(settings) as url:
        return await pending_in(url)


async def _migrate(settings: Settings) -> list[str]:
    progress = ProgressLine()
    async with database_url(settings) as url:
        try:
            return await migrate_database(url, lambda name: progress(f"Migrating: {name}"))
        finally:
            progress.close()
