"""Rows of a JSON Lines file: an object on each line, its `kind` in it or known from the file's name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from fairwire_server.importing.lines import Line, Lines, shown
from fairwire_server.importing.rows import KINDS, Damaged, Item, Kind, Refusal, Row
from fairwire_server.importing.schema import kind_named, near

__all__ = ["JsonLinesSource"]


class JsonLinesSource:
    """One file. Raises `Refusal` when made, if the first object in it is of no known kind."""

    def __init__(self, path: Path, kind: Kind | None, encoding: str = "utf-8") -> None:
        self.name = str(path)
        self._kind: Kind | None = kind
        self._check_first(path, encoding)
        self._lines = Lines(path, encoding)

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
        for line in self._lines:
            if line.text is None or line.text.strip():
                yield self._item(line)

    def _item(self, line: Line) -> Item:
        if line.text is None and line.problem == "too_long":
            return Damaged(line.number, self._kind, "too_long", "The line is longer than 1 MiB.", shown(line.data))
        if line.text is None:
            message = f"The line is not {self._lines.encoding}; see --encoding."
            return Damaged(line.number, self._kind, "not_decodable", message, shown(line.data))
        fields = _object(line.text)
        if isinstance(fields, str):
            return Damaged(line.number, self._kind, "not_json", fields, shown(line.text))
        kind = self._kind
        if "kind" in fields:
            word = str(fields.pop("kind"))
            kind = kind_named(word)
            if kind is None or kind != (self._kind or kind):
                message = f"The kind {word[:80]!r} is not {self._kind or ', '.join(KINDS)}."
                return Damaged(line.number, self._kind, "unknown_kind", message, shown(line.text))
        if kind is None:
            return Damaged(line.number, None, "unknown_kind", "The line names no kind.", shown(line.text))
        return Row(line.number, kind, fields, line.text)

    def _check_first(self, path: Path, encoding: str) -> None:
        """The file's first object stands for its header: an unknown kind there refuses the file."""
        lines = Lines(path, encoding)
        for line in lines:
            fields = _object(line.text) if line.text and line.text.strip() else ""
            if isinstance(fields, str):
                continue
            named = fields.get("kind", "") if self._kind is None else self._kind
            if kind_named(str(named)) is None:
                lines.close()
                word = str(named)[:80]
                problem = f"there is no kind {word!r}{near(word, KINDS)}" if word else "the first row names no kind"
                raise Refusal(f"{path}: {problem}. Kinds are {', '.join(KINDS)}.")
            break
        lines.close()


def _object(text: str) -> dict[str, object] | str:
    """The object on a line, or what is wrong with it."""
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except RecursionError:
        return "The line is nested too deep."
    except (msgspec.MsgspecError, ValueError) as error:
        return f"The line is not a JSON object ({error})."
