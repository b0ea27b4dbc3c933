"""Named queries: SQL lives in `queries.sql` beside the store that uses it, never in Python.

    -- name: lock_conversations
    -- Locks by ascending id, so that two batches never wait for each other in a ring.
    SELECT id FROM conversations WHERE id = ANY($1) ORDER BY id FOR UPDATE;

A name, at least a sentence, the query. A file that breaks this shape does not load, and says where.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Final

__all__ = ["Queries", "QueryFileError", "load_queries", "parse_queries"]

NAME: Final = re.compile(r"--\s*name:\s*(?P<name>.*?)\s*")
IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]*")


class QueryFileError(Exception):
    """A file of queries is not in the shape described above, or a query is asked for that it does not hold."""


class Queries(Mapping[str, str]):
    """The queries of one file by name. A name that is not there is a `QueryFileError` naming the near ones."""

    def __init__(self, queries: Mapping[str, str], source: str) -> None:
        self._queries = dict(queries)
        self._source = source

    def __getitem__(self, name: str) -> str:
        try:
            return self._queries[name]
        except KeyError:
            known = ", ".join(sorted(self._queries)) or "nothing"
            raise QueryFileError(f"{self._source} holds no query {name!r}; it holds {known}.") from None

    def __contains__(self, name: object) -> bool:
        return name in self._queries

    def __iter__(self) -> Iterator[str]:
        return iter(self._queries)

    def __len__(self) -> int:
        return len(self._queries)


def load_queries(package: str, name: str = "queries.sql") -> Queries:
    """The queries of the file `name` inside `package`, as in `load_queries(__package__)`."""
    source = f"{package}/{name}"
    try:
        text = files(package).joinpath(name).read_text("utf-8")
    except FileNotFoundError:
        raise QueryFileError(f"{source} does not exist.") from None
    return Queries(parse_queries(text, source), source)


def parse_queries(text: str, source: str) -> dict[str, str]:
    """Name → SQL without its comment lines at the top and the closing semicolon."""
    queries: dict[str, str] = {}
    head, *parts = _split(text)
    if any(line.strip() and not line.lstrip().startswith("--") for line in head[1]):
        raise QueryFileError(f"{source}: SQL stands before the first '-- name:'.")
    for name, lines in parts:
        if not IDENTIFIER.fullmatch(name):
            raise QueryFileError(f"{source}: {name!r} is no name; use lower case, digits and underscores.")
        if name in queries:
            raise QueryFileError(f"{source}: two queries are named {name!r}.")
        queries[name] = _body(name, lines, source)
    return queries


def _split(text: str) -> list[tuple[str, list[str]]]:
    """(name, lines after it) for each part; the first part, without a name, is what precedes the first one."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in text.splitlines():
        if found := NAME.fullmatch(line.strip()):
            parts.append((found["name"], []))
        else:
            parts[-1][1].append(line)
    return parts


def _body(name: str, lines: list[str], source: str) -> str:
    start = next((at for at, line in enumerate(lines) if not line.lstrip().startswith("--")), len(lines))
    if not any(line.strip(" -") for line in lines[:start]):
        raise QueryFileError(f"{source}: {name!r} needs a comment that says what it is for.")
    sql = "\n".join(lines[start:]).strip().removesuffix(";").rstrip()
    if not sql:
        raise QueryFileError(f"{source}: {name!r} has no query.")
    return sql
