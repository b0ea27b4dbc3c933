"""Named queries: the shape of the file is checked, and each damage is told with its place."""

from __future__ import annotations

import pytest

from fairwire_server.database.queries import Queries, QueryFileError, load_queries, parse_queries

GOOD = """-- What this file is for.

-- name: one
-- Gives one.
-- In two lines.
SELECT 1;

--name:two_3
-- Gives two.

SELECT 2,
       -- a comment inside stays
       3;
"""


def test_names_become_queries_without_head_and_semicolon() -> None:
    queries = parse_queries(GOOD, "file")
    assert queries == {"one": "SELECT 1", "two_3": "SELECT 2,\n       -- a comment inside stays\n       3"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("SELECT 1;", "before the first"),
        ("-- name: a\n-- A.\nSELECT 1;\n-- name: a\n-- A.\nSELECT 2;", "two queries are named 'a'"),
        ("-- name: \n-- A.\nSELECT 1;", "is no name"),
        ("-- name: Two words\n-- A.\nSELECT 1;", "'Two words' is no name"),
        ("-- name: a\nSELECT 1;", "needs a comment"),
        ("-- name: a\n--\nSELECT 1;", "needs a comment"),
        ("-- name: a\n-- A.\n", "has no query"),
        ("-- name: a\n-- A.\n;", "has no query"),
    ],
)
def test_damage_is_a_clear_error(text: str, complaint: str) -> None:
    with pytest.raises(QueryFileError, match=complaint):
        parse_queries(text, "file")


def test_a_missing_name_tells_what_there_is() -> None:
    queries = Queries(parse_queries(GOOD, "file"), "chat/queries.sql")
    with pytest.raises(QueryFileError, match=r"chat/queries.sql holds no query 'three'; it holds one, two_3"):
        queries["three"]
    assert "three" not in queries
    assert list(queries) == ["one", "two_3"]


def test_a_missing_file_is_named() -> None:
    with pytest.raises(QueryFileError, match=r"fairwire_server.database/nothing.sql does not exist"):
        load_queries("fairwire_server.database", "nothing.sql")


def test_our_own_file_loads() -> None:
    assert "lock_migrations" in load_queries("fairwire_server.database")
