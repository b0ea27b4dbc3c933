"""C18: the fair's keyword list."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire_protocol.errors import Refused
from fairwire_server.chat.keywords import Action, KeywordList
from fairwire_server.folding import Folding

ENTRIES: list[tuple[str, Action]] = [
    ("微信", "flag"),
    ("發票", "refuse"),
    ("WeChat", "flag"),
    ("free money", "refuse"),
    ("t.me/", "refuse"),
    ("C++", "flag"),
    ("赌", "refuse"),
    ("हिन्दी", "flag"),
    ("加V", "flag"),
]


@pytest.fixture(scope="module")
def keywords(folding: Folding) -> KeywordList:
    return KeywordList(ENTRIES, folding)


@pytest.mark.parametrize(
    ("text", "action", "found"),
    [
        ("加我微信", "flag", ("微信",)),
        ("加我微\u200b信", "flag", ("微信",)),
        ("可以开发票吗", "refuse", ("發票",)),
        ("可以開發票嗎，微信", "refuse", ("發票", "微信")),
        ("my ＷｅＣｈａｔ id", "flag", ("WeChat",)),
        ("wéchat:abc", "flag", ("WeChat",)),
        ("加wechat群", "flag", ("WeChat",)),
        ("wechats", "pass", ()),
        ("mywechat", "pass", ()),
        ("wechat2", "pass", ()),
        ("FREE \n  Money!", "refuse", ("free money",)),
        ("freemoney", "pass", ()),
        ("see https://t.me/abc", "refuse", ("t.me/",)),
        ("at.me/abc", "pass", ()),
        ("C++ and c", "flag", ("C++",)),
        ("禁止赌博", "refuse", ("赌",)),
        ("हिन्दी।", "flag", ("हिन्दी",)),
        ("加v", "flag", ("加V",)),
        ("加value", "pass", ()),
        ("wechat wechat", "flag", ("WeChat",)),
        ("", "pass", ()),
        ("信", "pass", ()),
    ],
)
def test_c18_examples(keywords: KeywordList, text: str, action: str, found: tuple[str, ...]) -> None:
    verdict = keywords.check(text)
    assert (verdict.action, verdict.keywords) == (action, found)


def test_c18_the_graver_of_two_actions_counts(folding: Folding) -> None:
    for entries in [("ab", "flag"), ("ＡＢ", "refuse")], [("ＡＢ", "refuse"), ("ab", "flag")]:
        assert KeywordList(entries, folding).check("ab").action == "refuse"  # type: ignore[arg-type]


@pytest.mark.parametrize("blank", ["", "  ", "\u200b", "\x00"])
def test_c18_a_keyword_that_nothing_can_hold_is_refused(folding: Folding, blank: str) -> None:
    with pytest.raises(Refused) as caught:
        KeywordList([(blank, "flag")], folding)
    assert (caught.value.code, caught.value.field) == ("invalid", "keyword")


def test_c18_an_empty_list_passes_everything(folding: Folding) -> None:
    assert KeywordList([], folding).check("anything").action == "pass"


HAN = "广交会廣會"
LATIN = "abAé1"


@given(st.lists(st.text(HAN + LATIN + " .", min_size=1, max_size=4), max_size=12), st.text(HAN + LATIN + " .,"))
def test_c18_finds_what_a_slow_search_finds(folding: Folding, listed: list[str], text: str) -> None:
    listed = [keyword for keyword in listed if keyword.strip()]
    keywords = KeywordList([(keyword, "flag") for keyword in listed], folding)
    folded = folding.plain(text)

    def occurs(keyword: str) -> bool:
        inside = re.escape(folding.plain(keyword))
        before = r"(?<![a-z0-9])" if re.match(r"\w", inside) and inside[0] not in HAN else ""
        after = r"(?![a-z0-9])" if re.search(r"\w$", inside) and inside[-1] not in HAN else ""
        return re.search(before + inside + after, folded) is not None

    expected = {folding.plain(keyword) for keyword in listed if occurs(keyword)}
    assert {folding.plain(keyword) for keyword in keywords.check(text).keywords} == expected
