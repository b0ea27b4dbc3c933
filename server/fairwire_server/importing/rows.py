"""What a source hands over: rows of a kind, damaged places, and the refusal of a whole file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias, get_args

__all__ = ["KINDS", "Damaged", "FileFault", "Kind", "Refusal", "Row", "RowFault", "Source"]

Kind = Literal["fair", "section", "exhibitor", "account", "buyer", "exhibit"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""In the order in which they are written: what a row names comes before it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record. `fields` as they stood in the file; `raw` is what the failures file shows of it, as JSON."""

    line: int
    kind: Kind
    fields: Mapping[str, object]
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Damaged:
    """A place in the file that is no row; `kind` where the file or the line still tells it."""

    line: int
    kind: Kind | None
    reason: str
    message: str
    text: str


class Refusal(Exception):
    """A file that cannot be meant as it stands: its header, its kind, its encoding. Nothing at all is imported."""


class FileFault(Exception):
    """A file that could be opened but cannot be read on, or a failures file that cannot be written on."""


class RowFault(Exception):
    """A row that cannot be taken: a stable `reason`, the field, and a sentence."""

    def __init__(self, reason: str, message: str, field: str | None = None) -> None:
        self.reason = reason
        self.message = message
        self.field = field
        super().__init__(message)


class Source(Protocol):
    """Rows from somewhere: a CSV file, a JSON Lines file, the demo's generator. Reading it never raises for a row."""

    @property
    def name(self) -> str:
        """What the report calls it."""

    @property
    def size(self) -> int:
        """How much there is, in the unit of `done`; 0 when nobody knows."""

    @property
    def done(self) -> int:
        """How much has been read."""

    def __iter__(self) -> Iterator[Item]:
        """The rows in order, once."""


Item: TypeAlias = Row | Damaged
