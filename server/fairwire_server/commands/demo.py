"""`demo`: make a fair to look at, or one of full size to measure with."""

from __future__ import annotations

from typing import BinaryIO

import click
import msgspec

from fairwire_server.bus.notify import notify_reset
from fairwire_server.clock import SystemClock
from fairwire_server.commands.common import open_database, run
from fairwire_server.commands.import_output import Meter, show_report
from fairwire_server.importing.demo.generator import DemoFair
from fairwire_server.importing.demo.install import PASSWORD, accounts_of, make_demo
from fairwire_server.importing.report import Report
from fairwire_server.settings import Settings, from_environment

__all__ = ["command"]

STATEMENT_S = 900.0


@click.command()
@click.option(
    "--exhibitors", type=click.IntRange(1, 99_999), default=12, show_default=True, help="How many exhibitors."
)
@click.option("--buyers", type=click.IntRange(0, 999_999), default=40, show_default=True, help="How many buyers.")
@click.option("--fair", "code", default="demo", show_default=True, metavar="CODE", help="Code of the fair.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed makes other companies and people.")
@click.option("--accounts-out", type=click.File("wb", lazy=False), help="List all accounts as JSON Lines.")
@click.option(
    "--report", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Shape of the counts."
)
def command(exhibitors: int, buyers: int, code: str, seed: int, accounts_out: BinaryIO | None, report: str) -> None:
    """Make a demo fair: companies and people in Chinese and English, teams, buyers from 229 countries and regions, exhibits.

    It comes through the same import as a real fair, and is the same for the same seed, so running it again changes nothing and a
    larger number adds to what is there. Every account signs in with one password, which is printed; that is why it is
    refused where a real fair is.

    Logins: buyer1, buyer2 …; acme-main, acme-manager, acme-sales, acme-sales2, acme-exhibit; exhibitor2, exhibitor2-sales1 …;
    organiser.

    \b
    Examples:
      python -m fairwire_server demo
      python -m fairwire_server demo --exhibitors 26000 --buyers 50000 --accounts-out accounts.jsonl
    """
    done = run(_demo(from_environment(), exhibitors, buyers, code, seed, accounts_out))
    if report == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(done), indent=2))
        return
    show_report(done)
    click.echo(f"Everybody at the fair {code!r} signs in with the password {PASSWORD}")


async def _demo(settings: Settings, exhibitors: int, buyers: int, code: str, seed: int, out: BinaryIO | None) -> Report:
    clock = SystemClock()
    fair = DemoFair(code=code, exhibitors=exhibitors, buyers=buyers, seed=seed, now=clock.now())
    async with open_database(settings, command_timeout=STATEMENT_S, name="fairwire demo") as database:
        with Meter() as meter:
            report = await make_demo(database, clock, notify_reset, fair, meter)
        if out is not None:
            encoder = msgspec.json.Encoder()
            async for account in accounts_of(database, code):
                out.write(encoder.encode(account) + b"\n")
    return report
