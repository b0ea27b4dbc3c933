"""`python -m fairwire`: a terminal chat, and `tap`, which shows the wire."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final
from uuid import uuid4

import click

import fairwire
from fairwire.client import Client
from fairwire.credentials import Vault
from fairwire.http import Addresses
from fairwire.terminal.interactive import run_interactive
from fairwire.terminal.plain import run_plain
from fairwire.terminal.tap import tap as run_tap

__all__ = ["main"]

DEFAULT_URL: Final = "http://127.0.0.1:8080"
SIGN_IN_AGAIN: Final = frozenset({"unauthenticated", "token_expired", "bad_credentials"})
HELP: Final = """A terminal chat for Fairwire.

Signs in at URL (default: http://127.0.0.1:8080), remembers the session under PROFILE, and opens your recent contacts. Run it in two
terminals with two profiles to talk to yourself:

\b
    fairwire --profile buyer  --fair demo --login …
    fairwire --profile seller --fair demo --login …

`fairwire tap URL --token …` prints every frame of a socket instead.
"""


@click.group(invoke_without_command=True, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fairwire")
@click.option("--url", default=DEFAULT_URL, show_default=True, help="Where the server is.")
@click.option("--fair", help="The fair's code, such as demo.")
@click.option("--login", help="Your login.")
@click.option("--password", help="Your password; asked for when it is needed and not given.")
@click.option("--token", help="An access token instead of signing in.")
@click.option("--profile", default="default", show_default=True, help="Which remembered session and outbox to use.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where profiles are kept.  [default: ~/.local/share/fairwire]"
)
@click.option(
    "--codec",
    type=click.Choice(["msgpack", "json"]),
    default="msgpack",
    show_default=True,
    help="How frames are written.",
)
@click.option("--language", default="en", show_default=True, help="Names in zh or en.")
@click.option("--plain", is_flag=True, help="Commands on stdin, lines on stdout, no colours: for pipes and tests.")
@click.pass_context
def main(context: click.Context, /, **options: object) -> None:
    """The terminal chat; `HELP` above is what users read."""
    if context.invoked_subcommand is None:
        context.exit(_run(**options))  # type: ignore[arg-type]  # click gives the options by their names


def _run(
    *, url: str, fair: str | None, login: str | None, password: str | None, token: str | None, profile: str,
    data_dir: Path | None, codec: str, language: str, plain: bool,
) -> int:  # fmt: skip
    folder = (data_dir or Path.home() / ".local" / "share" / "fairwire") / profile
    if token is None and not _remembered(folder, url, fair, login):
        if sys.stdin.isatty():
            fair = fair or click.prompt("Fair", default="demo")
            login = login or click.prompt("Login")
            password = password or click.prompt("Password", hide_input=True)
        elif not (fair and login and password):
            raise click.UsageError("no session is kept here: --fair, --login and --password are needed")
    client = fairwire.connect(
        url, token=token, fair=fair, login=login, password=password, data_dir=folder, language=language,
        codec="json" if codec == "json" else "msgpack", device_name="Terminal",
    )  # fmt: skip
    try:
        return asyncio.run(_chat(client, language, plain=plain))
    except fairwire.FairwireError as error:
        if error.code in SIGN_IN_AGAIN and token is None and sys.stdin.isatty():
            click.echo(error.message, err=True)
            return _run(
                url=url, fair=fair, login=login, password=None, token=None, profile=profile, data_dir=data_dir,
                codec=codec, language=language, plain=plain,
            )  # fmt: skip
        click.echo(f"error {error.code}: {error.message}", err=True)
    except fairwire.Stopped as stopped:
        click.echo(f"stopped {stopped}", err=True)
    except KeyboardInterrupt:
        return 130
    return 1


def _remembered(folder: Path, url: str, fair: str | None, login: str | None) -> bool:
    kept = Vault(folder).session()
    return (
        kept is not None
        and kept.server == Addresses.of(url).http
        and fair in {None, kept.fair}
        and login in {None, kept.login}
    )


async def _chat(client: Client, language: str, *, plain: bool) -> int:
    async with client:
        if plain:
            return await run_plain(client, language=language)
        return await run_interactive(client, language=language)


@main.command()
@click.argument("url", default=DEFAULT_URL)
@click.option("--token", required=True, help="An access token, as signing in gives it.")
@click.option(
    "--codec",
    type=click.Choice(["msgpack", "json"]),
    default="msgpack",
    show_default=True,
    help="How frames are written.",
)
@click.option("--device", default=lambda: f"tap-{uuid4()}", help="The device's id.  [default: a new one]")
def tap(url: str, token: str, codec: str, device: str) -> None:
    """Print every frame as a plain map, decoded with msgpack or json and no types of ours.

    For people who write clients in other languages; protocol/README.md tells what the maps mean.
    """
    try:
        sys.exit(asyncio.run(run_tap(Addresses.of(url).socket, token, codec, device)))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
