"""Writing one batch of a kind: which statements, in which order. All of a batch stands or falls together.

Each kind first finds what its rows mean and what would change (`resolve_`, `merge_`, `compare_`), then puts aside what does
not fit (`check_`), then writes and says what became of each row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
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

__all__ = ["Tell", "Writer", "Written"]

Tell = Callable[[Connection, Sequence[UUID]], Awaitable[None]]
"""Lets a running server know, within the transaction, that these accounts' streams have a new epoch."""

PAGE: Final = 5000
NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Written:
    """One batch: how many rows ended how, how many verified addresses were left alone, whose clients load anew."""

    outcomes: Mapping[str, int]
    kept: int
    reset: int


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
        self._new_rules: list[UUID] = []
        self._kinds: Final[Mapping[Kind, tuple[tuple[str, ...], Callable[[], Awaitable[Sequence[UUID]]]]]] = {
            "fair": (("fill_fairs",), self._fairs),
            "section": (("fill_sections",), self._sections),
            "exhibitor": (("fill_exhibitors", "fill_accounts"), self._exhibitors),
            "account": (("fill_accounts",), self._accounts),
            "buyer": (("fill_buyers", "fill_accounts"), self._buyers),
            "exhibit": (("fill_exhibits",), self._exhibits),
        }

    async def write(self, kind: Kind, after: int, last: int) -> Written:
        """Write the rows of `kind` with `after` < n <= `last` in one transaction."""
        fills, steps = self._kinds[kind]
        async with self._store.transaction():
            await self._store.execute("empty_batch")
            await self._store.execute("fill_batch", kind, after, last)
            for fill in fills:
                await self._store.execute(fill, after, last)
            affected = await steps()
            await self._reset(affected)
            await self._store.execute("finish_batch")
            rows = await self._store.fetch("count_batch")
        return Written({row["outcome"]: row["rows"] for row in rows}, sum(row["kept"] for row in rows), len(affected))

    async def recompute(self) -> int:
        """Completeness of all buyers of fairs that ask for other fields now (A3); answers how many accounts were reset."""
        reset = 0
        for fair in self._new_rules:
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

    async def _fairs(self) -> Sequence[UUID]:
        await self._steps("resolve_fairs")
        await self._store.execute("write_fairs", self._now)
        self._new_rules += await self._store.ids("fairs_with_new_rules")
        return ()

    async def _sections(self) -> Sequence[UUID]:
        await self._steps("resolve_sections", "write_sections")
        return ()

    async def _exhibitors(self) -> Sequence[UUID]:
        await self._steps("resolve_exhibitors", "compare_exhibitors", "check_exhibitors", "resolve_mains")
        await self._merge_accounts()
        await self._steps("write_exhibitors")
        return await self._write_accounts()

    async def _accounts(self) -> Sequence[UUID]:
        await self._steps("resolve_team")
        await self._merge_accounts()
        await self._steps("lock_teams")
        await self._store.execute("check_limits", self._limit)
        return await self._write_accounts()

    async def _buyers(self) -> Sequence[UUID]:
        await self._steps("resolve_buyers")
        await self._merge_accounts()
        await self._steps("merge_buyers")
        complete = [
            row["n"]
            for row in await self._store.fetch("merged_profiles")
            if _complete(row["settings"], row["country"], row["interests"], row["profile"])
        ]
        await self._store.execute("mark_complete", complete)
        await self._steps("compare_buyers")
        return await self._write_accounts("write_buyers")

    async def _exhibits(self) -> Sequence[UUID]:
        await self._steps("resolve_exhibits")
        await self._store.execute("write_exhibits", self._now)
        return ()

    async def _merge_accounts(self) -> None:
        await self._store.execute("merge_accounts", self._now)
        await self._steps("check_logins", "check_mobiles", "check_emails")

    async def _write_accounts(self, *more: str) -> Sequence[UUID]:
        """The accounts of a batch, then what stands on them; answers whose view has changed."""
        new = await self._store.ids("add_accounts", self._now, self._password_hash)
        await self._streams.create(self._store.connection, new)
        await self._steps("change_accounts", *more, "settle_accounts")
        return await self._store.ids("affected_accounts")

    async def _steps(self, *names: str) -> None:
        for name in names:
            await self._store.execute(name)

    async def _reset(self, accounts: Sequence[UUID]) -> None:
        """A new epoch for these accounts' streams: their clients load a fresh snapshot (W6)."""
        if accounts:
            await self._store.ids("lock_streams", accounts)
            await self._streams.reset(self._store.connection, accounts)
            await self._tell(self._store.connection, accounts)


def _complete(settings: bytes, country: str | None, interests: Sequence[str], profile: bytes) -> bool:
    fields = msgspec.json.decode(profile, type=dict[str, str])
    return not missing_fields(fair_settings(settings).profile_fields, country, interests, fields)
