"""The failures files: beside each source a `FILE.failed.jsonl` with every row that was not taken, and why.

A file is made with the first failure, and one left by an earlier run is removed, so that it always tells of the last run.
"""

from __future__ import annotations

from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from typing import Self

import msgspec

from fairwire_server.importing.report import Failure
from fairwire_server.importing.rows import FileFault, Refusal

__all__ = ["FailureFiles"]


class FailureFiles:
    """One file per source, `paths[source]`; None keeps no failures of that source."""

    def __init__(self, paths: list[Path | None]) -> None:
        self._paths = paths
        self._open: dict[int, FileIO] = {}
        self._stack = ExitStack()
        self._encoder = msgspec.json.Encoder()

    @classmethod
    def beside(cls, names: list[str], folder: Path | None = None) -> Self:
        """`NAME.failed.jsonl` beside each file, or in `folder`. Raises `Refusal` where nothing could be written."""
        paths: list[Path | None] = []
        for name in names:
            path = Path(name).with_name(Path(name).name + ".failed.jsonl")
            path = path if folder is None else folder / path.name
            while path in paths:
                path = path.with_name("_" + path.name)
            paths.append(path)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.open("wb").close()
                path.unlink()
            except OSError as error:
                raise Refusal(f"{path} cannot be written ({error.strerror}); choose a folder by --failures.") from error
        return cls(paths)

    @property
    def written(self) -> list[str]:
        """Names of the files that hold something."""
        return [str(self._paths[source]) for source in sorted(self._open)]

    def write(self, source: int, failure: Failure) -> None:
        """Append one failure."""
        if (path := self._paths[source]) is None:
            return
        try:
            if source not in self._open:
                self._open[source] = self._stack.enter_context(path.open("wb", buffering=0))
            self._open[source].write(self._encoder.encode(failure) + b"\n")
        except OSError as error:
            raise FileFault(f"{path}: {error.strerror or error}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
