"""Rows of a demo fair, as a source for the importer.

Every exhibitor, account, buyer and exhibit has dice of its own, thrown from (seed, fair, kind, number). Addresses end in
`.example`, which no mail server serves; the few phone numbers are from a range kept for fiction, so that no stranger is ever
sent anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from random import Random
from typing import Final
from uuid import UUID

from fairwire_server.importing.demo import companies, people
from fairwire_server.importing.demo.wares import SECTIONS
from fairwire_server.importing.rows import Item, Kind, Row

__all__ = ["DemoFair", "DemoSource", "stable_ids"]

AREAS: Final = ("202", "203", "205", "206", "207", "208", "209", "210", "212", "213")
PHONES: Final = (
    1000  # 555-0100 to 555-0199 in each of these: kept for fiction, the only such numbers that pass for real
)
TEAM: Final = ("business", "manager", "business", "exhibit", "business")
SUFFIX: Final = {"business": "sales", "manager": "manager", "exhibit": "exhibit"}
# The first exhibitor's team, whose logins are easy to remember.
ACME: Final = (
    ("manager", "acme-manager", "Morgan Reed"),
    ("business", "acme-sales", "Sam Castillo"),
    ("business", "acme-sales2", "林晓"),
    ("exhibit", "acme-exhibit", "Robin Okafor"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFair:
    """What to make."""

    code: str = "demo"
    exhibitors: int = 12
    buyers: int = 40
    seed: int = 1
    now: datetime
    """The fair is open at this instant."""

    @property
    def opens_at(self) -> datetime:
        """Five days ago at midnight UTC."""
        return self.now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=5)

    @property
    def closes_at(self) -> datetime:
        """A year after it opened: a demo stays open."""
        return self.opens_at + timedelta(days=365)


def stable_ids(fair: str) -> StableIds:
    """Ids that depend on the fair's code and on what they are for alone."""
    return StableIds(fair)


class StableIds:
    """UUIDs in the form of version 7, the same in every run: the dice are a digest, the instant follows the key's number.

    So neighbours lie beside each other in the database's indexes, as with ids made one after the other.
    """

    def __init__(self, fair: str) -> None:
        self._prefix = f"fairwire demo/{fair}/".encode()

    def __call__(self, what: str, key: str) -> UUID:
        digest = blake2b(self._prefix + f"{what}/{key}".encode(), digest_size=16).digest()
        number = int.from_bytes(digest, "big") & ((1 << 80) - 1)
        number &= ~(0xF << 76) & ~(0x3 << 62)
        made = MADE_AT_MS + int("".join(filter(str.isdigit, key))[:9] or 0)
        return UUID(int=(made << 80) | (0x7 << 76) | (0x2 << 62) | number)


MADE_AT_MS: Final = 1_767_225_600_000  # 2026-01-01: what the ids of a demo say of their age


class DemoSource:
    """The rows of one demo fair."""

    def __init__(self, fair: DemoFair, *, with_fair: bool = True) -> None:
        self.name = f"demo fair {fair.code}"
        self._fair = fair
        self._with_fair = with_fair
        self._line = 0

    @property
    def size(self) -> int:
        """About how many rows."""
        return self._fair.exhibitors * 5 + self._fair.buyers + len(SECTIONS) + 2

    @property
    def done(self) -> int:
        """Rows made so far."""
        return min(self._line, self.size)

    def __iter__(self) -> Iterator[Item]:
        for kind, fields in self._rows():
            self._line += 1
            yield Row(self._line, kind, fields)

    def _rows(self) -> Iterator[tuple[Kind, dict[str, object]]]:
        fair = self._fair
        if self._with_fair:
            yield "fair", self._fair_row()
        for section in SECTIONS:
            yield "section", {"fair": fair.code, "id": section.id, "name_zh": section.zh, "name_en": section.en}
        organiser = {
            "id": "organiser",
            "exhibitor": "",
            "type": "organiser",
            "name": "Fair office",
            "login": "organiser",
        }
        yield "account", {"fair": fair.code, **organiser, "email": "office@organiser.example", "email_verified": True}
        for number in range(1, fair.exhibitors + 1):
            yield from self._exhibitor(number)
        for number in range(1, fair.buyers + 1):
            yield "buyer", self._buyer(number)

    def _fair_row(self) -> dict[str, object]:
        fair = self._fair
        return {
            "code": fair.code,
            "name_zh": "飞线示范交易会",
            "name_en": "Fairwire Demo Fair",
            "opens_at": fair.opens_at.isoformat(),
            "closes_at": fair.closes_at.isoformat(),
            "profile_fields": ["full_name", "company", "country", "interests"],
            "sub_account_limit": 5,
        }

    def _dice(self, kind: str, number: int) -> Random:
        return Random(f"{self._fair.seed}/{kind}/{number}")  # noqa: S311 - not for secrets

    def _exhibitor(self, number: int) -> Iterator[tuple[Kind, dict[str, object]]]:
        """An exhibitor, its team and its exhibits."""
        dice = self._dice("exhibitor", number)
        sections = dice.sample(SECTIONS, dice.choices((1, 2, 3), (70, 22, 8))[0])
        if number == 1:
            sections = [section for section in SECTIONS if section.id in {"tools", "hardware"}]
        domestic = number == 1 or dice.random() < 0.88
        key = f"X{number:05}"
        make = companies.domestic_company if domestic else companies.overseas_company
        company = (
            companies.Company("广州艾克美工具有限公司", "Acme Tools Guangzhou Co., Ltd.")
            if number == 1
            else make(dice, sections[0])
        )
        login = "acme-main" if number == 1 else f"exhibitor{number}"
        row: dict[str, object] = {
            "fair": self._fair.code, "id": key, "name_zh": company.zh, "name_en": company.en,
            "domicile": "domestic" if domestic else "overseas", "vip": dice.random() < 0.06, "brand": dice.random() < 0.1,
            "sections": [section.id for section in sections], "login": login,
            "contact": people.chinese_person(dice) if domestic else people.person(dice, "DE"),
            "email": f"{login}@exhibitors.example", "email_verified": True,
        }  # fmt: skip
        if domestic and number <= PHONES:
            row |= {"mobile": f"+1{AREAS[(number - 1) // 100]}55501{(number - 1) % 100:02}", "mobile_verified": True}
        yield "exhibitor", row
        team = list(self._team(number, key, domestic, dice))
        yield from (("account", account) for account in team)
        for count in range(1, dice.choices((0, 1, 2, 3), (22, 42, 24, 12))[0] + (3 if number == 1 else 0) + 1):
            section = dice.choice(sections)
            ware = dice.choice(section.wares)
            model = (
                f"{dice.choice('ABCDEFGHKLMNPRSTW')}{dice.choice('ABCDEFGHKLMNPRSTW')}-{dice.randrange(100, 10_000)}"
            )
            yield "exhibit", {
                "fair": self._fair.code, "exhibitor": key, "id": f"{key}-{count}", "name_zh": ware.zh, "name_en": ware.en,
                "code": model, "section": section.id, "owner": dice.choice(team)["id"] if team and dice.random() < 0.6 else "",
                "tags": [ware.en.lower()],
            }  # fmt: skip

    def _team(self, number: int, key: str, domestic: bool, dice: Random) -> Iterator[dict[str, object]]:
        """The sub-accounts of an exhibitor."""
        if number == 1:
            members = list(ACME)
        else:
            size = dice.choices(range(6), (18, 34, 25, 13, 6, 4))[0]
            members = [
                (kind, f"exhibitor{number}-{SUFFIX[kind]}{place}", people.chinese_person(dice) if domestic else people.person(dice, "DE"))
                for place, kind in enumerate(TEAM[:size], 1)
            ]  # fmt: skip
        for place, (kind, login, name) in enumerate(members, 1):
            yield {
                "fair": self._fair.code, "id": f"{key}-{place}", "exhibitor": key, "type": kind, "name": name, "login": login,
                "email": f"{login}@exhibitors.example", "email_verified": True,
            }  # fmt: skip

    def _buyer(self, number: int) -> dict[str, object]:
        dice = self._dice("buyer", number)
        turn = number - 41  # once through all countries, then as many as really come
        once = 0 <= turn < len(people.COUNTRIES)
        country, _, _ = people.COUNTRIES[turn] if once else dice.choices(people.COUNTRIES, people.CROWD)[0]
        name = people.person(dice, country)
        wares = [dice.choice(section.wares) for section in dice.sample(SECTIONS, dice.randrange(1, 5))]
        login = f"buyer{number}"
        row: dict[str, object] = {
            "fair": self._fair.code, "id": f"B{number:06}", "name": name, "login": login,
            "role": "representative" if dice.random() < 0.15 else "buyer", "country": country,
            "interests": [ware.en for ware in wares], "email": f"{login}@buyers.example", "email_verified": True,
            "full_name": name, "company": companies.buying_company(dice, name.split()[-1]),
            "position": dice.choice(("Buyer", "Purchasing Manager", "Owner", "Category Manager", "Sourcing Director")),
        }  # fmt: skip
        if number > 10 and dice.random() < 0.12:  # a visitor: something is still missing (A3)
            row[dice.choice(("full_name", "company", "interests"))] = ""
        return row
