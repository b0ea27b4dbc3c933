"""`worker`: does what falls due, and takes no calls. One is enough; a second one stands in when the first is gone."""

from __future__ import annotations

import asyncio
import signal

import click

from fairwire_server.commands.common import open_database, run
from fairwire_server.compose import open_node
from fairwire_server.compose.doors import open_admin_door
from fairwire_server.observe import configure_logs
from fairwire_server.settings import Settings, from_environment

__all__ = ["command"]


@click.command()
def command() -> None:
    """Do what falls due until SIGTERM or Ctrl-C: send notices, expire offers, sweep waiting chats and images, prune logs, recover
    the search index.

    Every `serve` does this itself unless FAIRWIRE_BACKGROUND=worker. Several workers, and workers beside nodes that do it too,
    are right: whatever is decided is decided on locked rows. Health and metrics stand on the admin address.

    \b
    Example:
      FAIRWIRE_DATABASE_URL=postgresql://fair@db/fair FAIRWIRE_REDIS_URL=redis://bus python -m fairwire_server worker
    """
    settings = from_environment()
    configure_logs(level=settings.log_level, shape=settings.log_format)
    run(_work(settings))


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with (
        open_database(settings, name="fairwire worker") as database,
        open_node(settings, database, worker=True) as node,
        open_admin_door(node) as port,
    ):
        click.echo(f"Working; health and metrics http://{settings.admin_host}:{port}", err=True)
        await stop.wait()
