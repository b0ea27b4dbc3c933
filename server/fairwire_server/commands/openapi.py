"""`openapi`: the document of the HTTP door."""

from __future__ import annotations

from pathlib import Path

import click

from fairwire_server.doors.openapi import openapi_document
from fairwire_server.doors.schemas import encoded

__all__ = ["command"]


@click.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write here instead of to the terminal.")
@click.option("--server", default="/", show_default=True, help="Base URL that the document names.")
def command(out: Path | None, server: str) -> None:
    """Print the OpenAPI 3.1 document of the HTTP door.

    Every operation with a path, its parameters, bodies, errors and an example of each, generated from the catalogue of
    operations: it needs no settings and no database, and is the same each time. A running server shows it at
    /openapi.json, and readable at /docs.

    \b
    Examples:
      python -m fairwire_server openapi --out openapi.json
      python -m fairwire_server openapi --server https://fair.example.com
    """
    document = encoded(openapi_document(server=server))
    if out is None:
        click.echo(document, nl=False)
    else:
        out.write_bytes(document)
