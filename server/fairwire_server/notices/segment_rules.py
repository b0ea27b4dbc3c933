"""How a text travels as short messages: its encoding, and the parts it is cut into (N7, 3GPP TS 23.038, 23.040).

A text of the GSM alphabet takes 7 bits a character (a character of the extension table two), 160 in one message; with one
character from outside, all of it is UCS-2, 70 in one message. Cut, each part gives up 6 bytes to the header that puts them
together again: 153 and 67. Neither a character of the extension table nor a surrogate pair is ever cut in two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["GSM_BASIC", "GSM_EXTENSION", "Encoding", "Segments", "gsm_septets", "in_gsm", "segments"]

Encoding = Literal["gsm7", "ucs2"]

GSM_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""TS 23.038 §6.2.1: the character's place is its code; 0x1B leads to the extension table and is no character."""
GSM_EXTENSION: Final = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65,
}  # fmt: skip
"""TS 23.038 §6.2.1.1."""
_ESCAPE: Final = 0x1B
_CODES: Final = {character: bytes([code]) for code, character in enumerate(GSM_BASIC) if code != _ESCAPE} | {
    character: bytes([_ESCAPE, code]) for character, code in GSM_EXTENSION.items()
}


@dataclass(frozen=True, slots=True)
class Segments:
    """A text cut into what leaves."""

    encoding: Encoding
    parts: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many messages are sent and paid for."""
        return len(self.parts)


def segments(text: str) -> Segments:
    """`text` as it leaves; an empty one is one empty message."""
    if in_gsm(text):
        return Segments("gsm7", _cut(text, 160, 153, lambda character: len(_CODES[character])))
    return Segments("ucs2", _cut(text, 70, 67, lambda character: 1 + (ord(character) > 0xFFFF)))


def in_gsm(text: str) -> bool:
    """Whether the GSM alphabet has every character of it."""
    return all(character in _CODES for character in text)


def gsm_septets(text: str) -> bytes:
    """A text of the GSM alphabet as one septet a byte, which is how SMPP carries it."""
    return b"".join(_CODES[character] for character in text)


def _cut(text: str, alone: int, part: int, width: Callable[[str], int]) -> tuple[str, ...]:
    widths = list(map(width, text))
    if sum(widths) <= alone:
        return (text,)
    parts: list[str] = []
    start = filled = 0
    for at, needed in enumerate(widths):
        if filled + needed > part:
            parts.append(text[start:at])
            start, filled = at, 0
        filled += needed
    return (*parts, text[start:])
