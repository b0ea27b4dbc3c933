"""The columns of each kind: what may stand in a file, how it is read, and its line in the documents.

A cell has three states. Its column is not there: the value in the database stays. The cell is empty: the value is emptied, or
back to its default. It is filled: that is the value. A required cell must be filled.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from fairwire_server.importing import fields
from fairwire_server.importing.rows import KINDS, Kind, RowFault

__all__ = ["SCHEMAS", "Column", "Schema", "canonical", "kind_named", "near"]

Reader = Callable[[object], object]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: how a cell is read, and what it is."""

    read: Reader
    doc: str
    required: bool = False
    """Its cell must be filled."""
    in_header: bool = False
    """The column must be there, though a cell may be empty."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of one kind. `open_prefix` allows further ones: a buyer's `profile.…`."""

    kind: Kind
    doc: str
    columns: Mapping[str, Column]
    either: tuple[str, ...] = ()
    """Of these at least one is filled."""
    open_prefix: str | None = None
    required: tuple[str, ...] = field(init=False)
    """Columns whose cells must be filled."""

    def __post_init__(self) -> None:
        required = tuple(name for name, column in self.columns.items() if column.required)
        object.__setattr__(self, "required", required)

    def knows(self, name: str) -> bool:
        """Whether a column of that name has a meaning here."""
        prefix = self.open_prefix
        return name in self.columns or (prefix is not None and name.startswith(prefix) and len(name) > len(prefix))

    def missing(self, header: Iterable[str]) -> list[str]:
        """What a header lacks."""
        names = set(header)
        lacking = [
            name for name, column in self.columns.items() if (column.required or column.in_header) and name not in names
        ]
        if self.either and not names & set(self.either):
            lacking.append(" or ".join(self.either))
        return lacking

    def checked(self, cells: Mapping[str, object]) -> dict[str, object]:
        """The values of a row; raises `RowFault` for the first cell that cannot be taken."""
        values: dict[str, object] = {}
        columns = self.columns
        name = ""
        try:
            for name, cell in cells.items():
                column = columns.get(name)
                values[name] = self._open(name, cell) if column is None else column.read(cell)
        except RowFault as fault:
            raise RowFault(fault.reason, fault.message, fault.field or name) from None
        for required in self.required:
            if values.get(required, "") == "":
                raise RowFault("missing", f"{required} must be filled.", required)
        if self.either and not any(values.get(name) for name in self.either):
            raise RowFault("missing", f"{' or '.join(self.either)} must be filled.", self.either[0])
        return values

    def _open(self, name: str, cell: object) -> object:
        if not self.knows(name):
            raise RowFault("unknown_field", f"There is no field {name[:80]!r}{near(name, self.columns)}.")
        return fields.profile_value(cell)


def canonical(name: str) -> str:
    """A column's name as we write it: `Name-ZH ` is `name_zh`."""
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def near(name: str, known: Iterable[str]) -> str:
    """`; did you mean …?` when something known is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


@cache
def kind_named(name: str) -> Kind | None:
    """The kind that `name` means, in singular or plural."""
    word = canonical(name)
    return next((kind for kind in KINDS if word in {kind, f"{kind}s"}), None)


_FAIR: Final = Column(fields.text(64), "Code of its fair. Not needed with `--fair`, or when there is only one fair.")
_NAMES: Final[Mapping[str, Column]] = {
    "name_zh": Column(fields.text(200), "Chinese name; when empty, the English one stands for it."),
    "name_en": Column(fields.text(200), "English name; when empty, the Chinese one stands for it."),
}
_PERSON: Final[Mapping[str, Column]] = {
    "mobile": Column(
        fields.phone_text, "Mobile number with its country code (+86 …), or as `--phone-region` reads it (A8)."
    ),
    "mobile_verified": Column(fields.flag, "yes: the number is known to be the account's; else it is registered only."),
    "email": Column(fields.email, "Email address (A8)."),
    "email_verified": Column(fields.flag, "yes: the address is known to be the account's; else it is registered only."),
    "language": Column(fields.language, "Language of notices, such as zh or en."),
    "time_zone": Column(fields.time_zone, "IANA time zone, such as Europe/Berlin."),
}
_LOGIN: Final = Column(
    fields.login,
    "What it signs in by, unique at the fair; by default the kind and the id, as `buyer-17`. Case does not matter.",
)


def _id(what: str) -> Column:
    return Column(fields.text(200), f"Your own id of the {what}: a second import finds it by this.", required=True)


_ALL: Final = (
    Schema(
        "fair",
        "One edition of a fair (A1).",
        {
            "code": Column(fields.text(64), "Its short name, which sign-in asks for.", required=True),
            **_NAMES,
            "time_zone": Column(fields.time_zone, "IANA time zone; by default Asia/Shanghai."),
            "opens_at": Column(
                fields.text(40), "ISO 8601; without an offset it is the fair's own time.", required=True
            ),
            "closes_at": Column(fields.text(40), "As opens_at; a date alone is its first instant.", required=True),
            "profile_fields": Column(fields.items(40, 40), "Fields that make a buyer's profile complete (A3)."),
            "sub_account_limit": Column(fields.integer(0, 1000), "Sub-accounts that an exhibitor may have (A2)."),
            "waiting_minutes": Column(fields.integer(1, 10_080), "Minutes until an unanswered chat is shown (C11)."),
        },
        either=("name_zh", "name_en"),
    ),
    Schema(
        "section",
        "An exhibition section (展区).",
        {"fair": _FAIR, "id": _id("section"), **_NAMES},
        either=("name_zh", "name_en"),
    ),
    Schema(
        "exhibitor",
        "A company at the fair (参展商), and with it its main account (A2).",
        {
            "fair": _FAIR,
            "id": _id("exhibitor"),
            **_NAMES,
            "domicile": Column(fields.domicile, "domestic (境内) or overseas (境外).", required=True),
            "vip": Column(fields.flag, "yes or no."),
            "brand": Column(fields.flag, "yes or no."),
            "sections": Column(fields.items(100, 200), "Ids of its sections."),
            "sub_account_limit": Column(
                fields.integer(0, 1000), "Its own limit of sub-accounts; empty: the fair's (A2)."
            ),
            "login": Column(fields.login, "Login of its main account; by default `exhibitor-` and the id."),
            "contact": Column(fields.text(100), "Name of its main account; by default the company's."),
            **_PERSON,
        },
        either=("name_zh", "name_en"),
    ),
    Schema(
        "account",
        "An account of an exhibitor: main (主账号) or sub-account (子账号).",
        {
            "fair": _FAIR,
            "id": _id("account"),
            "exhibitor": Column(fields.text(200), "Id of its exhibitor.", in_header=True),
            "type": Column(fields.account_kind, "main, manager, business or exhibit (A7).", required=True),
            "name": Column(fields.text(100), "Shown to buyers and colleagues.", required=True),
            "login": _LOGIN,
            **_PERSON,
        },
    ),
    Schema(
        "buyer",
        "A buyer (采购商) or representative (采购代表) and its account (A3).",
        {
            "fair": _FAIR,
            "id": _id("buyer"),
            "name": Column(fields.text(100), "Shown to exhibitors.", required=True),
            "login": _LOGIN,
            "role": Column(fields.buyer_role, "buyer or representative; by default buyer."),
            "company_id": Column(fields.text(200), "Your id of its company; buyers of one company share it."),
            "country": Column(fields.country, "ISO 3166-1 alpha-2, such as DE."),
            "interests": Column(fields.items(20, 100), "What it wants to buy."),
            "avatar": Column(fields.text(500), "Address of a picture."),
            **_PERSON,
            "full_name": Column(fields.profile_value, "Profile: full name."),
            "company": Column(fields.profile_value, "Profile: company."),
            "position": Column(fields.profile_value, "Profile: position."),
            "website": Column(fields.profile_value, "Profile: web site."),
            "address": Column(fields.profile_value, "Profile: postal address."),
            "profile": Column(fields.profile, "JSON Lines: any further profile fields as an object."),
        },
        open_prefix="profile.",
    ),
    Schema(
        "exhibit",
        "An exhibit (展品) of an exhibitor (O1).",
        {
            "fair": _FAIR,
            "exhibitor": Column(fields.text(200), "Id of its exhibitor.", required=True),
            "id": Column(fields.text(200), "Your own id of the exhibit, unique at its exhibitor.", required=True),
            **_NAMES,
            "code": Column(fields.text(100), "Model or article number."),
            "section": Column(fields.text(200), "Id of its section."),
            "owner": Column(fields.text(200), "Who looks after it: id (or login) of an account of the exhibitor (C6)."),
            "image": Column(fields.text(500), "Address of a picture."),
            "tags": Column(fields.items(50, 50), "Words to find it by."),
            "state": Column(
                fields.exhibit_state, "listed (已上架), unlisted (已下架) or banned (已封禁); by default listed."
            ),
        },
        either=("name_zh", "name_en"),
    ),
)
SCHEMAS: Final[Mapping[Kind, Schema]] = {schema.kind: schema for schema in _ALL}
