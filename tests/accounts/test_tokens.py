"""Access and refresh tokens as values (W13)."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from fairwire_server.accounts.tokens import AccessToken, Tokens, refresh_digest
from tests.accounts.refusals import refused
from tests.harness.clock import START

LIFE = timedelta(minutes=15)
TOKENS = Tokens(b"k" * 32, LIFE)
IDS = (uuid7(), uuid7(), uuid7())


def minted(tokens: Tokens = TOKENS, until: timedelta = timedelta(days=30)) -> AccessToken:
    return tokens.mint(*IDS, START, START + until)


def test_w13_a_token_says_whose_it_is_and_ends_after_15_minutes() -> None:
    facts = TOKENS.verify(minted().token, START + LIFE - timedelta(milliseconds=1))
    assert (facts.session, facts.account, facts.fair) == IDS
    assert facts.expires_at == START + LIFE == minted().expires_at
    with refused("token_expired"):
        TOKENS.verify(minted().token, START + LIFE)


def test_w13_a_token_never_outlives_its_session() -> None:
    assert minted(until=timedelta(minutes=3)).expires_at == START + timedelta(minutes=3)


def test_a_token_of_another_secret_is_nobodys() -> None:
    with refused("unauthenticated"):
        TOKENS.verify(minted(Tokens(b"x" * 32, LIFE)).token, START)


@given(st.data())
def test_a_token_with_any_bit_changed_is_nobodys(data: st.DataObject) -> None:
    token = minted().token
    signed = bytearray(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    bit = data.draw(st.integers(0, len(signed) * 8 - 1))
    signed[bit // 8] ^= 1 << bit % 8
    with refused("unauthenticated"):
        TOKENS.verify(urlsafe_b64encode(signed).rstrip(b"=").decode(), START)


@given(st.text(max_size=300))
def test_any_other_text_is_nobodys_token(text: str) -> None:
    with refused("unauthenticated"):
        TOKENS.verify(text, START)


def test_w13_a_refresh_token_has_one_successor_that_only_the_secret_tells() -> None:
    first = TOKENS.first_refresh()
    assert len(urlsafe_b64decode(first + "=")) == 32
    assert TOKENS.next_refresh(first) == TOKENS.next_refresh(first) != first
    assert Tokens(b"x" * 32, LIFE).next_refresh(first) != TOKENS.next_refresh(first)
    assert refresh_digest(first).hex() not in first
    assert TOKENS.first_refresh() != first


@pytest.mark.parametrize("field", range(5))
def test_a8_a_code_is_good_for_one_account_purpose_address_and_matter(field: int) -> None:
    right = (IDS[0], "change", "+8613800138000", "+8613900139000", "123456")
    other = (IDS[1], "verify", "+8613800138001", "+8613900139001", "123457")
    wrong = tuple(b if n == field else a for n, (a, b) in enumerate(zip(right, other, strict=True)))
    assert TOKENS.code_digest(*right) != TOKENS.code_digest(*wrong)  # type: ignore[arg-type]
