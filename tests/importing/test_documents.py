"""docs/import.md says what the program does."""

from __future__ import annotations

from pathlib import Path

from fairwire_server.importing.documentation import column_tables, reason_table

DOCUMENT = Path(__file__).parents[2] / "docs" / "import.md"


def test_the_tables_are_those_of_the_schema() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert column_tables() in text
    assert reason_table() in text
