"""From text to what PostgreSQL searches: tokens of a message, the query for a searcher's words, what to highlight (C15).

    广交会 Booth AB-1200    '广交':1 '交会':2 '会':3 'booth':4 'ab':5 '1200':6        (index_tokens)
    交会 boo                '交会' & 'boo':*                                          (search_query)
    ab1200                  'ab' <-> '1200':*

Scripts without spaces become overlapping pairs of characters plus the last one alone, so that any piece of a run is a
phrase of neighbours and a single character a prefix. Elsewhere words are tokens, cut between letters and digits: a
model number is found with or without its hyphen, and from its figures. What the searcher wrote without a space stays a
phrase; several parts must all occur. The last word of a part is a prefix.

Every token consists of letters, marks and digits only, so nothing in it needs escaping for tsvector or tsquery.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from fairwire_server.folding import RUN, Folding

__all__ = ["SearchTokens", "Snippet"]

_TOKEN: Final = re.compile(f"[{RUN}]+|[0-9]+|[^{RUN}0-9 ]+")
_IN_RUN: Final = re.compile(f"[{RUN}]")
_LETTER: Final = f"[^{RUN}0-9 ]"

# Bounds of tsvector: a position beyond 16,383 is stored as 16,383 and would make phrases of strangers; a lexeme holds
# 2,046 bytes, a tsvector 1 MiB. (It also keeps 256 positions of one lexeme: a phrase after the 256th occurrence of its
# own first pair in one message is not found.)
MAX_POSITION: Final = 16_383
MAX_WORD: Final = 64  # characters; of a longer word the beginning is indexed, and of a query's word too
MAX_TEXT: Final = 16_000  # code points indexed; a message has at most 4,000 (C4)
MAX_QUERY: Final = 200  # code points of a query that count; fewer words only find more


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of a message around what was searched: `text[start:end]`, and the matches as (start, end) in `text`."""

    start: int
    end: int
    matches: tuple[tuple[int, int], ...]


class SearchTokens:
    """Tokens for index and query, from one `Folding`, so that both sides always agree."""

    def __init__(self, folding: Folding) -> None:
        self._folding = folding

    def index_tokens(self, text: str) -> str:
        """The text of a tsvector for a message: bind it as `$1::text::tsvector`."""
        lexemes: list[str] = []
        for token in _TOKEN.findall(self._folding.words(text[:MAX_TEXT])):
            if _is_run(token):
                lexemes += map("".join, pairwise(token))
                lexemes.append(token[-1])
            else:
                lexemes.append(token[:MAX_WORD])
        return " ".join([f"'{lexeme}':{at}" for at, lexeme in enumerate(lexemes[:MAX_POSITION], 1)])

    def search_query(self, query: str) -> str | None:
        """The text of a tsquery for what a person typed (`$1::text::tsquery`), or None when it holds no word."""
        phrases = [_phrase(part) for part in self._parts(query)]
        return " & ".join(phrases) if phrases else None

    def snippet(self, text: str, query: str, width: int) -> Snippet:
        """Where `query` occurs in `text`, and a window of about `width` code points that opens shortly before the
        first match; without a match, the beginning of `text`."""
        parts = self._parts(query)
        folded, starts, ends = self._fold_with_origin(text)
        found = sorted(
            (starts[match.start()], ends[match.end() - 1])
            for part in parts
            for match in re.finditer(_highlight(part), folded)
        )
        first = found[0][0] if found else 0
        start = max(0, min(first - width // 4, len(text) - width))
        end = max(start + width, found[0][1]) if found else width
        inside = [(begin, stop) for begin, stop in found if start <= begin and stop <= end]
        return Snippet(start, min(end, len(text)), tuple(_joined(inside)))

    def _parts(self, query: str) -> list[list[str]]:
        """The tokens of each piece of the query that was written without a space."""
        parts = (_TOKEN.findall(self._folding.words(part)) for part in query[:MAX_QUERY].split())
        return [part for part in parts if part]

    def _fold_with_origin(self, text: str) -> tuple[str, list[int], list[int]]:
        """The folded text, and for each of its characters where in `text` that which became it starts and ends."""
        if text.isascii():
            return self._folding.words(text), list(range(len(text))), list(range(1, len(text) + 1))
        folded: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        for start, end in pairwise(_boundaries(text)):
            piece = self._folding.words(text[start:end])
            folded.append(piece)
            starts += [start] * len(piece)
            ends += [end] * len(piece)
        return "".join(folded), starts, ends


def _is_run(token: str) -> bool:
    return token[0] >= "\u0e00" and _IN_RUN.match(token) is not None


def _phrase(part: list[str]) -> str:
    """One part of a query: its tokens as neighbours, numbered as `index_tokens` would, the last one open at its end."""
    *closed, last = part
    lexemes: list[str] = []
    for token in closed:
        if _is_run(token):
            lexemes += [f"'{a}{b}'" for a, b in pairwise(token)]
            lexemes.append(f"'{token[-1]}'")
        else:
            lexemes.append(f"'{token[:MAX_WORD]}'")
    if _is_run(last) and len(last) > 1:
        lexemes += [f"'{a}{b}'" for a, b in pairwise(last)]
    else:
        lexemes.append(f"'{last[:MAX_WORD]}':*")
    return lexemes[0] if len(lexemes) == 1 else f"({' <-> '.join(lexemes)})"


def _highlight(part: list[str]) -> str:
    """The regular expression, over folded text, that matches what `_phrase` matches over tokens."""
    first = part[0]
    pattern = "" if _is_run(first) else "(?<![0-9])" if first.isdecimal() else f"(?<!{_LETTER})"
    for token, following in pairwise(part):
        pattern += _written(token) + (" +" if _kind(token) == _kind(following) else " *")
    return pattern + _written(part[-1], closed=False)


def _written(token: str, *, closed: bool = True) -> str:
    if _is_run(token) or len(token) < MAX_WORD:
        return re.escape(token)
    rest = ("[0-9]*" if token.isdecimal() else f"{_LETTER}*") if closed else ""
    return re.escape(token[:MAX_WORD]) + rest


def _kind(token: str) -> str:
    return "run" if _is_run(token) else "digits" if token.isdecimal() else "word"


def _boundaries(text: str) -> Iterator[int]:
    """Where `text` may be cut without changing how its pieces fold: not before a mark or a Hangul vowel or final."""
    yield 0
    for at in range(1, len(text)):
        first = unicodedata.normalize("NFKD", text[at])[0]
        if unicodedata.category(first)[0] != "M" and not "\u1160" <= first <= "\u11ff":
            yield at
    yield len(text)


def _joined(ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Sorted ranges with those that touch or overlap made one."""
    start, end = ranges[0] if ranges else (0, 0)
    for begin, stop in ranges:
        if begin > end:
            yield start, end
            start = begin
        end = max(end, stop)
    if ranges:
        yield start, end
