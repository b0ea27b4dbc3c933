"""Rows of conversations, messages, transfers and receipts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from fairwire_server.chat.records import (
    Earlier,
    ImageFact,
    Locked,
    LockedConversation,
    Post,
    SenderFact,
    SendFacts,
    TeamFact,
)
from fairwire_server.chat.rules import Conversation
from fairwire_server.database.ids import id_of_text
from fairwire_server.database.named import NamedStore
from fairwire_server.database.pool import Connection, Row
from fairwire_server.streams.store import EventColumns

__all__ = ["ChatStore"]

_LOCKED = msgspec.json.Decoder(tuple[Locked, ...] | None, dec_hook=id_of_text)
_SENDERS = msgspec.json.Decoder(tuple[SenderFact, ...] | None, dec_hook=id_of_text)
_TEAM = msgspec.json.Decoder(tuple[TeamFact, ...] | None, dec_hook=id_of_text)
_EARLIER = msgspec.json.Decoder(tuple[Earlier, ...] | None, dec_hook=id_of_text)
_IMAGES = msgspec.json.Decoder(tuple[ImageFact, ...] | None, dec_hook=id_of_text)


class ChatStore(NamedStore):
    """Named queries over the tables of this capability."""

    def __init__(self) -> None:
        super().__init__(__package__)

    async def lock(self, connection: Connection, conversations: Iterable[UUID]) -> dict[UUID, Locked]:
        """Lock conversations by ascending id; those that do not exist are left out."""
        rows = await connection.fetch(self._sql["lock_conversations"], sorted(set(conversations)))
        return {row["id"]: _locked(row) for row in rows}

    @staticmethod
    def locked_of(stored: str) -> dict[UUID, Locked]:
        """What a function has locked for its caller, in its JSON."""
        return {one.conversation.id: one for one in _LOCKED.decode(stored) or ()}

    async def lock_with_facts(
        self,
        connection: Connection,
        conversations: Iterable[UUID],
        sessions: Collection[UUID],
        cids: Sequence[tuple[UUID, UUID]],
        images: Sequence[UUID],
        now: datetime,
    ) -> tuple[dict[UUID, Locked], SendFacts]:
        """As `lock`, and what a batch of messages in these conversations is decided on, read once they are locked."""
        row = await connection.fetchrow(
            self._sql["message_facts"],
            sorted(set(conversations)),
            sessions,
            [sender for sender, _ in cids],
            [cid for _, cid in cids],
            images,
            now,
        )
        assert row is not None
        found, senders, members, earlier, pictures = row
        locked = self.locked_of(found or "null")
        team: dict[UUID, dict[UUID, TeamFact]] = {one.conversation.exhibitor: {} for one in locked.values()}
        for fact in _TEAM.decode(members or "null") or ():
            team[fact.exhibitor][fact.id] = fact
        return locked, SendFacts(
            senders={fact.session: fact for fact in _SENDERS.decode(senders or "null") or ()},
            team=team,
            earlier={(fact.sender, fact.cid): fact for fact in _EARLIER.decode(earlier or "null") or ()},
            images={fact.id: fact for fact in _IMAGES.decode(pictures or "null") or ()},
        )

    async def team(self, connection: Connection, exhibitor: UUID) -> dict[UUID, TeamFact]:
        """An exhibitor's accounts by id."""
        return (await self.teams(connection, [exhibitor]))[exhibitor]

    async def teams(self, connection: Connection, exhibitors: Collection[UUID]) -> dict[UUID, dict[UUID, TeamFact]]:
        """The accounts of exhibitors by id."""
        found: dict[UUID, dict[UUID, TeamFact]] = {exhibitor: {} for exhibitor in exhibitors}
        for row in await connection.fetch(self._sql["team"], list(exhibitors)):
            fact = TeamFact(row["id"], row["exhibitor_id"], row["kind"], row["state"], row["name"])
            found[fact.exhibitor][fact.id] = fact
        return found

    async def say(
        self,
        connection: Connection,
        posts: Sequence[Post],
        conversations: Sequence[Conversation],
        moved: Mapping[tuple[UUID, UUID], tuple[int, int]],
        events: EventColumns,
        now: datetime,
    ) -> None:
        """Write numbered messages, the conversations as they are now, for (conversation, account) the position of its newest message
        and how far it has read, and events. Raises `ConstraintViolated("message_cid_unique")` for a cid used elsewhere."""
        await connection.execute(
            self._sql["say"],
            now,
            [post.conversation for post in posts],
            [post.seq for post in posts],
            [post.kind for post in posts],
            [post.side for post in posts],
            [post.sender for post in posts],
            [post.cid for post in posts],
            [post.text for post in posts],
            [post.image for post in posts],
            [post.detail for post in posts],
            [post.flagged for post in posts],
            [post.fingerprint for post in posts],
            [c.id for c in conversations],
            [c.last_seq for c in conversations],
            [c.open for c in conversations],
            [c.opened_at for c in conversations],
            [c.unanswered_since for c in conversations],
            [c.waiting_since for c in conversations],
            [c.holder for c in conversations],
            [conversation for conversation, _ in moved],
            [account for _, account in moved],
            [pos for pos, _ in moved.values()],
            [read for _, read in moved.values()],
            [post.image for post in posts if post.image is not None],
            *events,
        )


def _locked(row: Row) -> Locked:
    conversation = LockedConversation(
        id=row["id"],
        fair=row["fair_id"],
        exhibitor=row["exhibitor_id"],
        buyer=row["buyer_id"],
        holder=row["holder_id"],
        last_seq=row["last_seq"],
        open=row["open"],
        opened_at=row["opened_at"],
        unanswered_since=row["unanswered_since"],
        waiting_since=row["waiting_since"],
        blocked_by_buyer=row["blocked_by_buyer"],
        blocked_by_team=row["blocked_by_team"],
    )
    return Locked(conversation, row["buyer_last_pos"], row["holder_last_pos"])
