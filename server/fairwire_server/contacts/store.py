"""Rows of contacts, marks and the customer base."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from fairwire_protocol.models import BuyerCard, Entry
from fairwire_server.accounts.rules import Caller, Table, kinds_with_history, reading_kinds
from fairwire_server.contacts.entries import BuyerRow, entry_of
from fairwire_server.contacts.rules import Sight
from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries

__all__ = ["ContactStore"]


class ContactStore:
    """Named queries over this capability's tables."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__)

    async def entries(self, connection: Connection, viewer: UUID, conversations: Sequence[UUID]) -> dict[UUID, Entry]:
        """The viewer's entries of these conversations; the caller has decided that it may see them."""
        rows = await connection.fetch(self._sql["entries"], viewer, list(conversations))
        found = [entry_of(tuple(row), viewer) for row in rows]
        return {entry.conversation: entry for entry in found}

    async def entries_of(
        self, connection: Connection, pairs: Collection[tuple[UUID, UUID]]
    ) -> dict[tuple[UUID, UUID], Entry]:
        """`entries` for many (viewer, conversation) in one statement."""
        viewers, conversations = [viewer for viewer, _ in pairs], [conversation for _, conversation in pairs]
        rows = await connection.fetch(self._sql["entries_of_pairs"], viewers, conversations)
        return {(viewer, found.conversation): found for viewer, *row in rows for found in (entry_of(row, viewer),)}

    async def recent(self, connection: Connection, account: UUID, limit: int) -> list[Entry]:
        """The recent list, unordered."""
        rows = await connection.fetch(self._sql["recent"], account, limit)
        return [entry_of(tuple(row), account) for row in rows]

    async def starred(self, connection: Connection, account: UUID) -> list[Entry]:
        """Starred contacts, unordered."""
        rows = await connection.fetch(self._sql["starred"], account)
        return [entry_of(tuple(row), account) for row in rows]

    async def view_of(self, connection: Connection, account: UUID, conversation: UUID) -> Sight | None:
        """What decides whether the account may see and mark the conversation."""
        return (await self.views_of(connection, [(account, conversation)])).get((account, conversation))

    async def views_of(
        self, connection: Connection, pairs: Collection[tuple[UUID, UUID]]
    ) -> dict[tuple[UUID, UUID], Sight]:
        """`view_of` for many (account, conversation) at once; conversations that do not exist are left out."""
        accounts, conversations = [account for account, _ in pairs], [conversation for _, conversation in pairs]
        rows = await connection.fetch(self._sql["views_of"], accounts, conversations)
        return {(row["viewer"], row["id"]): _sight(row) for row in rows}

    async def lock_marks(self, connection: Connection, account: UUID) -> None:
        """Serialise changes of one account's marks."""
        await connection.execute(self._sql["lock_marks"], account)

    async def count_pins(self, connection: Connection, account: UUID) -> int:
        """How many contacts the account has pinned."""
        return int(await connection.fetchval(self._sql["count_pins"], account))

    async def set_mark(
        self,
        connection: Connection,
        account: UUID,
        conversation: UUID,
        pinned: datetime | None,
        starred: datetime | None,
    ) -> None:
        """Write, or delete when nothing is left of it."""
        if pinned is None and starred is None:
            await connection.execute(self._sql["clear_mark"], account, conversation)
        else:
            await connection.execute(self._sql["set_mark"], account, conversation, pinned, starred)

    async def last_in_view(self, connection: Connection, account: UUID, limit: int) -> UUID | None:
        """The contact at the end of a full recent list, None when the list is not full."""
        found: UUID | None = await connection.fetchval(self._sql["returning_contact"], account, limit)
        return found

    async def add_customer(self, connection: Connection, exhibitor: UUID, buyer: UUID, by: UUID, now: datetime) -> bool:
        """Whether the buyer was not in the base before."""
        return bool(await connection.fetchval(self._sql["add_customer"], exhibitor, buyer, by, now))

    async def buyer_card(
        self, connection: Connection, exhibitor: UUID, buyer: UUID, fair: UUID, account: UUID
    ) -> tuple[BuyerCard, asyncpg.Record] | None:
        """The buyer's card, and the row with `known`, `own`, `in_base`."""
        row = await connection.fetchrow(self._sql["buyer_card"], exhibitor, buyer, fair, account)
        if row is None:
            return None
        return msgspec.json.decode(row["card"], type=BuyerRow).card(), row

    async def buyer_watchers(self, connection: Connection, exhibitor: UUID, buyer: UUID, table: Table) -> list[UUID]:
        """Accounts of the exhibitor that see the buyer, by its fair's capability table."""
        rows = await connection.fetch(
            self._sql["buyer_watchers"], exhibitor, buyer, reading_kinds(table), kinds_with_history(table)
        )
        return [row["id"] for row in rows]

    async def contacts_of_buyer(self, connection: Connection, buyer: UUID) -> list[tuple[UUID, UUID]]:
        """(exhibitor, account) pairs in whose lists the buyer stands."""
        rows = await connection.fetch(self._sql["contacts_of_buyer"], buyer)
        return [(row["exhibitor_id"], row["account_id"]) for row in rows]

    async def watchers_of_colleague(self, connection: Connection, account: UUID) -> list[UUID]:
        """Who shows this colleague's name."""
        rows = await connection.fetch(self._sql["watchers_of_colleague"], account)
        return [row["id"] for row in rows]

    async def watchable(
        self, connection: Connection, caller: Caller, subjects: Sequence[tuple[str, UUID]]
    ) -> set[tuple[str, UUID]]:
        """Those of the subjects that the caller may watch (W10)."""
        rows = await connection.fetch(
            self._sql["watchable"],
            [kind for kind, _ in subjects],
            [id_ for _, id_ in subjects],
            caller.fair,
            caller.exhibitor,
            caller.account,
            caller.reads_all(),
        )
        return {(row["kind"], row["id"]) for row in rows}

    async def fair_of(self, connection: Connection, account: UUID) -> tuple[UUID, bytes]:
        """The account's fair and its capability differences."""
        row = await connection.fetchrow(self._sql["fair_of"], account)
        assert row is not None
        return row["id"], bytes(row["capabilities"])


def _sight(row: asyncpg.Record) -> Sight:
    return Sight(
        conversation=row["id"],
        fair=row["fair_id"],
        exhibitor=row["exhibitor_id"],
        buyer=row["buyer_id"],
        holder=row["holder_id"],
        last_seq=row["last_seq"],
        blocked=row["blocked"],
        participates=row["participates"],
        readable_to=row["readable_to"],
        last_pos=row["last_pos"],
        pinned_at=row["pinned_at"],
        starred_at=row["starred_at"],
        in_base=row["in_base"],
    )
