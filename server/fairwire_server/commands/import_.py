"""`import`: bring a fair in from files."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from fairwire_server.bus.notify import notify_reset
from fairwire_server.clock import SystemClock
from fairwire_server.commands.common import open_database, run
from fairwire_server.commands.import_output import Meter, show_report
from fairwire_server.importing.csv_source import DELIMITERS
from fairwire_server.importing.failures import FailureFiles
from fairwire_server.importing.importer import Importer, Options
from fairwire_server.importing.lines import ENCODINGS
from fairwire_server.importing.report import Report
from fairwire_server.importing.rows import FileFault, Refusal
from fairwire_server.importing.sources import FileSource, open_sources
from fairwire_server.settings import Settings, from_environment

__all__ = ["command"]

STATEMENT_S = 900.0
NAMES = {name: sign for sign, name in DELIMITERS.items()} | {sign: sign for sign in DELIMITERS}


class Refused(click.ClickException):
    """Nothing was imported, because a file cannot be meant as it stands."""

    exit_code = 2


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="[KIND=]FILE...")
@click.option("--fair", metavar="CODE", help="Fair of all rows that name none. Not needed when there is only one.")
@click.option("--encoding", type=click.Choice(ENCODINGS), default="utf-8", show_default=True, help="Of all files.")
@click.option(
    "--delimiter", type=click.Choice(list(NAMES)), default="comma", show_default=True, help="Between the cells of CSV."
)
@click.option(
    "--phone-region", metavar="CC", help="Country of phone numbers written without their country code, as CN."
)
@click.option("--dry-run", is_flag=True, help="Do everything, then undo it; the counts are those of a real run.")
@click.option(
    "--report", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Shape of the counts."
)
@click.option("--failures", type=click.Path(file_okay=False, path_type=Path), help="Folder for the failures files.")
@click.option("--strict", is_flag=True, help="Exit with 1 when any row failed.")
def command(
    files: tuple[str, ...], fair: str | None, encoding: str, delimiter: str, phone_region: str | None, dry_run: bool,
    report: str, failures: Path | None, strict: bool,
) -> None:  # fmt: skip
    """Bring in a fair from CSV or JSON Lines files: fairs, sections, exhibitors, accounts, buyers, exhibits.

    A CSV file has a header and holds one kind, which its name tells (`exhibitors.csv`) or you do (`exhibitor=list.csv`). A
    JSON Lines file has an object on each line, its "kind" in it or told by the file's name. The columns of each kind
    stand in docs/import.md. The order of the files does not matter.

    Running it again changes only what differs: rows are found by your own ids. A column that is not there leaves its
    values as they are, an empty cell empties them. A row that does not fit is written to FILE.failed.jsonl with the reason,
    and the others go on; a header that does not fit, or an unknown kind, stops everything before anything is changed.

    Each exhibitor gets its one main account from its own row (login, contact, mobile, email; by default the login is `exhibitor-ID`).
    A row of type `main` among the accounts describes that same account, and from then on only such rows change it. Accounts
    come without a password: their owners set one with a code sent to the registered address. An address counts as verified
    only if the file says so, and one that its owner has verified is never replaced.

    Exit code: 0 done (with --strict: 1 if rows failed), 1 the database failed, 2 a file was refused.

    \b
    Examples:
      python -m fairwire_server import fair.csv sections.csv exhibitors.csv accounts.csv buyers.csv exhibits.csv
      python -m fairwire_server import --dry-run --encoding gb18030 --phone-region CN exhibitor=参展商.csv
      python -m fairwire_server import --report json everything.jsonl
    """
    settings = from_environment()
    try:
        sources = open_sources(files, encoding=encoding, delimiter=NAMES[delimiter])
        sink = FailureFiles.beside([source.name for source in sources], failures)
    except Refusal as refusal:
        raise Refused(str(refusal)) from refusal
    options = Options(
        fair=fair, phone_region=phone_region, sub_account_limit=settings.sub_account_limit, dry_run=dry_run
    )
    try:
        done = run(_import(settings, sources, sink, options))
    except FileFault as fault:
        raise click.ClickException(str(fault)) from fault
    if report == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(done), indent=2))
    else:
        show_report(done)
    if strict and done.failed:
        raise click.exceptions.Exit(1)


async def _import(settings: Settings, sources: list[FileSource], sink: FailureFiles, options: Options) -> Report:
    async with open_database(settings, command_timeout=STATEMENT_S, name="fairwire import") as database:
        with sink, Meter() as meter:
            return await Importer(database, SystemClock(), notify_reset, options, progress=meter).run(sources, sink)
