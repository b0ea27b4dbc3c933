"""The templates of the pages: escaped by default, and a name that nobody has set is a fault and not an empty place."""

from __future__ import annotations

from typing import Final

import jinja2

__all__ = ["PACKAGE", "templates"]

PACKAGE: Final = "fairwire_server.doors"


def templates() -> jinja2.Environment:
    """An environment of its own for whoever adds filters."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(PACKAGE, "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
