"""Rows of a CSV file: a header, then records that may span lines inside quotes (RFC 4180, with our delimiter).

Damage stays small: a record is read strictly, and when its quotes do not close, or close in the middle of something, only its
first line is given up and reading goes on with the second. Otherwise one stray quote would swallow everything after it.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from fairwire_server.importing.lines import Line, Lines, shown
from fairwire_server.importing.rows import Damaged, Item, Kind, Refusal, Row
from fairwire_server.importing.schema import SCHEMAS, canonical, near

__all__ = ["CsvSource"]

RECORD_LINES: Final = 200  # physical lines of one record
DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
# Columns of our own failures, so that a mended file need not lose them.
IGNORED: Final = frozenset({"failed_line", "failed_reason", "failed_field", "failed_message"})


class CsvSource:
    """One file of one kind. Raises `Refusal` when made, if the header cannot be meant."""

    def __init__(self, path: Path, kind: Kind, encoding: str = "utf-8", delimiter: str = ",") -> None:
        self.name = str(path)
        self._kind: Kind = kind
        self._lines = Lines(path, encoding)
        self._delimiter = delimiter
        self._cursor = _Cursor(self._lines)
        self._header = self._read_header()

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._lines.size

    @property
    def done(self) -> int:
        """Bytes read."""
        return self._lines.done

    def close(self) -> None:
        """Let go of the file when it is not read."""
        self._lines.close()

    def __iter__(self) -> Iterator[Item]:
        width = len(self._header)
        while (line := self._cursor.next()) is not None:
            if line.text is None:
                yield self._undecodable(line)
                continue
            if not line.text.strip():
                continue
            try:
                cells = self._record(line.text)
            except csv.Error as error:
                yield self._damaged(
                    line.number, "bad_quotes", f"The quotes of this line do not fit ({error}).", line.text
                )
                continue
            if len(cells) != width:
                message = f"{len(cells)} cells, but the header has {width} columns."
                yield self._damaged(line.number, "wrong_column_count", message, line.text)
                continue
            values = {name: cell for name, cell in zip(self._header, cells, strict=True) if name not in IGNORED}
            yield Row(line.number, self._kind, values, msgspec.json.encode(values).decode())

    def _record(self, first: str) -> list[str]:
        """The cells of the record that begins with `first`, reading on while a quote is open. Raises `csv.Error`."""
        if '"' not in first:
            return first.split(self._delimiter)
        taken: list[Line] = []

        def lines() -> Iterator[str]:
            yield first + "\n"
            while len(taken) < RECORD_LINES and (line := self._cursor.next()) is not None:
                taken.append(line)
                if line.text is None:
                    return
                yield line.text + "\n"

        try:
            return next(csv.reader(lines(), delimiter=self._delimiter, strict=True))
        except csv.Error:
            self._cursor.back(taken)
            raise

    def _read_header(self) -> list[str]:
        try:
            return self._checked_header()
        except Refusal:
            self._lines.close()
            raise

    def _checked_header(self) -> list[str]:
        path, schema = self.name, SCHEMAS[self._kind]
        line = self._cursor.next()
        while line is not None and line.text is not None and not line.text.strip():
            line = self._cursor.next()
        if line is None:
            raise Refusal(f"{path} is empty.")
        if line.text is None:
            why = "is longer than 1 MiB" if line.problem == "too_long" else f"is not {self._lines.encoding}"
            raise Refusal(f"{path}: the header {why}; see --encoding.")
        try:
            header = [canonical(name) for name in self._record(line.text)]
        except csv.Error as error:
            raise Refusal(f"{path}: the quotes of the header do not fit ({error}).") from error
        if len(header) == 1 and not schema.knows(header[0]):
            for other in DELIMITERS:
                if other in line.text and other != self._delimiter:
                    raise Refusal(
                        f"{path}: the header is a single column; it looks separated by {DELIMITERS[other]}. "
                        f"Run again with --delimiter {DELIMITERS[other]}."
                    )
        for number, name in enumerate(header, 1):
            if not name:
                raise Refusal(f"{path}: column {number} of the header has no name.")
            if header.index(name) != number - 1:
                raise Refusal(f"{path}: the column {shown(name)!r} stands twice in the header.")
            if not schema.knows(name) and name not in IGNORED:
                known = ", ".join(schema.columns)
                hint = near(name, schema.columns) or f"; {self._kind} rows have {known}."
                raise Refusal(f"{path}: there is no column {shown(name)[:80]!r} in {self._kind} rows{hint}")
        if lacking := schema.missing(header):
            raise Refusal(f"{path}: the header lacks {', '.join(lacking)}.")
        return header

    def _undecodable(self, line: Line) -> Damaged:
        if line.problem == "too_long":
            return self._damaged(line.number, "too_long", "The line is longer than 1 MiB.", shown(line.data))
        message = f"The line is not {self._lines.encoding}; see --encoding."
        return self._damaged(line.number, "not_decodable", message, shown(line.data))

    def _damaged(self, line: int, reason: str, message: str, text: str) -> Damaged:
        return Damaged(line, self._kind, reason, message, shown(text))


class _Cursor:
    """Lines one by one, with a way back."""

    def __init__(self, lines: Lines) -> None:
        self._lines = iter(lines)
        self._pending: deque[Line] = deque()

    def next(self) -> Line | None:
        return self._pending.popleft() if self._pending else next(self._lines, None)

    def back(self, lines: list[Line]) -> None:
        self._pending.extendleft(reversed(lines))
