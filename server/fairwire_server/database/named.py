"""A store of named queries: what most stores are, beside the few statements whose rows they shape themselves."""

from __future__ import annotations

from typing import Any

from fairwire_server.database.pool import Connection, Row
from fairwire_server.database.queries import load_queries

__all__ = ["NamedStore"]


class NamedStore:
    """Runs the queries of one file of a package by their names; every method joins the caller's transaction."""

    def __init__(self, package: str, file: str = "queries.sql") -> None:
        self._sql = load_queries(package, file)

    async def fetch(self, connection: Connection, name: str, *args: Any) -> list[Row]:
        """Rows of the query `name`."""
        return await connection.fetch(self._sql[name], *args)

    async def row(self, connection: Connection, name: str, *args: Any) -> Row | None:
        """The first row of the query `name`."""
        return await connection.fetchrow(self._sql[name], *args)

    async def value(self, connection: Connection, name: str, *args: Any) -> Any:
        """The first column of the first row of the query `name`."""
        return await connection.fetchval(self._sql[name], *args)

    async def run(self, connection: Connection, name: str, *args: Any) -> None:
        """Run the query `name` for its effect."""
        await connection.execute(self._sql[name], *args)
