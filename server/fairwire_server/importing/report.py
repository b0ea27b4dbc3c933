"""What became of every row: counts per kind, and the sentence of each reason.

total = created + updated + unchanged + failed + duplicate, always.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec

from fairwire_server.importing.rows import KINDS, Kind

__all__ = ["REASONS", "Counts", "Failure", "Report", "Sample"]

UNKNOWN: Final = "unknown"
SAMPLES: Final = 10

REASONS: Final = {
    # of the row itself
    "account_limit": "The exhibitor has as many sub-accounts as it may (A2).",
    "account_removed": "The account was removed; it is not brought back by an import.",
    "address_taken": "Another account has verified this address.",
    "bad_email": "This is no email address.",
    "bad_phone": "This is no phone number with its country code.",
    "bad_quotes": "The quotes of the line do not fit.",
    "control_character": "A cell holds a character that is no text.",
    "duplicate": "An earlier row of these files has the same id.",
    "exhibitor_changed": "The account belongs to another exhibitor; accounts do not move.",
    "invalid": "A cell has the wrong value.",
    "login_taken": "Another account of this fair signs in by that login.",
    "main_exists": "Another row describes this exhibitor's main account; there is exactly one (A2).",
    "missing": "A cell that must be filled is empty.",
    "not_decodable": "The line is not in the file's encoding.",
    "not_json": "The line is not a JSON object.",
    "refused": "The database refused the row; `field` names the constraint.",
    "too_long": "A cell or line is too long.",
    "too_many": "A cell lists too many.",
    "type_changed": "The type of an account is changed in the platform, where its open work is handed over (A6).",
    "unknown_exhibitor": "There is no exhibitor of that id at this fair.",
    "unknown_fair": "There is no such fair; name one in the row or by --fair.",
    "unknown_field": "There is no such field.",
    "unknown_kind": "The line is of no known kind.",
    "unknown_owner": "The exhibitor has no account of that id or login.",
    "unknown_section": "There is no section of that id at this fair.",
    "wrong_column_count": "The row has more or fewer cells than the header.",
    "wrong_type": "A value has the wrong type.",
}


class Failure(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One row that was not taken, as it stands in a failures file."""

    line: int
    kind: str
    reason: str
    field: str | None = None
    message: str
    row: msgspec.Raw | str | None = None
    """The row's cells, or the damaged text."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One of the first failures, for the terminal."""

    file: str
    line: int
    kind: str
    reason: str
    message: str


class Counts(msgspec.Struct, kw_only=True):
    """One kind."""

    total: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: dict[str, int] = msgspec.field(default_factory=Counter)
    duplicate: int = 0
    kept: int = 0
    """Of the others: rows whose address was left alone, because the account has verified another one (A8)."""

    def fail(self, reason: str, rows: int = 1) -> None:
        """Count rows that were put aside."""
        if reason == "duplicate":
            self.duplicate += rows
        else:
            self.failed[reason] = self.failed.get(reason, 0) + rows


class Report(msgspec.Struct, kw_only=True):
    """The whole run."""

    kinds: dict[str, Counts] = {}
    failures: list[str] = []
    """The failures files that were written."""
    samples: list[Sample] = []
    resets: int = 0
    """Accounts whose clients are told to load everything anew, because what they show has changed."""
    dry_run: bool = False
    seconds: float = 0.0

    def of(self, kind: Kind | None) -> Counts:
        """The counts of a kind; None for lines whose kind nobody knows."""
        return self.kinds.setdefault(kind or UNKNOWN, Counts())

    def add(self, kind: Kind, outcomes: Mapping[str, int], kept: int, resets: int) -> None:
        """Count a written batch."""
        counts = self.of(kind)
        counts.created += outcomes.get("created", 0)
        counts.updated += outcomes.get("updated", 0)
        counts.unchanged += outcomes.get("unchanged", 0)
        counts.kept += kept
        self.resets += resets

    def sample(self, sample: Sample) -> None:
        """Keep the first few."""
        if len(self.samples) < SAMPLES:
            self.samples.append(sample)

    @property
    def failed(self) -> int:
        """Rows of all kinds that failed."""
        return sum(sum(counts.failed.values()) for counts in self.kinds.values())

    def ordered(self) -> list[tuple[str, Counts]]:
        """Kinds in the order in which they are written."""
        return [(kind, self.kinds[kind]) for kind in (*KINDS, UNKNOWN) if kind in self.kinds]
