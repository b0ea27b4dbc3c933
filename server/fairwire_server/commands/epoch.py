"""`epoch`: declare every position of before meaningless, by hand."""

from __future__ import annotations

import click

from fairwire_server.bus.notify import notify_reset
from fairwire_server.clock import SystemClock
from fairwire_server.commands.common import open_database, run
from fairwire_server.database.work import Works
from fairwire_server.settings import Settings, from_environment
from fairwire_server.streams.store import StreamStore

__all__ = ["command"]

STATEMENT_S = 900.0


@click.command()
@click.option("--new", is_flag=True, required=True, help="Give every stream a new random epoch.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(new: bool, yes: bool) -> None:
    """Make every client load a fresh snapshot, after the database went back in time.

    Clients resume from positions in streams (W6). When a volume or a backup was restored, positions that clients have
    may name other events now. `serve` notices a restored database cluster by itself; a volume put back byte for byte
    looks untouched, and this command is what tells. A running server is told at once.

    \b
    Example:
      python -m fairwire_server epoch --new --yes
    """
    if not yes:
        click.confirm("Every client of every fair will load everything anew. Go on?", abort=True)
    run(_renew(from_environment()))
    click.echo("Every stream has a new epoch.")


async def _renew(settings: Settings) -> None:
    async with (
        open_database(settings, command_timeout=STATEMENT_S, name="fairwire epoch") as database,
        Works(database, SystemClock()).begin() as work,
    ):
        await StreamStore().reset_everything(work.connection)
        await notify_reset(work.connection)
