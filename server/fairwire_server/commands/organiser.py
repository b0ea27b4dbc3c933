"""`organiser`: the first steps of whoever runs a fair, before there is anybody to sign in as."""

from __future__ import annotations

import sys

import click

from fairwire_server.accounts.passwords import Passwords
from fairwire_server.bus.notify import notify_reset
from fairwire_server.clock import SystemClock
from fairwire_server.commands.common import open_database, run
from fairwire_server.database.ids import uuid7
from fairwire_server.importing.failures import FailureFiles
from fairwire_server.importing.importer import Importer, Options
from fairwire_server.importing.report import Report
from fairwire_server.importing.rows import Row
from fairwire_server.importing.single import SingleRow
from fairwire_server.settings import Settings, from_environment

__all__ = ["command"]

PASSWORD_LEAST = 10


@click.group()
def command() -> None:
    """Make the accounts that run a fair.

    Everything else an organiser does (announcements, suspensions, figures) is done signed in as one, by the operations named
    organiser.*.

    \b
    Example:
      python -m fairwire_server organiser create --fair cf140 --login office --name "Fair office"
    """


@command.command()
@click.option("--fair", required=True, metavar="CODE", help="The fair it runs.")
@click.option("--login", required=True, help="What it signs in by; unique at the fair.")
@click.option("--name", default="", help="Shown to others; by default the login.")
@click.option("--email", default="", help="Its address; it counts as verified, since you give it.")
@click.option("--language", default="zh", show_default=True, help="Language of its notices.")
def create(fair: str, login: str, name: str, email: str, language: str) -> None:
    """Create an organiser's account. The password is asked for, or read from standard input when that is no terminal."""
    password = _password()
    fields: dict[str, object] = {
        "fair": fair, "id": str(uuid7()), "exhibitor": "", "type": "organiser", "name": name or login,
        "login": login, "email": email, "email_verified": bool(email), "language": language,
    }  # fmt: skip
    report = run(_create(from_environment(), password, Row(1, "account", fields)))
    if report.samples:
        raise click.ClickException(report.samples[0].message)
    click.echo(f"Organiser {login!r} may sign in at the fair {fair!r}.")


def _password() -> str:
    if sys.stdin.isatty():
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not PASSWORD_LEAST <= len(password) <= 200:
        raise click.ClickException(f"A password has {PASSWORD_LEAST} to 200 characters.")
    return password


async def _create(settings: Settings, password: str, row: Row) -> Report:
    passwords = Passwords(threads=1)
    try:
        hashed = await passwords.hash(password)
    finally:
        passwords.close()
    options = Options(password_hash=hashed, organisers=True)
    async with open_database(settings, name="fairwire organiser") as database:
        importer = Importer(database, SystemClock(), notify_reset, options)
        return await importer.run([SingleRow("organiser", row)], FailureFiles([None]))
