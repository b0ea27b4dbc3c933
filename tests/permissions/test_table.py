"""The permission table itself: complete, without contradictions, and the page printed from it up to date."""

from __future__ import annotations

import pytest

from tests.permissions.document import DOCUMENT, markdown
from tests.permissions.table import COLUMNS, OPERATIONS, ROWS, Row, parse

FAIR_ONE = set(COLUMNS) - {"anonymous", "suspended", "other_fair"}
ACME = {"main", "manager", "holder", "former", "exhibit"}
FOREIGN = {
    "far": FAIR_ONE,
    "far_account": FAIR_ONE,
    "far_buyer": FAIR_ONE,
    "sent_far": FAIR_ONE,
    "two": FAIR_ONE,
    "stranger": ACME,
}
"""Places and the columns for which nothing of them may exist (A1, C19); those of `rival` come below."""
PUBLIC = {"fair.show", "chat.list"}
"""A fair's code is public; and a buyer's list has no holders to choose, so naming one narrows nothing."""


def test_every_row_has_a_mark_in_every_column() -> None:
    assert all(set(row.expected) == set(COLUMNS) for row in ROWS)
    with pytest.raises(ValueError, match="13 known marks"):
        parse("chat.show | C9 | why\n  conversation.held + +")


def test_no_operation_and_no_request_stands_twice() -> None:
    assert len({entry.name for entry in OPERATIONS}) == len(OPERATIONS)
    assert len({(row.operation, row.name) for row in ROWS}) == len(ROWS)


def unknown_of(row: Row) -> Row:
    """The row of the same field that asks for what does not exist."""
    return next(one for one in ROWS if (one.operation, one.field, one.place) == (row.operation, row.field, "unknown"))


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.place in FOREIGN and row.operation not in PUBLIC],
    ids=lambda row: f"{row.operation}-{row.name}",
)
def test_another_fairs_things_do_not_exist_a1(row: Row) -> None:
    expected = unknown_of(row).expected
    told_apart = {column for column in FOREIGN[row.place] if row.expected[column] != expected[column]}
    assert not told_apart


RIVAL = ("conversation", "offer", "account", "handover_to", "to", "session")


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.place == "rival" and row.field in RIVAL],
    ids=lambda row: f"{row.operation}-{row.name}",
)
def test_another_exhibitors_things_do_not_exist_for_acme_a2(row: Row) -> None:
    expected = unknown_of(row).expected
    assert not {column for column in ACME if row.expected[column] != expected[column]}


def test_nobody_suspended_and_nobody_without_a_token_gets_anything_a6() -> None:
    open_to_all = {row.operation for row in ROWS if row.expected["anonymous"] != "unauthenticated"}
    assert open_to_all == {
        "auth.sign_in", "auth.request_code", "auth.sign_in_by_code", "auth.request_activation", "auth.activate", "auth.refresh",
        "auth.register", "fair.show",
    }  # fmt: skip
    assert {row.expected["suspended"] for row in ROWS if row.operation not in open_to_all} == {"suspended"}


def test_the_page_is_printed_from_the_table() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == markdown(), "run python -m tests.permissions.document"
