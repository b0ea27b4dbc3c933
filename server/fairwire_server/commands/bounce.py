"""`bounce`: passes one returned mail on to a running server; for the pipe transport of the mail server that gets them."""

from __future__ import annotations

import sys
from typing import BinaryIO, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, build_opener

import click

from fairwire_server.channels.bounce_rules import MAX_BYTES, tagged_address
from fairwire_server.settings import from_environment

__all__ = ["command"]

EX_TEMPFAIL: Final = 75
"""What sendmail and postfix take as "try again later" (sysexits.h)."""
ANSWER_S: Final = 20.0


@click.command()
@click.argument("address", default="")
@click.option(
    "--url", default="", help="The server; by default FAIRWIRE_PUBLIC_URL, or the address that it listens on."
)
@click.option("--file", "source", type=click.File("rb"), default="-", help="The mail; by default standard input.")
def command(address: str, url: str, source: BinaryIO) -> None:
    """Tell the server of one returned mail, read from standard input.

    ADDRESS is the mail's envelope recipient, `bounce+…@…`; without it the mail's own headers are asked. It needs neither the
    database nor a secret, so it runs wherever the mail arrives. What is not about a mail of ours is passed over. Exits with 75,
    which makes a mail server try again, when the server cannot be reached.

    \b
    Example, in postfix's master.cf:
      fairwire unix - n n - 4 pipe user=nobody argv=/opt/fairwire/.venv/bin/python -m fairwire_server bounce ${original_recipient}
    """
    settings = from_environment()
    raw = source.read(MAX_BYTES)
    address = address or tagged_address(raw)
    if not address:
        click.echo("This mail names no mail of ours.", err=True)
        return
    base = url or settings.public_url or f"http://{settings.host}:{settings.port}"
    if not base.startswith(("http://", "https://")):
        raise click.UsageError("--url is an http:// or https:// address.")
    request = Request(f"{base}/callbacks/bounce/{quote(address, safe='@+')}", data=raw, method="POST")  # noqa: S310 - just seen
    try:
        with build_opener().open(request, timeout=ANSWER_S):
            pass
    except HTTPError as error:
        if error.code == 404:
            click.echo("The server knows no such mail, or takes no bounces (FAIRWIRE_SMTP_BOUNCES).", err=True)
            return
        _later(f"The server answers {error.code}.")
    except (URLError, OSError):
        _later("The server cannot be reached.")


def _later(reason: str) -> None:
    click.echo(reason, err=True)
    sys.exit(EX_TEMPFAIL)
