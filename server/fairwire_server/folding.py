"""One spelling for text that is compared: search, names, keywords (C15, C18).

Two texts that a reader takes for the same word must fold to the same string: full-width or not, capital or small, with
or without accents, traditional or simplified, in Arabic or in ASCII digits. The text is brought to NFKC, then every
character is looked up in a table that is filled as characters are met; so a message costs two passes in C.

Chinese is folded character by character, not by OpenCC's phrases: a phrase reads its neighbours, and then a substring
would fold otherwise than the text it was cut from. What that loses is made good by `EQUALLY_WRITTEN`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cached_property
from typing import Final

from opencc import OpenCC

__all__ = ["RUN", "Folding"]

# Scripts written without spaces between words, as the inside of a regular expression's character class: Thai and Lao,
# Myanmar, Hangul's letters, Khmer, CJK with kana, bopomofo, Yi and Hangul. (Korean has spaces, but its particles hang
# on the word, so it is cut like the others.)
RUN: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u30ff\u3100-\u31ff"
    "\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\ua9e0-\ua9ff\uaa60-\uaa7f\uac00-\ud7ff\uf900-\ufaff"
    "\U00016fe0-\U00018fff\U0001aff0-\U0001b2ff\U00020000-\U0003ffff"
)

# Accents that a searcher leaves out: Latin, Greek and Cyrillic diacritics, Hebrew points, Arabic vowels and hamza on
# its carrier, tatweel. The marks of other scripts are letters of their own (a Thai vowel) and stay.
_ACCENTS: Final = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed]+")

# Letters with a stroke or a ligature have no decomposition in Unicode.
_STROKED: Final = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)

# Pairs of characters that name the same word in one script or the other, but that OpenCC tells apart by phrase only
# (瞭解 了解, 回覆 回复, 項鍊 项链, 傢俱 家具, 看著 看着, 計畫 计划):
# both are folded to the second.
EQUALLY_WRITTEN: Final = str.maketrans(
    "瞭覆鍊藉傢俱著沈彷牴祇衹託讬諮谘餘馀鍾锺鉅钜鏇镟妳佔週裡牠菸畫画枱衞敍粧擡簷痺糭麽幺",
    "了复链借家具着沉仿抵只只托托咨咨余余钟钟巨巨旋旋你占周里它烟划划台卫叙妆抬檐痹粽么么",
)

_TABLE_LIMIT: Final = 65_536  # far more than the characters of any real fair; bounds what a flood of them costs


class _Table(dict[int, str]):
    """A table for `str.translate` that works out a character when it is first met."""

    def __init__(self, fold: Callable[[str], str]) -> None:
        super().__init__()
        self._fold = fold

    def __missing__(self, code_point: int) -> str:
        if len(self) >= _TABLE_LIMIT:
            self.clear()
        folded = self[code_point] = self._fold(chr(code_point))
        return folded


class Folding:
    """Folds text. Make one and share it: it holds the tables, and OpenCC once a Han character has been met."""

    def __init__(self) -> None:
        self._words = _Table(self._word_characters)
        self._plain = _Table(self._plain_characters)

    def words(self, text: str) -> str:
        """The letters, marks and digits of `text`, folded; every other character has become a space."""
        return unicodedata.normalize("NFKC", text).translate(self._words)

    def plain(self, text: str) -> str:
        """`text` folded with its punctuation and symbols, each stretch of white space as one space."""
        return " ".join(unicodedata.normalize("NFKC", text).translate(self._plain).split())

    def fold_name(self, text: str) -> str:
        """A customer's or exhibitor's name as it is stored for comparing: the folded words, one space between."""
        return " ".join(self.words(text).split())

    @cached_property
    def _simplify(self) -> Callable[[str], str]:
        convert: Callable[[str], str] = OpenCC("t2s").convert
        return convert

    def _word_characters(self, character: str) -> str:
        return "".join(kept if _belongs_to_word(kept) else " " for kept in self._fold(character))

    def _plain_characters(self, character: str) -> str:
        return "".join(" " if unicodedata.category(kept) in {"Cc", "Cs"} else kept for kept in self._fold(character))

    def _fold(self, character: str) -> str:
        """What one character becomes; empty for accents and for what is never seen (joiners, variation selectors)."""
        folded = unicodedata.normalize("NFKC", character).casefold()
        folded = _ACCENTS.sub("", unicodedata.normalize("NFKD", folded))
        folded = unicodedata.normalize("NFC", folded).translate(_STROKED)
        return "".join(self._fold_one(kept) for kept in folded)

    def _fold_one(self, character: str) -> str:
        category = unicodedata.category(character)
        if category in {"Cf", "Me"} or "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
            return ""
        if category == "Nd":
            return str(unicodedata.decimal(character))
        if category == "Lo" and character >= "\u2e80":
            return self._simplify(character.translate(EQUALLY_WRITTEN)).translate(EQUALLY_WRITTEN)
        return character


def _belongs_to_word(character: str) -> bool:
    # ʻ and ʼ are letters to Unicode, but stand where others type an apostrophe.
    return unicodedata.category(character)[0] in "LMN" and character not in "ʻʼ"
