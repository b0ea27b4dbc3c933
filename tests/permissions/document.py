"""docs/permissions.md: the permission table for people. `python -m tests.permissions.document` writes it; a test keeps it so."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.permissions.table import COLUMNS, MARKS, OPERATIONS

__all__ = ["DOCUMENT", "markdown"]

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "permissions.md"
HEADS: Final = dict(
    zip(
        COLUMNS,
        ("anon.", "visitor", "buyer", "other buyer", "main", "manager", "holder", "former", "exhibit", "other exhib.",
         "other fair", "susp.", "organiser"),
        strict=True,
    )
)  # fmt: skip
SHOWN: Final = {
    "ok": ("✓", "done"),
    "nothing": ("∅", "answered, and nothing of it is shown"),
    "unauthenticated": ("—", "`unauthenticated`: there is no caller; a socket closes with 4500"),
    "suspended": ("⏸", "`suspended`: a socket closes with 4501"),
    "forbidden": ("✗", "`forbidden`: not for this kind of account"),
    "not_found": ("?", "`not_found`: exactly as for an id that does not exist"),
    "profile_incomplete": ("C", "`profile_incomplete`"),
    "not_holder": ("H", "`not_holder`: a colleague holds the chat"),
    "bad_target": ("T", "`bad_target`: not an account that may take it"),
    "not_in_base": ("B", "`not_in_base`: add the buyer to the customer base first"),
    "not_recallable": ("R", "`not_recallable`: somebody else's message"),
    "bad_credentials": ("W", "`bad_credentials`"),
    "bad_code": ("X", "`bad_code`"),
    "slot_not_full": ("N", "`slot_not_full`: there is no line, the slot can be booked"),
    "bad_receiver": ("V", "`bad_receiver`: not an account that may receive the meeting"),
    "wrong_state": ("S", "`wrong_state`: the booking's state does not allow it"),
    "too_early": ("E", "`too_early`: the meeting cannot be entered yet, or has not ended yet"),
    "bad_guest": ("G", "`bad_guest`: not a colleague that can be invited by account"),
    "no_proposal": ("P", "`no_proposal`: the other side's to answer, or to take back"),
}
OPENING: Final = """# Permissions

Who may do what, for every operation and every id in its request. This page is printed from the table that
`tests/permissions/table.py` holds, written by hand from the rules and not from the server; `make test` tries every cell on
a running node over both doors, and fails for an operation, an id field or a cell that is not here. Rules such as A7 or C9 are
those of the fair; what a fair changes in its capability table (A7) changes the columns of exhibitor accounts accordingly.

**Columns.** *anon.*: no token. *visitor*: a buyer whose profile is incomplete. *buyer*, *other buyer*: two of one fair. *main*,
*manager*, *holder*, *former*, *exhibit*: accounts of the exhibitor acme; holder and former are business accounts, the first holds
the chat `held`, the second gave it away. *other exhib.*: main account of another exhibitor. *other fair*: main account at another
fair. *susp.*: a suspended account. *organiser*: of the same fair.

**Rows.** A row says which id of the request varies and whose id stands there. `held` is a chat of buyer with acme; `colleague`
one of other buyer with acme that main holds; `rival` and `far` are chats of the other exhibitor and at the other fair;
`…_late` is a message or image from after the transfer that ended former's view. As an account, session or image `acme`, `rival` and
`far` mean somebody there who is no column. As a booking, `soon` can be entered and `over` has ended; both were received by former, then
by holder. Links and guests are of the side they are named after. `unknown` exists nowhere. `plain`: the request names nothing.
"""


def markdown() -> str:
    """The whole page."""
    assert set(SHOWN) == set(MARKS.values())
    legend = ["| | |", "|---|---|", *(f"| {sign} | {meaning} |" for sign, meaning in SHOWN.values())]
    parts = [OPENING, "\n".join(legend)]
    for entry in OPERATIONS:
        head = f"| | {' | '.join(HEADS[column] for column in COLUMNS)} |"
        lines = [
            f"## `{entry.name}`",
            "",
            f"{entry.reason[0].upper()}{entry.reason[1:]} ({', '.join(entry.rules)}).",
            "",
        ]
        lines += [head, "|---" * (len(COLUMNS) + 1) + "|"]
        lines += [
            f"| `{row.name}` | {' | '.join(SHOWN[row.expected[column]][0] for column in COLUMNS)} |"
            for row in entry.rows
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(part.strip() for part in parts) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(markdown(), encoding="utf-8")
