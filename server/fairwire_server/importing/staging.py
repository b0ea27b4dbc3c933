"""Checked values → records of the staging tables, which the queries then compare with the fair's own.

Every row has a record in `staged` (where it came from, its fair, the key it is found again by). Beside it stand the records of
what it describes; an exhibitor describes itself and its main account, a buyer itself and its account. None in a record means
that the file does not say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

import msgspec

from fairwire_server.importing import fields
from fairwire_server.importing.rows import Kind, Row, RowFault
from fairwire_server.importing.schema import SCHEMAS

__all__ = ["TABLES", "Batch", "NewId", "Stager"]

Record = tuple[object, ...]
Values = Mapping[str, object]
SEPARATOR: Final = "\x1f"  # no value holds it, so joined keys stay apart

TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "staged": ("n", "kind", "source", "line", "raw", "fair", "key"),
    "staged_fair": ("n", "id", "name_zh", "name_en", "time_zone", "opens_at", "closes_at", "settings"),
    "staged_section": ("n", "id", "name_zh", "name_en"),
    "staged_exhibitor": (
        "n", "id", "name_zh", "name_en", "name_tokens", "domicile", "vip", "brand", "sub_account_limit", "sections",
    ),
    "staged_account": (
        "n", "id", "kind", "exhibitor", "external_id", "login", "default_login", "name", "default_name", "name_tokens",
        "mobile", "mobile_verified", "email", "email_verified", "language", "default_language", "time_zone",
    ),
    "staged_buyer": ("n", "role", "company_id", "company", "company_new", "country", "interests", "avatar", "profile"),
    "staged_exhibit": (
        "n", "id", "exhibitor", "external_id", "code", "name_zh", "name_en", "section", "owner", "owner_login", "image",
        "tags", "state",
    ),
}  # fmt: skip
"""Columns that are filled by copying, in this order; what the queries add is in queries.sql."""


class NewId(Protocol):
    """Makes the id of something new; `what` and `key` let the demo make the same ids again."""

    def __call__(self, what: str, key: str) -> UUID: ...


@dataclass(slots=True)
class Batch:
    """Records waiting to be copied, by table."""

    records: dict[str, list[Record]] = field(default_factory=lambda: {table: [] for table in TABLES})

    def __len__(self) -> int:
        return len(self.records["staged"])


class Stager:
    """Turns rows into records, numbering them. Raises `RowFault` and leaves no record of such a row."""

    def __init__(
        self,
        tokens: Callable[[str], str],
        fold_login: Callable[[str], str],
        new_id: NewId,
        *,
        fair: str | None = None,
        phone_region: str | None = None,
        organisers: bool = False,
    ) -> None:
        self._tokens = tokens
        self._fold_login = fold_login
        self._new_id = new_id
        self._fair = fair
        self._phone_region = phone_region
        self._organisers = organisers
        self._n = 0
        self._make: Final[Mapping[Kind, Callable[[int, Values, Batch], str]]] = {
            "fair": self._fair_row,
            "section": self._section,
            "exhibitor": self._exhibitor,
            "account": self._account,
            "buyer": self._buyer,
            "exhibit": self._exhibit,
        }

    def stage(self, row: Row, source: int, batch: Batch) -> None:
        """Check `row` and add its records to `batch`."""
        values = SCHEMAS[row.kind].checked(row.fields)
        n = self._n + 1
        key = self._make[row.kind](n, values, batch)
        self._n = n
        fair = key if row.kind == "fair" else _text(values, "fair") or self._fair
        batch.records["staged"].append((n, row.kind, source, row.line, row.raw, fair, key))

    def _fair_row(self, n: int, values: Values, batch: Batch) -> str:
        zone = _text(values, "time_zone")
        opens = fields.instant(str(values["opens_at"]), zone or "Asia/Shanghai", "opens_at")
        closes = fields.instant(str(values["closes_at"]), zone or "Asia/Shanghai", "closes_at")
        if opens >= closes:
            raise RowFault("invalid", "A fair closes after it opens.", "closes_at")
        settings = {
            name: None if values[name] in (fields.EMPTIED, ()) else values[name]
            for name in ("profile_fields", "sub_account_limit", "waiting_minutes")
            if name in values
        }
        code = str(values["code"])
        record = (self._new_id("fair", code), *_names(values), zone, opens, closes, msgspec.json.encode(settings))
        batch.records["staged_fair"].append((n, *record))
        return code

    def _section(self, n: int, values: Values, batch: Batch) -> str:
        key = str(values["id"])
        batch.records["staged_section"].append((n, self._new_id("section", key), *_names(values)))
        return key

    def _exhibitor(self, n: int, values: Values, batch: Batch) -> str:
        key = str(values["id"])
        zh, en = _names(values)
        domestic = values["domicile"] == "domestic"
        account = self._account_record(
            n, values, kind="main", exhibitor=key, external_id=f"exhibitor:{key}", name=_text(values, "contact"),
            default_name=(zh if domestic else en)[:100], region="CN" if domestic else None, language="zh" if domestic else "en",
        )  # fmt: skip
        tokens = self._tokens(zh if zh == en else f"{zh} {en}")
        batch.records["staged_exhibitor"].append(
            (
                n, self._new_id("exhibitor", key), zh, en, tokens, values["domicile"], values.get("vip"), values.get("brand"),
                values.get("sub_account_limit"), values.get("sections"),
            )
        )  # fmt: skip
        batch.records["staged_account"].append(account)
        return key

    def _account(self, n: int, values: Values, batch: Batch) -> str:
        key, kind = str(values["id"]), str(values["type"])
        if kind == "organiser" and not self._organisers:
            raise RowFault("invalid", "Organisers are made by `organiser create`, not by an import.", "type")
        exhibitor = _text(values, "exhibitor") or None
        if (exhibitor is None) != (kind == "organiser"):
            raise RowFault("missing", "exhibitor must be filled.", "exhibitor")
        account = self._account_record(
            n, values, kind=kind, exhibitor=exhibitor,
            external_id=f"account:{key}", name=str(values["name"]), default_name="", region=None, language=None,
        )  # fmt: skip
        batch.records["staged_account"].append(account)
        return key

    def _buyer(self, n: int, values: Values, batch: Batch) -> str:
        key, country, company = str(values["id"]), _text(values, "country"), _text(values, "company_id")
        profile: dict[str, str | None] = {}
        for name, value in values.items():
            if name.startswith("profile."):
                profile[name.removeprefix("profile.")] = str(value) or None
            elif name in ("full_name", "company", "position", "website", "address"):
                profile[name] = str(value) or None
            elif name == "profile":
                assert isinstance(value, Mapping)
                profile.update((key, text or None) for key, text in value.items())
        account = self._account_record(
            n, values, kind="buyer", exhibitor=None, external_id=f"buyer:{key}", name=str(values["name"]),
            default_name="", region=country or None, language="zh" if country in ("CN", "HK", "MO", "TW") else "en",
        )  # fmt: skip
        batch.records["staged_account"].append(account)
        batch.records["staged_buyer"].append(
            (
                n, values.get("role"), company, _text(values, "company"), self._new_id("company", company) if company else None,
                country, values.get("interests"), values.get("avatar"), msgspec.json.encode(profile),
            )
        )  # fmt: skip
        return key

    def _exhibit(self, n: int, values: Values, batch: Batch) -> str:
        exhibitor, external_id, owner = str(values["exhibitor"]), str(values["id"]), _text(values, "owner")
        key = exhibitor + SEPARATOR + external_id
        batch.records["staged_exhibit"].append(
            (
                n, self._new_id("exhibit", key), exhibitor, external_id, values.get("code"), *_names(values),
                values.get("section"), owner, owner and self._fold_login(owner), values.get("image"), values.get("tags"),
                values.get("state"),
            )
        )  # fmt: skip
        return key

    def _account_record(
        self, n: int, values: Values, *, kind: str, exhibitor: str | None, external_id: str, name: str | None,
        default_name: str, region: str | None, language: str | None,
    ) -> Record:  # fmt: skip
        given = _text(values, "login")
        default_login = self._fold_login("-".join(external_id.replace(":", "-", 1).split()))
        typed = _text(values, "mobile")
        return (
            n, self._new_id("account", external_id), kind, exhibitor, external_id,
            given, default_login, name, default_name,
            self._tokens(name or default_name), None if typed is None else fields.mobile(typed, region or self._phone_region),
            values.get("mobile_verified"), values.get("email"), values.get("email_verified"), values.get("language"),
            language, values.get("time_zone"),
        )  # fmt: skip


def _names(values: Values) -> tuple[str, str]:
    """Both names, the one standing in for the other."""
    zh, en = str(values.get("name_zh") or ""), str(values.get("name_en") or "")
    return zh or en, en or zh


def _text(values: Values, name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) else None
