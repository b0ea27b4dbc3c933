"""Which message a receipt is about (N6). A centre may name a message in one way when it takes it and in another in its receipts:
appendix B of SMPP 3.4 has ten decimal digits, while many centres answer submit_sm in hexadecimal, or the other way round.

How a centre does it is learned from what it says: from the first receipt whose id fits a message in one way only. Ids shorter than
`CERTAIN` may fit by chance and teach nothing. Pure, but for what it remembers.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

__all__ = ["ReceiptIds"]

KEPT: Final = 20_000
CERTAIN: Final = 6
"""Characters. From here on a number read in the other base is far from every number that is in use at the same time."""
Form = Literal["same", "decimal", "hexadecimal"]
_HEXADECIMAL: Final = re.compile(r"[0-9a-fA-F]{1,16}")
_DECIMAL: Final = re.compile(r"[0-9]{1,20}")


def _of_decimal(told: str) -> str | None:
    return f"{int(told):x}" if _DECIMAL.fullmatch(told) else None


def _of_hexadecimal(told: str) -> str | None:
    return str(int(told, 16)) if _HEXADECIMAL.fullmatch(told) else None


_READINGS: Final[Mapping[Form, Callable[[str], str | None]]] = {
    "same": lambda told: told,
    "decimal": _of_decimal,
    "hexadecimal": _of_hexadecimal,
}
"""What a receipt's id means, by how receipts are told: the id that was given."""


class ReceiptIds:
    """The ids that were given lately, and how the centre's receipts tell them."""

    def __init__(self) -> None:
        self._first: OrderedDict[str, tuple[str, str]] = OrderedDict()
        """By an id's plain spelling: itself, and the id of its message's first part."""
        self._form: Form = "same"
        self._learned = False

    def given(self, ids: Sequence[str]) -> None:
        """A message was taken under these ids, one for each part."""
        for part in ids:
            self._first[_plain(part)] = part, ids[0]
        while len(self._first) > KEPT:
            self._first.popitem(last=False)

    def message_of(self, told: str) -> tuple[str, bool]:
        """The id of the first part of the message that a receipt is about, and whether the receipt is about that part."""
        fits = {
            form: self._first[plain]
            for form, read in _READINGS.items()
            if (given := read(told)) is not None and (plain := _plain(given)) in self._first
        }
        if not self._learned and len(fits) == 1 and len(told) >= CERTAIN:
            self._form, self._learned = next(iter(fits)), True
        form = self._form if self._form in fits or self._learned or not fits else next(iter(fits))
        part, first = fits[form] if form in fits else (_READINGS[form](told) or told,) * 2  # from before a restart
        return first, part == first


def _plain(given: str) -> str:
    """Without what differs between spellings of one number."""
    return given.lower().lstrip("0")
