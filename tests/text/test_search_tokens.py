"""C15: every piece of a message is found, in real PostgreSQL, and nothing a person types breaks a query."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwire_server.chat.search_tokens import SearchTokens
from fairwire_server.database.pool import Database

# One database serves all examples of a test: they only evaluate expressions.
in_postgres = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

MATCHES = "SELECT $1::text::tsvector @@ $2::text::tsquery"

# Scripts without spaces: any slice is found.
RUNS = (
    st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=8)
    | st.text("广交会展位价格廣會瞭著𠀀〇々", min_size=1, max_size=8)
    | st.text("ガイドがいどー", min_size=1, max_size=6)
    | st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1, max_size=5)
    | st.text(st.characters(min_codepoint=0x0E01, max_codepoint=0x0E30), min_size=1, max_size=6)
    | st.sampled_from(["ภาษาไทย", "น้ำ", "ລາວ", "မြန်မာ", "ភាសាខ្មែរ"])
)
# Words and numbers: any beginning is found.
WORDS = (
    st.text("abcxyzABCXYZéÜßøłŁİıñŒ", min_size=1, max_size=10)
    | st.text("абвгдежзийЁЙЩ", min_size=1, max_size=10)
    | st.text("αβγςΣώ", min_size=1, max_size=10)
    | st.text(st.characters(min_codepoint=0x0621, max_codepoint=0x063A), min_size=1, max_size=8)
    | st.text("0123456789", min_size=1, max_size=12)
    | st.sampled_from(["हिन्दी", "עברית", "a" * 100, "7" * 100, "𐐀" * 80])
)
GAPS = st.text(" ,.-'\"\\:&|!()<>*\t\n、。，　·'’👍%_", min_size=1, max_size=3)


@st.composite
def text_and_piece(draw: st.DrawFn) -> tuple[str, str]:
    """A text of pieces with gaps between them, and a part of one piece that must be found."""
    pieces = draw(st.lists(st.tuples(st.booleans(), GAPS).flatmap(_piece), min_size=1, max_size=8))
    text = ""
    before: bool | None = None
    for is_run, gap, piece in pieces:
        # Chinese and Latin meet without a space; two of one sort would be one word.
        apart = before is None or before == is_run or draw(st.booleans())
        text += (gap if apart else "") + piece
        before = is_run
    is_run, _, piece = draw(st.sampled_from(pieces))
    piece = unicodedata.normalize("NFKC", piece)
    start = draw(st.integers(0, len(piece) - 1)) if is_run else 0
    end = draw(st.integers(start + 1, len(piece)))
    return text, piece[start:end]


def _piece(kind: tuple[bool, str]) -> st.SearchStrategy[tuple[bool, str, str]]:
    is_run, gap = kind
    return (RUNS if is_run else WORDS).map(lambda piece: (is_run, gap, piece))


@in_postgres
@given(text_and_piece(), st.sampled_from([str, str.upper, str.title, lambda q: unicodedata.normalize("NFD", q)]))
async def test_c15_every_piece_of_a_text_is_found(
    database: Database, tokens: SearchTokens, drawn: tuple[str, str], write: Callable[[str], str]
) -> None:
    text, piece = drawn
    query = tokens.search_query(write(piece))
    if query is None:  # a vowel sign alone, cut off its consonant, may be no word
        assert not any(unicodedata.category(character)[0] in "LN" for character in piece)
        return
    async with database.reader() as reader:
        assert await reader.fetchval(MATCHES, tokens.index_tokens(text), query), query


@in_postgres
@given(st.text(max_size=60), st.text(max_size=30))
async def test_c15_no_input_is_a_syntax_error(database: Database, tokens: SearchTokens, text: str, typed: str) -> None:
    query = tokens.search_query(typed)
    async with database.reader() as reader:
        await reader.fetchval(MATCHES, tokens.index_tokens(text), query)
        if query is not None:
            assert await reader.fetchval(MATCHES, tokens.index_tokens(typed), query)


ALPHABET = st.text("广交会展ab12 ,-Ａé", min_size=1)


@in_postgres
@given(ALPHABET, ALPHABET.filter(lambda typed: len(typed.split()) == 1))
async def test_c15_what_is_found_is_what_is_highlighted(
    database: Database, tokens: SearchTokens, text: str, typed: str
) -> None:
    """Two ways to the same answer: PostgreSQL over tokens, and the highlighter over the text."""
    query = tokens.search_query(typed)
    async with database.reader() as reader:
        found = await reader.fetchval(MATCHES, tokens.index_tokens(text), query)
    assert bool(found) == bool(tokens.snippet(text, typed, len(text)).matches)


@pytest.mark.parametrize(
    ("text", "typed", "found"),
    [
        ("我們在廣交會有展位", "广交会", True),
        ("我们在广交会有展位", "廣交會", True),
        ("我们在广交会有展位", "会", True),
        ("我们在广交会有展位", "位", True),
        ("我们在广交会有展位", "交展", False),
        ("我们在广交会有展位", "展位 广交", True),
        ("我们在广交会有展位", "展位 上海", False),
        ("你好，世界", "你好世界", False),
        ("Model AB-1200, 50 pcs", "ab-1200", True),
        ("Model AB-1200, 50 pcs", "AB1200", True),
        ("Model AB-1200, 50 pcs", "AB-12", True),
        ("Model AB-1200, 50 pcs", "1200", True),
        ("Model AB-1200, 50 pcs", "120", True),
        ("Model AB-1200, 50 pcs", "200", False),
        ("Model AB1200X", "1200x", True),
        ("tel. +86 138-0013-8000", "138 0013", True),
        ("Résumé für Zoë", "resu fur zoe", True),
        ("resume", "résumé", True),
        ("international", "nation", False),
        ("I'm O'Neil", "o'neil", True),
        ("C5号馆LED灯具", "5号馆led", True),
        ("ＬＥＤ　灯", "led灯", True),
        ("ภาษาไทยง่าย", "ไทย", True),
        ("مَرْحَبًا بكم", "مرحبا", True),
        ("Привет, мир", "ПРИВ", True),
    ],
)
async def test_c15_examples(database: Database, tokens: SearchTokens, text: str, typed: str, found: bool) -> None:
    async with database.reader() as reader:
        assert await reader.fetchval(MATCHES, tokens.index_tokens(text), tokens.search_query(typed)) is found


@pytest.mark.parametrize("typed", ["", " ", "。，!?", "👍", "'\\", "\x00", "\u200b", "&|!<->:*"])
def test_c15_a_query_without_a_word_is_none(tokens: SearchTokens, typed: str) -> None:
    assert tokens.search_query(typed) is None


@pytest.mark.parametrize(
    "text",
    [
        "".join(map(chr, range(0x4E00, 0x4E00 + 3_990))),
        "".join(map(chr, range(0x20000, 0x20000 + 3_990))),
        "a" * 3_990,
        "𐐀" * 3_990,
        "1 " * 1_995,
        "a1" * 1_995,
        "ﷺ" * 3_990,
        "哈" * 3_990,
        "'" * 3_990,
    ],
    ids=[
        "han",
        "rare han",
        "one word",
        "four-byte letters",
        "numbers",
        "mixed",
        "ligature of 18",
        "one character",
        "quotes",
    ],
)
async def test_c15_the_end_of_the_longest_message_is_found(database: Database, tokens: SearchTokens, text: str) -> None:
    """4,000 code points (C4) stay within tsvector's bounds on positions, lexemes and size."""
    vector = tokens.index_tokens(text + " 广交会zz9")
    async with database.reader() as reader:
        for typed in ("广交会", "zz9", "交会zz", text[:200]):
            query = tokens.search_query(typed)
            assert query is None or await reader.fetchval(MATCHES, vector, query), typed
        assert await reader.fetchval("SELECT length($1::text::tsvector)", vector) > 0


def test_c15_a_snippet_tells_places_in_the_original(tokens: SearchTokens) -> None:
    text = "您好！" * 40 + "我們的ＬＥＤ燈具 Re\u0301sume\u0301-㍿ 在廣交會" + "。" * 80
    for typed, expected in [
        ("灯具", ["燈具"]),
        ("led灯", ["ＬＥＤ燈"]),
        ("resume", ["Re\u0301sume\u0301"]),
        ("株式", ["㍿"]),
        ("广交 会", ["㍿", "廣交會"]),  # a ligature of 株式会社
        ("您", ["您"] * 14),
        ("上海", []),
    ]:
        snippet = tokens.snippet(text, typed, 40)
        assert [text[start:end] for start, end in snippet.matches] == expected, typed
        assert snippet.end - snippet.start <= 40
        assert all(snippet.start <= start < end <= snippet.end for start, end in snippet.matches)


@given(st.text(), st.text(max_size=10), st.integers(1, 50))
def test_c15_a_snippet_stays_within_its_text(tokens: SearchTokens, text: str, typed: str, width: int) -> None:
    snippet = tokens.snippet(text, typed, width)
    assert 0 <= snippet.start <= snippet.end <= len(text)
    ends = [0]
    for start, end in snippet.matches:
        assert ends[-1] <= start < end <= len(text)
        ends.append(end)


@given(st.text())
def test_c15_a_text_folds_as_its_pieces_do(tokens: SearchTokens, text: str) -> None:
    """What highlighting rests on: the text is cut only where that changes nothing."""
    folded, starts, ends = tokens._fold_with_origin(text)
    assert folded == tokens._folding.words(text)
    assert len(folded) == len(starts) == len(ends)
