"""The fair's keyword list: words that refuse or flag a message (C18).

Text and keywords are folded alike, so `ＷｅＣｈａｔ`, `wechat` and `Wéchat` are one word, as are 微信 with and without a
zero-width joiner in it. Chinese and other scripts without spaces are found anywhere; elsewhere a keyword must stand as
a whole word. A text is looked through once: at each place the next two characters name the few keywords that could
begin there, by their lengths, so the cost hardly grows with the list.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import add
from typing import Final, Literal

from fairwire_protocol.errors import Refused
from fairwire_server.folding import RUN, Folding

__all__ = ["PASS", "Action", "KeywordList", "Verdict"]

Action = Literal["refuse", "flag"]

_HEAD: Final = 2  # characters by which a keyword is found; shorter ones are kept apart
_IN_RUN: Final = re.compile(f"[{RUN}]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the list says of a text: the graver action of all keywords found, and those keywords as they were listed."""

    action: Literal["pass", "refuse", "flag"]
    keywords: tuple[str, ...] = ()


PASS: Final = Verdict("pass")


@dataclass(frozen=True, slots=True)
class _Keyword:
    listed: str
    action: Action
    word_before: bool  # it begins with a letter or digit, so another before it makes a longer word
    word_after: bool


class KeywordList:
    """An immutable list of keywords, ready to check texts. Of two spellings of one keyword the graver action counts."""

    def __init__(self, entries: Iterable[tuple[str, Action]], folding: Folding) -> None:
        self._folding = folding
        self._keywords: dict[str, _Keyword] = {}
        self._lengths: dict[str, list[int]] = {}
        for listed, action in entries:
            self._add(listed, action)
        for keyword in self._keywords:
            lengths = self._lengths.setdefault(keyword[:_HEAD], [])
            if len(keyword) not in lengths:
                lengths.append(len(keyword))
        self._single = frozenset(keyword for keyword in self._keywords if len(keyword) < _HEAD)

    def __len__(self) -> int:
        return len(self._keywords)

    def check(self, text: str) -> Verdict:
        """Whether `text` may pass, is to be flagged, or is refused, and for which keywords (each once)."""
        if not self._keywords:
            return PASS
        found = {keyword.listed: keyword.action for keyword in self._found(self._folding.plain(text))}
        if not found:
            return PASS
        return Verdict("refuse" if "refuse" in found.values() else "flag", tuple(found))

    def _add(self, listed: str, action: Action) -> None:
        folded = self._folding.plain(listed)
        if not folded:
            raise Refused("invalid", f"The keyword {listed!r} has no visible character.", field="keyword")
        known = self._keywords.get(folded)
        if known is None or known.action == "flag":
            before, after = _of_a_word(folded[0]), _of_a_word(folded[-1])
            self._keywords[folded] = _Keyword(listed, action, before, after)

    def _found(self, text: str) -> Iterator[_Keyword]:
        lengths_of = self._lengths
        places = [(at, head) for at, head in enumerate(map(add, text, text[1:])) if head in lengths_of]
        if not self._single.isdisjoint(text):
            places += [(at, character) for at, character in enumerate(text) if character in self._single]
        for at, head in places:
            for length in lengths_of[head]:
                keyword = self._keywords.get(text[at : at + length])
                if keyword and _stands_alone(keyword, text, at, at + length):
                    yield keyword


def _stands_alone(keyword: _Keyword, text: str, start: int, end: int) -> bool:
    if keyword.word_before and start > 0 and _of_a_word(text[start - 1]):
        return False
    return not (keyword.word_after and end < len(text) and _of_a_word(text[end]))


def _of_a_word(character: str) -> bool:
    """Whether the character is a letter or digit of a script that separates its words."""
    return unicodedata.category(character)[0] in "LMN" and _IN_RUN.match(character) is None
