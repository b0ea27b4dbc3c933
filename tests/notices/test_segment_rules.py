"""Short messages are counted and cut as carriers count and cut them (N7), beside another implementation."""

from __future__ import annotations

import pytest
from aiosmpplib.codec import GSM7BitCodec, UCS2Codec
from aiosmpplib.utils import split_sms_udh
from hypothesis import example, given
from hypothesis import strategies as st

from fairwire_server.notices.segment_rules import GSM_BASIC, GSM_EXTENSION, gsm_septets, in_gsm, segments

PLAIN = GSM_BASIC.replace("\x1b", "")


def long_texts(letters: str) -> st.SearchStrategy[str]:
    """Short ones, and ones that need parts: Hypothesis alone seldom writes hundreds of characters."""
    unit = st.text(st.sampled_from(letters), max_size=7)
    return st.tuples(unit, st.integers(1, 120), unit).map(lambda parts: parts[0] * parts[1] + parts[2])


GSM = long_texts(PLAIN + "".join(GSM_EXTENSION) * 3)
ANY = long_texts("ab您好会议号😀👍€é")
UDH = 6


@pytest.mark.parametrize(
    ("text", "encoding", "lengths"),
    [
        ("", "gsm7", [0]),
        ("a" * 160, "gsm7", [160]),
        ("a" * 161, "gsm7", [153, 8]),
        ("€" * 80, "gsm7", [80]),
        ("€" * 81, "gsm7", [76, 5]),  # 76 × 2 = 152: the 153rd septet stays empty
        ("a" * 152 + "€" * 5, "gsm7", [152, 5]),
        ("您" * 70, "ucs2", [70]),
        ("您" * 71, "ucs2", [67, 4]),
        ("😀" * 35, "ucs2", [35]),
        ("😀" * 36, "ucs2", [33, 3]),  # 33 × 2 = 66: half a pair does not travel
        ("a" * 69 + "您", "ucs2", [70]),
    ],
)
def test_one_message_or_parts_n7(text: str, encoding: str, lengths: list[int]) -> None:
    cut = segments(text)
    assert (cut.encoding, [len(part) for part in cut.parts]) == (encoding, lengths)
    assert cut.count == len(lengths)


@given(GSM | ANY)
def test_parts_are_the_text_and_fit_n7(text: str) -> None:
    cut = segments(text)
    assert "".join(cut.parts) == text
    room = (160, 153) if cut.encoding == "gsm7" else (70, 67)
    for part in cut.parts:
        size = len(gsm_septets(part)) if cut.encoding == "gsm7" else len(part.encode("utf-16-be")) // 2
        assert size <= room[cut.count > 1]


@given(ANY)
@example("好" + "😀" * 40)
def test_ucs2_is_cut_as_another_implementation_cuts_it_n7(text: str) -> None:
    cut = segments(text)
    if cut.encoding == "gsm7" or cut.count == 1:
        return
    theirs = [UCS2Codec().decode(part[UDH:])[0] for part in split_sms_udh(text, "ucs2", csms_ref=7)]
    assert list(cut.parts) == theirs


@given(st.text(max_size=200) | GSM)
def test_the_alphabet_is_another_implementations_alphabet_n7(text: str) -> None:
    assert in_gsm(text) == (GSM7BitCodec.is_gsm_text(text) and "\x1b" not in text)
    if in_gsm(text):
        assert gsm_septets(text) == GSM7BitCodec().encode(text)[0]
