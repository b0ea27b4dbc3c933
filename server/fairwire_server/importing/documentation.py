"""The column tables of docs/import.md, from the schema itself, so that they cannot be wrong."""

from __future__ import annotations

from fairwire_server.importing.report import REASONS
from fairwire_server.importing.schema import SCHEMAS, Schema

__all__ = ["column_tables", "reason_table"]


def column_tables() -> str:
    """A heading and a table for each kind."""
    return "\n".join(_table(schema) for schema in SCHEMAS.values())


def reason_table() -> str:
    """Every reason for which a row is put aside."""
    rows = [f"| `{reason}` | {sentence} |" for reason, sentence in sorted(REASONS.items())]
    return "\n".join(["| reason | meaning |", "|---|---|", *rows, ""])


def _table(schema: Schema) -> str:
    rows = []
    for name, column in schema.columns.items():
        need = "yes" if column.required else "column" if column.in_header else "one of" if name in schema.either else ""
        rows.append(f"| `{name}` | {need} | {column.doc} |")
    if schema.open_prefix:
        rows.append(f"| `{schema.open_prefix}…` | | CSV: any further profile field, as `profile.fax`. |")
    return "\n".join(
        [f"### {schema.kind}", "", schema.doc, "", "| column | needed | what it is |", "|---|---|---|", *rows, ""]
    )
