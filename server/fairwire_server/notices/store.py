"""Rows of notices, attempts, providers, budgets and preferences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from fairwire_server.database.named import NamedStore
from fairwire_server.database.pool import Connection, Row
from fairwire_server.notices.records import Recipient
from fairwire_server.notices.rules import Addressee, Spend

__all__ = ["NoticeStore", "added_channels"]

_ADDED = msgspec.json.Decoder(dict[str, tuple[str, ...]])


def added_channels(stored: bytes | None) -> dict[str, tuple[str, ...]]:
    """Kind → channels that an account has added (N9)."""
    return _ADDED.decode(stored) if stored else {}


class NoticeStore(NamedStore):
    """Named queries over the tables of this capability."""

    def __init__(self) -> None:
        super().__init__(__package__)

    async def columns(self, connection: Connection, name: str, rows: Sequence[Sequence[Any]], *args: Any) -> None:
        """Run the query `name` over rows given as one array for each column."""
        if rows:
            await connection.execute(self._sql[name], *map(list, zip(*rows, strict=True)), *args)

    async def rows(self, connection: Connection, name: str, rows: Sequence[Sequence[Any]], *args: Any) -> list[Row]:
        """As `columns`, with the rows that the query answers."""
        return await connection.fetch(self._sql[name], *map(list, zip(*rows, strict=True)), *args)

    async def addressees(self, connection: Connection, accounts: Iterable[UUID]) -> dict[UUID, Addressee]:
        """What decides the channels of these accounts (N1)."""
        rows = await connection.fetch(self._sql["addressees"], sorted(set(accounts)))
        return {row["id"]: addressee(row) for row in rows}

    async def recipients(self, connection: Connection, accounts: Iterable[UUID]) -> dict[UUID, Recipient]:
        """Who is told, as they are now."""
        rows = await connection.fetch(self._sql["recipients"], sorted(set(accounts)))
        return {row["id"]: _recipient(row) for row in rows}

    async def budgets(self, connection: Connection, numbers: Iterable[str], day: date) -> dict[str, dict[Spend, int]]:
        """What these numbers have been sent on that day; locked until the transaction ends (N7)."""
        rows = await connection.fetch(self._sql["budgets"], sorted(set(numbers)), day)
        return {
            row["number"]: {"soon": row["soon"], "assigned": row["assigned"], "day_ahead": row["day_ahead"]}
            for row in rows
        }

    async def mains(self, connection: Connection, accounts: Iterable[UUID]) -> dict[UUID, UUID]:
        """The main account of each account's exhibitor; buyers have none."""
        rows = await connection.fetch(self._sql["mains"], sorted(set(accounts)))
        return {row["id"]: row["main"] for row in rows}


def _recipient(row: Row) -> Recipient:
    return Recipient(
        id=row["id"],
        name=row["name"],
        active=row["active"],
        language=row["language"],
        zone=row["zone"],
        fair_zone=row["fair_zone"],
        fair_zh=row["name_zh"],
        fair_en=row["name_en"],
        email=row["email_address"],
        mobile=row["mobile_number"],
        quiet_from=row["quiet_from"],
        quiet_to=row["quiet_to"],
        addressee=addressee(row),
    )


def addressee(row: Row) -> Addressee:
    """From a row that has the columns of `addressees`."""
    return Addressee(
        side="buyer" if row["domicile"] is None else "team",
        domicile=row["domicile"],
        country=row["country"],
        email=bool(row["email"]),
        mobile=bool(row["mobile"]),
        domestic_number=bool(row["domestic_number"]),
        added=added_channels(row["channels"]),
        reminders_by_mail=row["reminders_by_mail"],
    )
