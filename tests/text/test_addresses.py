"""A8: registered addresses have one spelling."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire_protocol.errors import Refused
from fairwire_server.accounts.phones import normalise_email, normalise_phone


@pytest.mark.parametrize(
    ("typed", "region", "normal"),
    [
        ("+86 138 0013 8000", None, "+8613800138000"),
        ("138-0013-8000", "CN", "+8613800138000"),
        ("0086 138 0013 8000", "CN", "+8613800138000"),
        ("＋８６１３８００１３８０００", None, "+8613800138000"),
        ("+34 612 34 56 78", "CN", "+34612345678"),
        ("(0)171 2345678", "DE", "+491712345678"),
        (" +1 415-555-2671 ", None, "+14155552671"),
    ],
)
def test_a8_a_phone_number_is_e164(typed: str, region: str | None, normal: str) -> None:
    assert normalise_phone(typed, region) == normal


@pytest.mark.parametrize(
    ("typed", "region"),
    [
        ("", None),
        ("13800138000", None),
        ("+86 138 0013", None),
        ("+99912345678", None),
        ("hello", "CN"),
        ("+86 138 0013 8000 ext. 5", None),
        ("1" * 10_000, "CN"),
        ("+8613800138000\x00", None),
        ("13800138000", "XX"),
        ("call +8613800138000", None),
        ("1-800-FLOWERS", "US"),
    ],
)
def test_a8_what_is_no_phone_number_is_refused(typed: str, region: str | None) -> None:
    with pytest.raises(Refused) as caught:
        normalise_phone(typed, region, field="mobile")
    assert (caught.value.code, caught.value.field) == ("invalid", "mobile")


@given(st.text() | st.from_regex(r"\+?[0-9 ()-]{5,20}", fullmatch=True), st.sampled_from([None, "CN", "ES"]))
def test_a8_any_text_is_e164_or_refused(typed: str, region: str | None) -> None:
    try:
        normal = normalise_phone(typed, region)
    except Refused:
        return
    assert re.fullmatch(r"\+[1-9][0-9]{5,14}", normal)
    assert normalise_phone(normal) == normal


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        (" Ana.Lopez@Example.COM ", "Ana.Lopez@example.com"),
        ("a+b@sub.example.org", "a+b@sub.example.org"),
        ("张三@例子.公司", "张三@例子.公司"),
        ("a@localhost", "a@localhost"),
    ],
)
def test_a8_an_email_address_has_one_spelling(typed: str, normal: str) -> None:
    assert normalise_email(typed) == normal


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "a",
        "@example.com",
        "a@",
        "a@b@c.com",
        "a b@c.com",
        "a@b..com",
        "a@.com",
        "a@-b.com",
        "a@b.com\r\nBcc: x@y.z",
        "a\x00@b.com",
        "a\u202e@b.com",
        "<a@b.com>",
        '"a"@b.com',
        "a@b.com,c",
        "a" * 65 + "@b.com",
        "a@" + "b" * 64 + ".com",
        "a@" + "b.c" * 100,
    ],
)
def test_a8_what_is_no_email_address_is_refused(typed: str) -> None:
    with pytest.raises(Refused) as caught:
        normalise_email(typed)
    assert (caught.value.code, caught.value.field) == ("invalid", "email")


@given(st.text() | st.emails())
def test_a8_a_normal_email_address_is_its_own_spelling(typed: str) -> None:
    try:
        normal = normalise_email(typed)
    except Refused:
        return
    assert normalise_email(normal) == normal
    assert not re.search(r"[\s\x00-\x1f<>\"]", normal)
