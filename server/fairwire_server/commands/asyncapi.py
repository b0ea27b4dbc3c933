"""`asyncapi`: the document of the socket door."""

from __future__ import annotations

from pathlib import Path

import click

from fairwire_server.doors.asyncapi import asyncapi_document
from fairwire_server.doors.schemas import encoded

__all__ = ["command"]


@click.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write here instead of to the terminal.")
@click.option("--host", default="127.0.0.1:8080", show_default=True, help="Host and port that the document names.")
def command(out: Path | None, host: str) -> None:
    """Print the AsyncAPI 3.0 document of the socket.

    Every frame in both directions, the call and reply of each operation, and the body of each durable event, generated
    from the protocol's types: it needs no settings and no database, and is the same each time. A running server shows it
    at /asyncapi.json, and readable at /docs.

    \b
    Examples:
      python -m fairwire_server asyncapi --out asyncapi.json
      python -m fairwire_server asyncapi --host fair.example.com
    """
    document = encoded(asyncapi_document(host=host))
    if out is None:
        click.echo(document, nl=False)
    else:
        out.write_bytes(document)
