"""A source of one row, for commands that make one thing: they write through the importer like everything else."""

from __future__ import annotations

from collections.abc import Iterator

from fairwire_server.importing.rows import Item, Row

__all__ = ["SingleRow"]


class SingleRow:
    """Just this row."""

    def __init__(self, name: str, row: Row) -> None:
        self.name = name
        self.size = 1
        self.done = 0
        self._row = row

    def __iter__(self) -> Iterator[Item]:
        self.done = 1
        yield self._row
