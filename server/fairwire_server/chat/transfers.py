"""Transfers (转接): direct, ask-first, takeover, handover before an account goes (A6, C7–C10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Literal
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.events import OfferClosed, OfferMade
from fairwire_protocol.models import BuyerCard, Offer, Person, Transfer, TransferReason
from fairwire_protocol.operations import Request
from fairwire_protocol.operations import chat as operations
from fairwire_server.accounts.callers import capabilities_of
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller, may_receive
from fairwire_server.chat.noticing import ChatNoticing
from fairwire_server.chat.posting import Posting
from fairwire_server.chat.records import Locked, TeamFact
from fairwire_server.chat.routing import Actor, Online, change_holder
from fairwire_server.chat.rules import Candidate, check_target, may_transfer
from fairwire_server.chat.store import ChatStore
from fairwire_server.clock import milliseconds
from fairwire_server.contacts.rules import check_visible
from fairwire_server.contacts.store import ContactStore
from fairwire_server.context import Context
from fairwire_server.database.ids import uuid7
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Work, Works
from fairwire_server.streams.told import Draft, Told

__all__ = ["Transfers"]

Outcome = Literal["accepted", "declined", "expired", "withdrawn"]


class Transfers:
    """Handlers of transfers. `offer_for` is how long an ask-first transfer waits for its answer (C8)."""

    def __init__(
        self,
        works: Works,
        commands: Commands,
        store: ChatStore,
        contacts: ContactStore,
        posting: Callable[[], Posting],
        online: Online,
        noticing: ChatNoticing,
        *,
        offer_for: timedelta,
    ) -> None:
        self._works = works
        self._commands = commands
        self._store = store
        self._contacts = contacts
        self._posting = posting
        self._online = online
        self._noticing = noticing
        self._offer_for = offer_for

    async def transfer(
        self, caller: Caller, context: Context, request: operations.TransferChat
    ) -> operations.Transferred:
        """C7, C8"""

        async def apply(work: Work, caller: Caller) -> operations.Transferred:
            await self._store.fetch(work.connection, "share_accounts", sorted({request.to, caller.account}))
            locked = await self._locked(work, request.conversation)
            may_transfer(caller, locked.conversation)
            team = await self._store.team(work.connection, locked.conversation.exhibitor)
            target = check_target(locked.conversation, _candidate(team.get(request.to)), caller.table)
            offline = target.id not in self._online([target.id])
            if request.ask_first:
                source = Person(id=caller.account, name=team[caller.account].name)
                return await self._ask(work, source, locked, target, request.note, offline=offline)
            posting = self._posting()
            await self._withdraw(work, posting, locked)
            seq = await self._move(work, posting, caller, locked, team, target.id, "transfer", request.note)
            if offline:
                await self._noticing.transferred(work, locked.conversation, seq)
            await posting.write(work)
            return operations.Transferred(seq=seq, target_offline=offline)

        return await self._commands.run(operations.TRANSFER, caller, context, request, apply)

    async def take_over(
        self, caller: Caller, context: Context, request: operations.ConversationRef
    ) -> operations.Transferred:
        """A7: a chat of others, by an account that may receive chats itself."""

        async def apply(work: Work, caller: Caller) -> operations.Transferred:
            await self._store.value(work.connection, "share_account", caller.account)
            locked = await self._locked(work, request.conversation)
            may_transfer(caller, locked.conversation)
            team = await self._store.team(work.connection, locked.conversation.exhibitor)
            check_target(locked.conversation, _candidate(team.get(caller.account)), caller.table)
            posting = self._posting()
            await self._withdraw(work, posting, locked)
            seq = await self._move(work, posting, caller, locked, team, caller.account, "takeover", "")
            await posting.write(work)
            return operations.Transferred(seq=seq)

        return await self._commands.run(operations.TAKE_OVER, caller, context, request, apply)

    async def answer(self, caller: Caller, context: Context, request: operations.AnswerOffer) -> operations.Transferred:
        """C8: the target accepts or declines. Declined, the chat simply stays where it was all the while."""

        async def apply(work: Work, caller: Caller) -> operations.Transferred:
            await self._store.value(work.connection, "share_account", caller.account)
            offer = await self._store.row(work.connection, "offer", request.offer)
            if offer is None or offer["to_id"] != caller.account:
                raise Refused("not_found")
            locked = await self._locked(work, offer["conversation_id"])
            waiting = await self._store.row(work.connection, "open_offer", locked.conversation.id)
            if waiting is None or waiting["id"] != request.offer or waiting["expires_at"] <= work.now:
                raise Refused("no_offer")
            posting = self._posting()
            await self._close(work, posting, locked, waiting, "accepted" if request.accept else "declined")
            seq = None
            if request.accept:
                team = await self._store.team(work.connection, locked.conversation.exhibitor)
                target = check_target(locked.conversation, _candidate(team.get(caller.account)), caller.table)
                seq = await self._move(work, posting, caller, locked, team, target.id, "accepted", waiting["note"])
            await posting.write(work)
            return operations.Transferred(seq=seq)

        return await self._commands.run(operations.ANSWER_OFFER, caller, context, request, apply)

    async def log(self, caller: Caller, _: Context, request: operations.ConversationRef) -> operations.TransferLog:
        """C10, as far as the reader may see (C9)."""
        async with self._works.read() as work:
            sight = check_visible(
                caller, await self._contacts.view_of(work.connection, caller.account, request.conversation)
            )
            readable_to = None if caller.reads_all() else sight.readable_to
            rows = await self._store.fetch(work.connection, "transfers", request.conversation, readable_to)
        return operations.TransferLog(transfers=tuple(_record(row) for row in rows))

    async def colleagues(self, caller: Caller, _: Context, __: Request) -> operations.Colleagues:
        """Accounts that a chat may be transferred to."""
        assert caller.exhibitor is not None
        async with self._works.read() as work:
            team = await self._store.team(work.connection, caller.exhibitor)
        able = [a for a in team.values() if a.id != caller.account and may_receive(a.kind, a.state, caller.table)]
        return operations.Colleagues(colleagues=tuple(Person(id=a.id, name=a.name) for a in sorted(able, key=_by_name)))

    async def list_open(self, work: Work, account: UUID) -> list[tuple[str, UUID]]:
        """Open chats an account holds (A6)."""
        return [("chat", row["id"]) for row in await self._store.fetch(work.connection, "chats_held", account)]

    async def held_by(self, work: Work, account: UUID) -> list[UUID]:
        """Every chat an account holds, open or not."""
        return [row["id"] for row in await self._store.fetch(work.connection, "chats_of_holder", account)]

    async def hand_over_in(
        self, work: Work, posting: Posting, locked: Mapping[UUID, Locked], source: UUID, target: UUID, by: UUID
    ) -> None:
        """A6: these chats go from an account to a colleague, in the transaction that removes or disables it."""
        actor = await self._store.row(work.connection, "actor", by)
        assert actor is not None
        table = capabilities_of(bytes(actor["capabilities"]))
        for one in locked.values():
            if one.conversation.holder != source:
                continue
            team = await self._store.team(work.connection, one.conversation.exhibitor)
            check_target(one.conversation, _candidate(team.get(target)), table)
            await self._withdraw(work, posting, one)
            to = Person(id=target, name=team[target].name)
            who = Actor(id=by, name=actor["name"], table=table)
            await change_holder(self._store, work, posting, one, who, team, to, reason="handover")

    async def expire(self) -> int:
        """C8: offers nobody answered go back. Answers how many."""
        async with self._works.read() as work:
            due = await self._store.fetch(work.connection, "due_offers", work.now)
        for row in due:
            async with self._works.begin() as work:
                locked = await self._locked(work, row["conversation_id"])
                waiting = await self._store.row(work.connection, "open_offer", locked.conversation.id)
                if waiting is not None and waiting["expires_at"] <= work.now:
                    posting = self._posting()
                    await self._close(work, posting, locked, waiting, "expired")
                    await posting.write(work)
        return len(due)

    async def _locked(self, work: Work, conversation: UUID) -> Locked:
        locked = (await self._store.lock(work.connection, [conversation])).get(conversation)
        if locked is None:
            raise Refused("not_found")
        return locked

    async def _ask(
        self, work: Work, source: Person, locked: Locked, target: Candidate, note: str, *, offline: bool
    ) -> operations.Transferred:
        conversation = locked.conversation
        posting = self._posting()
        await self._withdraw(work, posting, locked)
        entries = await self._contacts.entries(work.connection, target.id, [conversation.id])
        contact = entries[conversation.id].contact
        assert isinstance(contact, BuyerCard)
        expires_at = work.now + self._offer_for
        offer = Offer(
            id=uuid7(),
            conversation=conversation.id,
            source=source,
            to=Person(id=target.id, name=target.name),
            expires_at=milliseconds(expires_at),
            contact=contact,
            note=note or None,
        )
        await self._store.run(
            work.connection,
            "insert_offer",
            offer.id,
            conversation.id,
            source.id,
            target.id,
            note,
            work.now,
            expires_at,
        )
        told = Told(OfferMade(offer=offer))
        for account in sorted({source.id, target.id, conversation.holder}):
            posting.tell(Draft(account, "team", told, conversation.id))
        if offline:
            await self._noticing.asked(work, conversation.fair, offer.id, target.id, expires_at)
        await posting.write(work)
        return operations.Transferred(offer=offer, target_offline=offline)

    async def _withdraw(self, work: Work, posting: Posting, locked: Locked) -> None:
        """Whatever moves a chat ends the question whether to move it."""
        waiting = await self._store.row(work.connection, "open_offer", locked.conversation.id)
        if waiting is not None:
            await self._close(work, posting, locked, waiting, "withdrawn")

    async def _close(self, work: Work, posting: Posting, locked: Locked, offer: Row, outcome: Outcome) -> None:
        await self._store.run(work.connection, "close_offer", offer["id"], outcome)
        told = Told(OfferClosed(id=offer["id"], conversation=offer["conversation_id"], outcome=outcome))
        for account in sorted({offer["from_id"], offer["to_id"], locked.conversation.holder}):
            posting.tell(Draft(account, "team", told, offer["conversation_id"]))

    async def _move(
        self,
        work: Work,
        posting: Posting,
        caller: Caller,
        locked: Locked,
        team: Mapping[UUID, TeamFact],
        to: UUID,
        reason: TransferReason,
        note: str,
    ) -> int:
        person = Person(id=to, name=team[to].name)
        # Its name as it is under the lock: a rename that was waited for has been told before this.
        actor = Actor(id=caller.account, name=team[caller.account].name, table=caller.table)
        return await change_holder(self._store, work, posting, locked, actor, team, person, reason=reason, note=note)


def _candidate(fact: TeamFact | None) -> Candidate | None:
    return None if fact is None else Candidate(id=fact.id, name=fact.name, kind=fact.kind, state=fact.state)


def _by_name(fact: TeamFact) -> tuple[str, str]:
    return (fact.name, str(fact.id))


def _record(row: Row) -> operations.TransferRecord:
    by = None if row["by_id"] is None else Person(id=row["by_id"], name=row["by_name"])
    transfer = Transfer(
        to=Person(id=row["to_id"], name=row["to_name"]),
        source=Person(id=row["from_id"], name=row["from_name"]),
        by=by,
        reason=row["reason"],
        note=row["note"] or None,
    )
    return operations.TransferRecord(seq=row["seq"], ts=milliseconds(row["at"]), transfer=transfer)
