"""Routing: which account of the exhibitor gets a chat, when it is created and when a handled one opens again (C6)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from fairwire_protocol.errors import Unavailable
from fairwire_protocol.events import MarkerMoved
from fairwire_protocol.models import Marker, Person, TransferReason
from fairwire_server.accounts.rules import Caller, Table, reading_kinds
from fairwire_server.chat.posting import Listener, Posting, message_row
from fairwire_server.chat.records import Locked, Post, TeamFact
from fairwire_server.chat.rules import ROUTING, Candidate, RoutingStep, route
from fairwire_server.chat.store import ChatStore
from fairwire_server.database.ids import uuid7
from fairwire_server.database.work import Work
from fairwire_server.streams.messages import TransferDetail
from fairwire_server.streams.told import Draft, Told

__all__ = ["Actor", "Online", "Routing", "change_holder"]

Online = Callable[[Collection[UUID]], set[UUID]]


class Routing:
    """`online` tells which of some accounts are there right now."""

    def __init__(self, store: ChatStore, online: Online) -> None:
        self._store = store
        self._online = online

    async def choose(
        self,
        work: Work,
        caller: Caller,
        exhibitor: UUID,
        team: Mapping[UUID, TeamFact],
        *,
        holder: UUID | None,
        exhibit_owner: UUID | None = None,
        at_once: bool = False,
    ) -> UUID:
        """The account that gets the chat. `at_once`: the caller holds the conversation, and waits for no account any more."""
        online = self._online(team.keys())
        rows = await self._store.fetch(work.connection, "open_chats", exhibitor)
        chats = {row["holder_id"]: row["chats"] for row in rows}
        order: Sequence[RoutingStep] | None = await self._store.value(work.connection, "routing_of", exhibitor)
        candidates = {
            fact.id: Candidate(
                id=fact.id,
                name=fact.name,
                kind=fact.kind,
                state=fact.state,
                online=fact.id in online,
                open_chats=chats.get(fact.id, 0),
            )
            for fact in team.values()
        }
        chosen = route(candidates, caller.table, holder=holder, exhibit_owner=exhibit_owner, order=order or ROUTING)
        share = "share_account_at_once" if at_once else "share_account"
        if await self._store.value(work.connection, share, chosen) != team[chosen].state:
            raise Unavailable(retry_after_ms=100)  # disabled, removed or changed this very moment: decide again
        return chosen

    async def reopen(
        self, work: Work, posting: Posting, locked: Locked, caller: Caller, team: Mapping[UUID, TeamFact]
    ) -> None:
        """A handled chat opens again: it stays with its holder if that one may still receive, else it moves (C6, C10)."""
        conversation = locked.conversation
        chosen = await self.choose(work, caller, conversation.exhibitor, team, holder=conversation.holder, at_once=True)
        if chosen != conversation.holder:
            to = Person(id=chosen, name=team[chosen].name)
            actor = Actor(id=caller.account, name=caller.name, table=caller.table)
            await change_holder(self._store, work, posting, locked, actor, team, to, reason="routing")


class Actor(NamedTuple):
    """Whose act changes the holder, and the fair's capability table."""

    id: UUID
    name: str
    table: Table


async def change_holder(
    store: ChatStore,
    work: Work,
    posting: Posting,
    locked: Locked,
    actor: Actor,
    team: Mapping[UUID, TeamFact],
    to: Person,
    *,
    reason: TransferReason,
    note: str = "",
) -> int:
    """Move the chat to `to` and say so in it: one message, two views (C8–C10, C12). Answers the message's seq.

    The account that gives it away is told this and nothing later; the new holder gets the whole contact.
    """
    conversation = locked.conversation
    giver = conversation.holder
    giver_name = team[giver].name if giver in team else ""
    routed = reason == "routing"
    post = _post(locked, actor, Person(id=giver, name=giver_name), to, reason, note)
    told = _listeners(locked, actor.table, team, giver, to.id)
    conversation.holder = to.id
    by = None if routed else actor.id
    await store.run(work.connection, "close_view", conversation.id, giver, post.seq)
    await store.run(work.connection, "add_participants", conversation.id, [to.id])
    record = (uuid7(), conversation.id, post.seq, giver, to.id, by, reason, note, work.now)
    await store.run(work.connection, "insert_transfer", *record)
    takes_part = routed or actor.id in {giver, to.id}
    row = message_row(post, actor.name, work.now)
    posting.say(locked, post, row, told, reader=actor.id if takes_part else None)
    if takes_part and not routed:  # the buyer sees the team as one, and this message names nobody who read it (W9)
        marker = Marker(account=None, side="team", received=post.seq, read=post.seq)
        marker_told = Told(MarkerMoved(conversation=conversation.id, marker=marker))
        posting.tell(Draft(conversation.buyer, "buyer", marker_told, conversation.id))
    locked.holder_last_pos = None  # what follows in this transaction brings the chat into the new holder's view
    return post.seq


def _post(locked: Locked, actor: Actor, giver: Person, to: Person, reason: TransferReason, note: str) -> Post:
    """The transfer's message. One that routing causes is the buyer's act: nobody of the team did it."""
    routed = reason == "routing"
    by = None if routed else Person(id=actor.id, name=actor.name)
    detail = TransferDetail(source=giver, to=to, reason=reason, by=by, note=note)
    return Post(
        conversation=locked.conversation.id,
        seq=locked.conversation.next_seq(),
        kind="transfer",
        side="buyer" if routed else "team",
        sender=actor.id,
        cid=uuid7(),
        detail=msgspec.json.encode(detail),
    )


def _listeners(locked: Locked, table: Table, team: Mapping[UUID, TeamFact], giver: UUID, to: UUID) -> list[Listener]:
    """Both holders, the buyer, and those who read every chat of the exhibitor (W3)."""
    kinds = reading_kinds(table)
    told = [
        Listener(locked.conversation.buyer, "buyer", True, locked.buyer_last_pos),
        Listener(giver, "team", True, locked.holder_last_pos),
        Listener(to, "team", True, None, entering=True),
    ]
    told.extend(
        Listener(account.id, "team", False)
        for account in team.values()
        if account.kind in kinds and account.state == "active" and account.id not in {giver, to}
    )
    return told
