"""`serve`: a node with its doors open, until SIGTERM; then a drain (W14)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

import click

from fairwire_server.clock import SystemClock
from fairwire_server.commands.common import allow_many_sockets, collect_seldom, open_database, run
from fairwire_server.compose import open_node
from fairwire_server.compose.doors import Doors, open_doors
from fairwire_server.database.pool import Database
from fairwire_server.doors.pages import DemoSignIn
from fairwire_server.importing.demo.install import ensure_demo
from fairwire_server.observe import configure_logs
from fairwire_server.settings import Settings, from_environment

__all__ = ["command"]


@click.command()
def command() -> None:
    """Run a server until SIGTERM or Ctrl-C.

    Without FAIRWIRE_DATABASE_URL it runs a PostgreSQL of its own in FAIRWIRE_DATA_DIR (./data), reachable through a local
    socket only, brings its tables up to date, and continues where it was stopped. With FAIRWIRE_DEMO=1 a small fair is
    made at the first start, and the start page shows whom to sign in as.

    On SIGTERM it stops being ready, tells every socket to come back elsewhere, finishes what is under way, and exits
    with 0 within 30 seconds.

    \b
    Examples:
      FAIRWIRE_DEMO=1 python -m fairwire_server serve
      FAIRWIRE_PORT=9000 FAIRWIRE_DATABASE_URL=postgresql://fair@db/fair python -m fairwire_server serve
    """
    settings = from_environment()
    configure_logs(level=settings.log_level, shape=settings.log_format)
    allow_many_sockets()
    run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_database(settings) as database:
        sign_ins = await _demo_sign_ins(settings, database)
        async with open_node(settings, database) as node, open_doors(node, sign_ins) as doors:
            _tell(settings, doors, sign_ins)
            collect_seldom()
            await stop.wait()
            click.echo("Stopping: telling every socket, finishing what is under way …", err=True)
            doors.health.draining = True
            await node.drain()


async def _demo_sign_ins(settings: Settings, database: Database) -> Sequence[DemoSignIn]:
    if not settings.demo:
        return ()
    accounts = await ensure_demo(database, SystemClock())
    if accounts is None:
        return ()
    return [
        DemoSignIn(role=one.kind, name=one.name, fair=accounts.fair, login=one.login, password=accounts.password)
        for one in accounts.accounts
    ]


def _tell(settings: Settings, doors: Doors, sign_ins: Sequence[DemoSignIn]) -> None:
    url = settings.public_url or f"http://{settings.host}:{doors.port}"
    click.echo(f"\n  Fairwire is running at {url}", err=True)
    click.echo(f"  Documents {url}/docs   health and metrics http://{settings.admin_host}:{doors.admin_port}", err=True)
    if sign_ins:
        one = sign_ins[0]
        click.echo(f"  Demo sign-ins are on the start page, for example {one.login} / {one.password}", err=True)
        click.echo(f"  Terminal chat: .venv/bin/python -m fairwire --url {url}", err=True)
    click.echo("  Ctrl-C stops it.\n", err=True)
