"""Cells: what is taken, in which spelling, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire_server.accounts.phones import normalise_email
from fairwire_server.importing import fields
from fairwire_server.importing.rows import RowFault

LINE = fields.text(10)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("  a  b ", "a b"),
        ("a\n b\tc", "a b c"),
        ("e\u0301", "é"),
        (17, "17"),
        (None, ""),
        ("\u3000广 ", "广"),
        ("\u200b", None),
    ],
)
def test_text_has_one_spelling(cell: object, value: str | None) -> None:
    if value is None:
        with pytest.raises(RowFault):
            LINE(cell)
    else:
        assert LINE(cell) == value


@pytest.mark.parametrize(
    ("cell", "reason"),
    [("a\0b", "control_character"), ("\x1b[1m", "control_character"), ("x" * 11, "too_long"), (True, "wrong_type"), (1.5, "wrong_type"),
     ([], "wrong_type"), (10**40, "wrong_type"), ("\ud800", "control_character")],
)  # fmt: skip
def test_what_is_no_text_is_refused(cell: object, reason: str) -> None:
    with pytest.raises(RowFault) as fault:
        LINE(cell)
    assert fault.value.reason == reason


@given(st.from_regex(fields._PLAIN_EMAIL, fullmatch=True))
def test_the_short_way_for_plain_addresses_is_the_long_way(address: str) -> None:
    """A8: one spelling per address, whichever way it came in."""
    try:
        expected = normalise_email(address)
    except Exception:
        with pytest.raises(RowFault):
            fields.email(address)
        return
    assert fields.email(address) == expected


def test_choices_speak_both_languages() -> None:
    assert fields.domicile("境外") == fields.domicile("Overseas ") == "overseas"
    assert fields.account_kind("业务子账号") == "business"
    assert fields.flag("是") is True
    assert fields.flag("") is False
    with pytest.raises(RowFault):
        fields.flag("maybe")


def test_lists_are_split_cleaned_and_bounded() -> None:
    read = fields.items(3, 5)
    assert read("a; b；c|a;;") == ("a", "b", "c")
    assert read(["x", " y "]) == ("x", "y")
    for cell, reason in (("a;b;c;d", "too_many"), ("abcdef", "too_long"), ([1.5], "wrong_type")):
        with pytest.raises(RowFault) as fault:
            read(cell)
        assert fault.value.reason == reason


def test_phones_need_a_country_from_somewhere() -> None:
    """A8: E.164."""
    assert (
        fields.mobile("138 0013 8000", "CN")
        == fields.mobile("+8613800138000", None)
        == fields.mobile("008613800138000", None)
    )
    with pytest.raises(RowFault) as fault:
        fields.mobile("13800138000", None)
    assert fault.value.reason == "bad_phone"


def test_instants_without_offset_are_the_fairs_own() -> None:
    """A1: a fair has a time zone."""
    assert fields.instant("2026-10-15T09:30", "Asia/Shanghai", "opens_at") == datetime(2026, 10, 15, 1, 30, tzinfo=UTC)
    assert fields.instant("2026-10-15T09:30+02:00", "Asia/Shanghai", "opens_at").hour == 7
    for text in ("soon", "0001-01-01", "9999-12-31T23:59", "15.10.2026"):
        with pytest.raises(RowFault):
            fields.instant(text, "Asia/Shanghai", "opens_at")


@given(
    st.one_of(
        st.text(max_size=30),
        st.integers(),
        st.floats(),
        st.booleans(),
        st.none(),
        st.lists(st.text(max_size=3), max_size=3),
    )
)
def test_no_cell_is_an_exception(cell: object) -> None:
    for read in (
        LINE, fields.flag, fields.integer(0, 9), fields.items(3, 9), fields.country, fields.language, fields.time_zone, fields.email,
        fields.profile_value, fields.profile, fields.domicile, fields.login, fields.phone_text,
    ):  # fmt: skip
        with suppress(RowFault):
            read(cell)
