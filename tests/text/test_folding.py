"""C15, C18: what a reader takes for one word folds to one string."""

from __future__ import annotations

from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire_server.folding import Folding


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("ＡＢ－１２００ Łódź", "ab 1200 lodz"),
        ("İstanbul ISTANBUL ıstanbul", "istanbul istanbul istanbul"),
        ("Straße Œuvre Ærø naïve Crème", "strasse oeuvre aero naive creme"),
        ("e\u0301 é", "e e"),
        ("Ёлка Йод", "елка иод"),
        ("Ὀδυσσεύς", "οδυσσευσ"),
        ("مُحَمَّد أحمد", "محمد احمد"),
        ("٣٤٥ १२", "345 12"),
        ("廣州國際會展中心", "广州国际会展中心"),
        ("瞭解 回覆 項鍊 傢俱 看著 計畫", "了解 回复 项链 家具 看着 计划"),
        ("ｶﾞｲﾄﾞ", "ガイド"),
        ("ㄱㅏ 각", "가 각"),
        ("ภาษาไทย", "ภาษาไทย"),
        ("한국어", "한국어"),
        ("हिन्दी", "हिन्दी"),
        ("微\u200b信\ufeff", "微信"),
        ("1\ufe0f\u20e3 ½ ㎏ ①", "1 1 2 kg 1"),
        ("O'Neil O’Neil Oʼneil", "o neil o neil o neil"),
        ("a\x00b\ud800c\ue000d", "a b c d"),
        ("👍 !?。，", ""),
    ],
)
def test_c15_words_are_folded(folding: Folding, written: str, folded: str) -> None:
    assert folding.fold_name(written) == folded


def test_c18_plain_text_keeps_its_punctuation(folding: Folding) -> None:
    assert folding.plain(" Ｔ．ｍｅ／\u200bX \t\n C++ 💰\x00") == "t.me/x c++ 💰"


@given(st.text())
def test_c15_folding_twice_changes_nothing(folding: Folding, text: str) -> None:
    once = folding.fold_name(text)
    assert folding.fold_name(once) == once


@given(st.text())
def test_c15_capitals_do_not_matter(folding: Folding, text: str) -> None:
    assert folding.fold_name(text.casefold()) == folding.fold_name(text)


@pytest.mark.parametrize("name", ["STPhrases.txt", "TSPhrases.txt", "STCharacters.txt", "TSCharacters.txt"])
def test_c15_traditional_and_simplified_fold_alike(folding: Folding, name: str) -> None:
    """OpenCC's own phrases, converted by it with their context, as the oracle of our folding without context."""
    pairs = [line.split("\t") for line in (files("opencc") / "dictionary" / name).read_text("utf-8").splitlines()]
    apart = [(one, other) for one, other in pairs if folding.words(one) != folding.words(other.split(" ")[0])]
    print(f"{name}: {len(apart)} of {len(pairs)} fold apart: {apart[:10]}")
    assert len(apart) <= len(pairs) * 0.01


def test_c15_a_flood_of_characters_does_not_grow_the_table() -> None:
    folding = Folding()
    assert folding.words("".join(map(chr, range(0x20000, 0x20000 + 140_000)))).strip()
    assert folding.words("廣") == "广"
    assert len(folding._words) <= 65_536
