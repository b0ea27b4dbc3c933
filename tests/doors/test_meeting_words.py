"""Which language a guest's page speaks (M9; RFC 9110 §12.5.4)."""

from __future__ import annotations

import pytest

from fairwire_server.doors.meeting_words import language_of


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("fr, zh; q=0.8", "zh"),
        ("fr, ZH-hant ; Q=0.8 , en ;q=0.9", "en"),
        ("zh;q=0, en;q=0.1", "en"),
        ("zh;q=much, fr", "en"),
        ("zh;level=1;q=0.5, en;q=0.4", "zh"),
    ],
)
def test_the_page_speaks_what_the_browser_likes_better(accept: str, language: str) -> None:
    assert language_of(accept) == language
