"""`token`: access tokens for load tools, without signing in."""

from __future__ import annotations

from datetime import timedelta
from typing import BinaryIO

import click
import msgspec

from fairwire_protocol.errors import Refused
from fairwire_server.clock import SystemClock
from fairwire_server.commands.common import open_database, run
from fairwire_server.database.work import Works
from fairwire_server.importing.demo.minting import Minting
from fairwire_server.settings import Settings, from_environment

__all__ = ["command"]

STATEMENT_S = 900.0
KINDS = ("buyer", "main", "manager", "business", "exhibit", "organiser")


@click.command()
@click.option("--fair", default="demo", show_default=True, metavar="CODE", help="The fair.")
@click.option("--login", "logins", multiple=True, help="An account; may be given several times.")
@click.option("--all", "everybody", is_flag=True, help="Every active account of the fair.")
@click.option(
    "--count", type=click.IntRange(1), help="With --all or --kind: only the first so many, by kind and login."
)
@click.option(
    "--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Accounts of this kind; may be repeated."
)
@click.option(
    "--ttl", type=click.IntRange(1), metavar="SECONDS", help="Life of the tokens; by default FAIRWIRE_ACCESS_TOKEN_S."
)
@click.option("--out", type=click.File("wb"), default="-", help="Where to write; by default standard output.")
def command(
    fair: str, logins: tuple[str, ...], everybody: bool, count: int | None, kinds: tuple[str, ...], ttl: int | None, out: BinaryIO
) -> None:  # fmt: skip
    """Mint access tokens, in demo and bench installations only.

    One --login alone gives just its token. Otherwise each line is a JSON object with id, fair, login, kind, exhibitor, token and
    expires_at (milliseconds). Each token has a session of its own, made here; nobody's password is needed, which is why
    this is refused where a real fair is.

    \b
    Examples:
      python -m fairwire_server token --login buyer1
      python -m fairwire_server token --all --count 5000 --out tokens.jsonl
    """
    if bool(logins) == (everybody or bool(kinds)):
        raise click.UsageError("Name accounts by --login, or many by --all or --kind.")
    settings = from_environment()
    life = timedelta(seconds=ttl or settings.access_token_s)
    run(_mint(settings, fair, logins, kinds, count, life, out))


async def _mint(
    settings: Settings, fair: str, logins: tuple[str, ...], kinds: tuple[str, ...], count: int | None, life: timedelta,
    out: BinaryIO,
) -> None:  # fmt: skip
    async with open_database(settings, command_timeout=STATEMENT_S, name="fairwire token") as database:
        minting = Minting(Works(database, SystemClock()), secret=settings.secret.encode(), life=life)
        encoder = msgspec.json.Encoder()
        if logins:
            minted = await minting.for_logins(fair, logins)
            if len(minted) == 1:
                out.write(minted[0].token.encode() + b"\n")
            else:
                out.writelines(encoder.encode(one) + b"\n" for one in minted)
            return
        written = 0
        async for one in minting.for_fair(fair, kinds, count):
            out.write(encoder.encode(one) + b"\n")
            written += 1
    if not written:
        raise Refused("not_found", f"There is nobody of that kind at the fair {fair!r}.")
    click.echo(f"{written:,} tokens", err=True)
