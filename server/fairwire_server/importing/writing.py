"""Writing one batch of a kind: which statements, in which order. All of a batch stands or falls together.

Each kind first finds what its rows mean and what would change (`resolve_`, `merge_`, `compare_`), then puts aside what does
not fit (`check_`), then writes and says what became of each row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from fairwire_server.accounts.fair_settings import fair_settings
from fairwire_server.accounts.profile_rules import missing_fields
from fairwire_server.database.pool import Connection
from fairwire_server.importing.rows import Kind
from fairwire_server.importing.store import ImportStore
from fairwire_server.streams.store import StreamStore

__all__ = ["Tell", "Writer"]

Tell = Callable[[Connection, Sequence[UUID]], Awaitable[None]]
"""Lets a running server know, within the transaction, that these accounts' streams have a new epoch."""

PAGE: Final = 5000
NOBODY: Final = UUID(int=0)


class Writer:
    """Writes batches on the importer's connection, all at one instant."""

    def __init__(
        self, store: ImportStore, now: datetime, tell: Tell, *, sub_account_limit: int, password_hash: str | None
    ) -> None:
        self._store = store
        self._streams = StreamStore()
        self._now = now
        self._tell = tell
        self._limit = sub_account_limit
        self._password_hash = password_hash
        self._kinds: Final[Mapping[Kind, Callable[[int, int], Awaitable[int]]]] = {
            "fair": self._fairs,
            "section": self._sections,
            "exhibitor": self._exhibitors,
            "account": self._accounts,
            "buyer": self._buyers,
            "exhibit": self._exhibits,
        }

    async def write(self, kind: Kind, after: int, last: int) -> int:
        """Write the rows of `kind` with `after` < n <= `last` in one transaction; answers how many accounts were reset."""
        async with self._store.transaction():
            return await self._kinds[kind](after, last)

    async def recompute(self) -> int:
        """Completeness of all buyers of fairs that ask for other fields now (A3); answers how many accounts were reset."""
        reset = 0
        for fair in await self._store.ids("fairs_with_new_rules"):
            last = NOBODY
            while rows := await self._store.fetch("buyers_of_fair", fair, last, PAGE):
                last = rows[-1]["account_id"]
                turned = [
                    row["account_id"]
                    for row in rows
                    if row["complete"] != _complete(row["settings"], row["country"], row["interests"], row["profile"])
                ]
                async with self._store.transaction():
                    await self._store.execute("turn_complete", turned)
                    await self._reset(turned)
                reset += len(turned)
        return reset

    async def _fairs(self, after: int, last: int) -> int:
        await self._store.execute("resolve_fairs", after, last)
        await self._store.execute("write_fairs", after, last, self._now)
        return 0

    async def _sections(self, after: int, last: int) -> int:
        await self._store.execute("resolve_sections", after, last)
        await self._store.execute("write_sections", after, last)
        return 0

    async def _exhibitors(self, after: int, last: int) -> int:
        for step in ("resolve_exhibitors", "compare_exhibitors", "check_exhibitors", "resolve_mains"):
            await self._store.execute(step, after, last)
        await self._merge_accounts("exhibitor", after, last)
        await self._store.execute("write_exhibitors", after, last)
        return await self._write_accounts("exhibitor", after, last)

    async def _accounts(self, after: int, last: int) -> int:
        await self._store.execute("resolve_team", after, last)
        await self._merge_accounts("account", after, last)
        await self._store.execute("lock_teams", after, last)
        await self._store.execute("check_limits", after, last, self._limit)
        return await self._write_accounts("account", after, last)

    async def _buyers(self, after: int, last: int) -> int:
        await self._store.execute("resolve_buyers", after, last)
        await self._merge_accounts("buyer", after, last)
        await self._store.execute("merge_buyers", after, last)
        rows = await self._store.fetch("merged_profiles", after, last)
        complete = [
            row["n"] for row in rows if _complete(row["settings"], row["country"], row["interests"], row["profile"])
        ]
        await self._store.execute("mark_complete", complete)
        await self._store.execute("compare_buyers", after, last)
        return await self._write_accounts("buyer", after, last, "write_buyers")

    async def _exhibits(self, after: int, last: int) -> int:
        await self._store.execute("resolve_exhibits", after, last)
        await self._store.execute("write_exhibits", after, last, self._now)
        return 0

    async def _merge_accounts(self, kind: Kind, after: int, last: int) -> None:
        await self._store.execute("merge_accounts", after, last, self._now, kind)
        for check in ("check_logins", "check_mobiles", "check_emails"):
            await self._store.execute(check, after, last, kind)

    async def _write_accounts(self, kind: Kind, after: int, last: int, *more: str) -> int:
        """The accounts of a batch, then what stands on them, then whose view has changed."""
        new = await self._store.ids("add_accounts", after, last, self._now, kind, self._password_hash)
        await self._streams.create(self._store.connection, new)
        await self._store.execute("change_accounts", after, last, kind)
        for step in more:
            await self._store.execute(step, after, last)
        await self._store.execute("settle_accounts", after, last, kind)
        affected = await self._store.ids("affected_accounts", after, last, kind)
        await self._reset(affected)
        return len(affected)

    async def _reset(self, accounts: Sequence[UUID]) -> None:
        """A new epoch for these accounts' streams: their clients load a fresh snapshot (W6)."""
        if accounts:
            await self._store.ids("lock_streams", accounts)
            await self._streams.reset(self._store.connection, accounts)
            await self._tell(self._store.connection, accounts)


def _complete(settings: bytes, country: str | None, interests: Sequence[str], profile: bytes) -> bool:
    fields = msgspec.json.decode(profile, type=dict[str, str])
    return not missing_fields(fair_settings(settings).profile_fields, country, interests, fields)
