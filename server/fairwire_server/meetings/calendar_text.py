"""Lines of iCalendar (RFC 5545 §3.1): escaped, folded, and nothing that a stranger wrote ends one early.

Written here instead of taken from a library: objects are made in bursts (N5), and icalendar's escaping turns a typed `\\N` into
a new line. Tests read what comes out with three parsers by others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

__all__ = ["joined", "line", "quoted", "text", "utc"]

LINE_BYTES: Final = 75
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u0085\u2028\u2029]")
_ESCAPES: Final = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})


def text(value: str) -> str:
    """A TEXT value (§3.3.11)."""
    return _plain(value).translate(_ESCAPES)


def quoted(value: str) -> str:
    """A parameter's value in quotes; what quotes cannot hold is written as RFC 6868 says, a quote as an apostrophe."""
    return '"' + _plain(value).replace('"', "'").replace("^", "^^").replace("\n", " ") + '"'


def utc(at: datetime) -> str:
    """An instant (§3.3.5, form 2)."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def line(content: str) -> str:
    """The line in pieces of at most 75 octets, no character cut in two."""
    if len(content) <= LINE_BYTES // 3:
        return content
    data = content.encode()
    if len(data) <= LINE_BYTES:
        return content
    pieces, start, room = [], 0, LINE_BYTES
    while len(data) - start > room:
        end = start + room
        while data[end] & 0xC0 == 0x80:  # the middle of a character
            end -= 1
        pieces.append(data[start:end])
        start, room = end, LINE_BYTES - 1  # the space that continues a line counts
    pieces.append(data[start:])
    return b"\r\n ".join(pieces).decode()


def joined(lines: Iterable[str]) -> bytes:
    """The object."""
    return ("\r\n".join(map(line, lines)) + "\r\n").encode()


def _plain(value: str) -> str:
    return _CONTROL.sub(" ", value.replace("\r\n", "\n").replace("\r", "\n"))
