"""From what the operator names on the command line to sources: `FILE`, or `KIND=FILE` when the name does not tell the kind."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from fairwire_server.importing.csv_source import CsvSource
from fairwire_server.importing.jsonl_source import JsonLinesSource
from fairwire_server.importing.rows import KINDS, Kind, Refusal
from fairwire_server.importing.schema import kind_named, near

__all__ = ["FileSource", "open_sources"]

FileSource = CsvSource | JsonLinesSource


def open_sources(names: Iterable[str], *, encoding: str = "utf-8", delimiter: str = ",") -> list[FileSource]:
    """One source per file, each with its header checked. Raises `Refusal` with the faults of all files together."""
    sources: list[FileSource] = []
    faults: list[str] = []
    for name in names:
        try:
            sources.append(_open(name, encoding, delimiter))
        except Refusal as refusal:
            faults.append(str(refusal))
    if faults:
        for source in sources:
            source.close()
        raise Refusal("\n".join(faults))
    return sources


def _open(name: str, encoding: str, delimiter: str) -> FileSource:
    word, equals, rest = name.partition("=")
    kind: Kind | None = None
    path = Path(name)
    if equals and not path.exists():
        path = Path(rest)
        if (kind := kind_named(word)) is None:
            raise Refusal(f"{name}: there is no kind {word!r}{near(word, KINDS)}. Kinds are {', '.join(KINDS)}.")
    else:
        kind = _kind_of(path)
    if path.is_dir():
        raise Refusal(f"{path} is a folder; name its files.")
    if path.suffix.lower() in {".jsonl", ".ndjson", ".json"}:
        return JsonLinesSource(path, kind, encoding)
    if kind is None:
        kinds = ", ".join(f"{kind}s" for kind in KINDS)
        raise Refusal(f"{path}: the name tells no kind ({kinds}). Say it: exhibitor={path}")
    return CsvSource(path, kind, encoding, delimiter)


def _kind_of(path: Path) -> Kind | None:
    """`2026-exhibitors.csv`, `exhibitor.csv`, `buyers.part2.csv`: the kind is a word of the name, when it is just one."""
    found = {kind for word in re.split(r"[^a-z]+", path.stem.lower()) if (kind := kind_named(word))}
    return found.pop() if len(found) == 1 else None
