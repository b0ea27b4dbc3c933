"""The recorder: what every client of a delivery test did and saw, one line per event, in the order it happened.

Each client of a test holds a `Tape` and appends `invoke`, then one of `ok` / `fail` / `unknown`, and `read` for each
message that reached it. Message ids are `client-counter`, so a message says who sent it and how far that client was.
Nothing is judged here: `tests.harness.checker` does that, at the end, from the lines alone.

With a path, every entry is written with one `write(2)` in append mode, so a client process that is killed leaves
everything it had recorded, and several processes may share the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType

import msgspec

__all__ = ["Entry", "Kind", "Recorder", "Tape", "load"]


class Kind(StrEnum):
    """What a client noted."""

    INVOKE = "invoke"
    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"
    READ = "read"


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line. `id` is empty where a message that no client sent (a system message) was read; it still takes a seq."""

    kind: Kind
    account: str
    device: str
    conversation: str
    id: str = ""
    seq: int = 0


@dataclass(slots=True)
class Tape:
    """One client, which is one device of one account, writing its part of the history."""

    recorder: Recorder
    account: str
    device: str
    sent: int = 0

    def invoke(self, conversation: str) -> str:
        """Note that a message is about to be sent; returns the id to send it under."""
        self.sent += 1
        message = f"{self.device}-{self.sent}"
        self._note(Kind.INVOKE, conversation, message)
        return message

    def ok(self, conversation: str, message: str, seq: int) -> None:
        """The server acknowledged it under this seq: from here on it must never be missing."""
        self._note(Kind.OK, conversation, message, seq)

    def fail(self, conversation: str, message: str) -> None:
        """The server refused it for good: nobody may ever read it."""
        self._note(Kind.FAIL, conversation, message)

    def unknown(self, conversation: str, message: str) -> None:
        """No answer came. It may have happened or not, and either is right."""
        self._note(Kind.UNKNOWN, conversation, message)

    def read(self, conversation: str, message: str, seq: int) -> None:
        """A message reached this client's user, after its dedup by position."""
        self._note(Kind.READ, conversation, message, seq)

    def _note(self, kind: Kind, conversation: str, message: str, seq: int = 0) -> None:
        self.recorder.append(Entry(kind, self.account, self.device, conversation, message, seq))


class Recorder:
    """Gathers entries in memory, or in a JSON Lines file that outlives the process."""

    def __init__(self, path: Path | None = None) -> None:
        self._entries: list[Entry] = []
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._path = path
        self._encoder = msgspec.json.Encoder()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def tape(self, account: str, device: str) -> Tape:
        """A client's own pen. Device names must be unique in one history: message ids are made from them."""
        return Tape(self, account, device)

    def append(self, entry: Entry) -> None:
        """Add one entry; on return it has left this process, when there is a file."""
        if self._file is None:
            self._entries.append(entry)
        else:
            os.write(self._file, self._encoder.encode(entry) + b"\n")

    def history(self) -> list[Entry]:
        """Everything so far, in order."""
        return list(self._entries) if self._path is None else list(load([self._path]))

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def load(paths: Iterable[Path]) -> Iterator[Entry]:
    """The entries of several files, each in its own order. A last line cut short by a kill is left out."""
    decoder = msgspec.json.Decoder(Entry)
    for path in paths:
        with path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield decoder.decode(line)
