"""The conversations of many buyers with many exhibitors at once, created where there are none: what a batch of bookings needs (C1, C6).

A conversation that is created here is not open: only a buyer's message opens it (C19).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from fairwire_protocol.errors import Unavailable
from fairwire_server.accounts.rules import Caller
from fairwire_server.chat.records import TeamFact
from fairwire_server.chat.routing import Online
from fairwire_server.chat.rules import ROUTING, Candidate, route
from fairwire_server.chat.store import ChatStore
from fairwire_server.database.ids import uuid7
from fairwire_server.database.work import Work

__all__ = ["Pair", "Paired", "Pairing", "Want"]

Pair = tuple[UUID, UUID]
"""A buyer and an exhibitor."""


class Paired(NamedTuple):
    """A conversation that is there, and whether one side has blocked the other (C18)."""

    conversation: UUID
    blocked: bool


class Want(NamedTuple):
    """A buyer wants a conversation with an exhibitor, perhaps because of an exhibit."""

    buyer: Caller
    exhibitor: UUID
    exhibit_owner: UUID | None = None


class Pairing:
    """`online` tells which of some accounts are there right now."""

    def __init__(self, store: ChatStore, online: Online) -> None:
        self._store = store
        self._online = online

    async def find(self, work: Work, pairs: Sequence[Pair]) -> dict[Pair, Paired]:
        """The conversations that these pairs have."""
        buyers, exhibitors = [buyer for buyer, _ in pairs], [exhibitor for _, exhibitor in pairs]
        rows = await self._store.fetch(work.connection, "conversations_of_pairs", buyers, exhibitors)
        return {(row["buyer_id"], row["exhibitor_id"]): Paired(row["id"], row["blocked"]) for row in rows}

    async def create(self, work: Work, wants: Sequence[Want]) -> dict[Pair, Paired]:
        """Conversations for pairs that had none, each routed to its holder (C6)."""
        team = await self._store.teams(work.connection, {want.exhibitor for want in wants})
        holders = await self._holders(work, wants, team)
        await self._keep(work, holders, team)
        await self._store.run(
            work.connection,
            "create_conversations",
            [uuid7() for _ in wants],
            [want.buyer.fair for want in wants],
            [want.exhibitor for want in wants],
            [want.buyer.account for want in wants],
            holders,
            work.now,
        )
        return await self.find(work, [(want.buyer.account, want.exhibitor) for want in wants])

    async def _holders(
        self, work: Work, wants: Sequence[Want], team: Mapping[UUID, Mapping[UUID, TeamFact]]
    ) -> list[UUID]:
        exhibitors = sorted({want.exhibitor for want in wants})
        online = self._online([account for exhibitor in exhibitors for account in team[exhibitor]])
        rows = await self._store.fetch(work.connection, "routing_facts", exhibitors)
        order = {row["id"]: row["routing"] or ROUTING for row in rows}
        chats = {row["id"]: msgspec.json.decode(row["chats"] or b"{}", type=dict[UUID, int]) for row in rows}
        candidates = {
            exhibitor: {
                fact.id: Candidate(
                    id=fact.id,
                    name=fact.name,
                    kind=fact.kind,
                    state=fact.state,
                    online=fact.id in online,
                    open_chats=chats[exhibitor].get(fact.id, 0),
                )
                for fact in team[exhibitor].values()
            }
            for exhibitor in exhibitors
        }
        return [
            route(
                candidates[want.exhibitor],
                want.buyer.table,
                holder=None,
                exhibit_owner=want.exhibit_owner,
                order=order[want.exhibitor],
            )
            for want in wants
        ]

    async def _keep(self, work: Work, holders: Sequence[UUID], team: Mapping[UUID, Mapping[UUID, TeamFact]]) -> None:
        """A6: none of them is disabled or removed before this transaction ends."""
        rows = await self._store.fetch(work.connection, "share_accounts", sorted(set(holders)))
        now = {row["id"]: row["state"] for row in rows}
        before = {fact.id: fact.state for facts in team.values() for fact in facts.values()}
        if any(now[holder] != before[holder] for holder in holders):
            raise Unavailable(retry_after_ms=100)  # this very moment: decide again
