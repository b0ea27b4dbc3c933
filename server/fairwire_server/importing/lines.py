"""A file as numbered lines, whatever bytes it holds, in bounded memory.

Lines are cut at LF on bytes, which is sound for every encoding taken here (UTF-8, GB18030 and Big5 use no LF inside a
character). A line longer than `LINE_MAX` is cut short and marked; the rest of it is skipped.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from fairwire_server.importing.rows import FileFault, Refusal

__all__ = ["ENCODINGS", "LINE_MAX", "Line", "Lines", "shown"]

ENCODINGS: Final = ("utf-8", "gbk", "gb18030", "big5")
LINE_MAX: Final = 1024 * 1024
WINDOW: Final = 64 * 1024  # of the beginning, by which a file is judged
SHOWN_MAX: Final = 2000

_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NOT_TEXT: Final = {
    b"PK\x03\x04": "is a spreadsheet or ZIP archive; save the sheet as CSV (UTF-8) first",
    b"\x1f\x8b": "is compressed; unpack it first",
    b"\xd0\xcf\x11\xe0": "is an old Excel file; save the sheet as CSV (UTF-8) first",
}


class Line(NamedTuple):
    """One physical line without its end. `text` is None when it could not be decoded, or was too long."""

    number: int
    text: str | None
    problem: str | None = None
    data: bytes = b""


class Lines:
    """The lines of one open file. Raises `Refusal` at once for what is no text in `encoding`."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.path = path
        self.encoding = encoding
        try:
            self._file: BinaryIO = path.open("rb")
            self.size = path.stat().st_size
            window = self._file.read(WINDOW)
        except OSError as error:
            raise Refusal(f"{path}: {error.strerror or error}.") from error
        try:
            self._file.seek(_judged(path, window, encoding))
        except Refusal:
            self._file.close()
            raise

    @property
    def done(self) -> int:
        """Bytes read so far."""
        return self.size if self._file.closed else self._file.tell()

    def __iter__(self) -> Iterator[Line]:
        number = 0
        with self._file:
            while data := self._next():
                number += 1
                if len(data) > LINE_MAX and not data.endswith(b"\n"):
                    self._skip_rest()
                    yield Line(number, None, "too_long", data[:SHOWN_MAX])
                    continue
                data = data.removesuffix(b"\n").removesuffix(b"\r")
                try:
                    yield Line(number, data.decode(self.encoding))
                except UnicodeDecodeError:
                    yield Line(number, None, "not_decodable", data)

    def close(self) -> None:
        """Let go of the file when the lines are not read to the end."""
        self._file.close()

    def _next(self) -> bytes:
        try:
            return self._file.readline(LINE_MAX + 1)
        except OSError as error:
            raise FileFault(f"{self.path}: {error.strerror or error}.") from error

    def _skip_rest(self) -> None:
        while (data := self._next()) and not data.endswith(b"\n"):
            pass


def shown(data: bytes | str, encoding: str = "utf-8") -> str:
    """A damaged piece as the failures file shows it: readable, and not longer than somebody wants to read."""
    text = data if isinstance(data, str) else data[:SHOWN_MAX].decode(encoding, "replace")
    return text[:SHOWN_MAX]


def _judged(path: Path, window: bytes, encoding: str) -> int:
    """Where the text begins, after its byte order mark."""
    start = 3 if window.startswith(codecs.BOM_UTF8) and encoding == "utf-8" else 0
    if not window[start:].strip():
        raise Refusal(f"{path} is empty.")
    for magic, what in _NOT_TEXT.items():
        if window.startswith(magic):
            raise Refusal(f"{path} {what}.")
    if window.startswith(_UTF16) or max(window[0::2].count(0), window[1::2].count(0)) * 5 > len(window):
        raise Refusal(f"{path} looks like UTF-16; save it as UTF-8 (in Excel: “CSV UTF-8”).")
    if b"\r" in window and b"\n" not in window:
        raise Refusal(f"{path} ends its lines with CR alone; save it with LF or CRLF.")
    if encoding == "utf-8" and _looks_like_gb18030(window):
        raise Refusal(
            f"{path} is not UTF-8; it looks like GBK. Run again with --encoding gb18030, or save it as UTF-8."
        )
    return start


def _looks_like_gb18030(window: bytes) -> bool:
    """Whether no line proves UTF-8, some line contradicts it, and all of it reads as Chinese in GB18030."""
    lines = window.split(b"\n")
    if len(window) == WINDOW:
        lines.pop()  # cut somewhere
    high = [line for line in lines if not line.isascii()]
    if not high or any(_decodes(line, "utf-8") for line in high) or not all(_decodes(line, "gb18030") for line in high):
        return False
    text = b"".join(high).decode("gb18030")
    chinese = len(re.findall("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]", text))
    return chinese * 10 >= sum(not character.isascii() for character in text) * 8


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
