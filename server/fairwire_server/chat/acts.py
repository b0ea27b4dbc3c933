"""What is done to a chat besides writing and moving it: recall, handled, block (C11, C12, C18), and the sweep for unanswered ones."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.events import BlockChanged, Handled, MessageRecalled, Waiting
from fairwire_protocol.models import Person
from fairwire_protocol.operations import Empty
from fairwire_protocol.operations import chat as operations
from fairwire_server.accounts.callers import capabilities_of
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller, kinds_with_history, reading_kinds
from fairwire_server.chat.noticing import ChatNoticing
from fairwire_server.chat.reading import readable_end
from fairwire_server.chat.records import Locked
from fairwire_server.chat.rules import Conversation, check_recall, may_transfer
from fairwire_server.chat.store import ChatStore
from fairwire_server.clock import milliseconds
from fairwire_server.contacts.rules import Sight, check_visible
from fairwire_server.contacts.store import ContactStore
from fairwire_server.context import Context
from fairwire_server.database.work import Work, Works
from fairwire_server.streams.service import Streams
from fairwire_server.streams.told import Draft, Told

__all__ = ["Acts"]


class Acts:
    """Handlers of acts on a chat; `sweep_waiting` runs in the background."""

    def __init__(
        self,
        works: Works,
        commands: Commands,
        store: ChatStore,
        contacts: ContactStore,
        streams: Streams,
        noticing: ChatNoticing,
        *,
        recall_for: timedelta,
        waiting_minutes: int,
    ) -> None:
        self._works = works
        self._commands = commands
        self._store = store
        self._contacts = contacts
        self._streams = streams
        self._noticing = noticing
        self._recall_for = recall_for
        self._waiting_minutes = waiting_minutes

    async def recall(self, caller: Caller, context: Context, request: operations.MessageRef) -> Empty:
        """C12: the message stays, without its content; whoever may read it learns it, former holders too (W3)."""

        async def apply(work: Work, caller: Caller) -> Empty:
            locked, sight = await self._visible(work, caller, request.conversation)
            row = await self._store.row(work.connection, "message_for_recall", request.conversation, request.seq)
            if row is None or request.seq > readable_end(caller, sight):
                raise Refused("not_found")
            check_recall(caller, row["sender_id"], row["kind"], row["at"], work.now, self._recall_for)
            if row["recalled_at"] is not None:
                return Empty()
            await self._store.run(work.connection, "recall", request.conversation, request.seq, work.now)
            event = MessageRecalled(conversation=request.conversation, seq=request.seq, ts=milliseconds(work.now))
            audience = await self._readers(work, caller, locked, seq=request.seq)
            await self._tell(work, locked, Told(event), audience)
            return Empty()

        return await self._commands.run(operations.RECALL, caller, context, request, apply)

    async def handle(self, caller: Caller, context: Context, request: operations.ConversationRef) -> Empty:
        """C11: by the holder, or whoever may act on chats of others."""

        async def apply(work: Work, caller: Caller) -> Empty:
            locked, _ = await self._visible(work, caller, request.conversation)
            may_transfer(caller, locked.conversation)
            if not locked.conversation.open:
                return Empty()
            locked.conversation.handled()
            await self._save(work, locked)
            at = milliseconds(work.now)
            team = Handled(conversation=request.conversation, by=Person(id=caller.account, name=caller.name), ts=at)
            told = Told(team, Handled(conversation=request.conversation, ts=at))
            await self._tell(work, locked, told, await self._readers(work, caller, locked))
            return Empty()

        return await self._commands.run(operations.HANDLE, caller, context, request, apply)

    async def block(self, caller: Caller, context: Context, request: operations.Block) -> Empty:
        """C18: each side for itself; what was said stays readable."""

        async def apply(work: Work, caller: Caller) -> Empty:
            locked, _ = await self._visible(work, caller, request.conversation)
            conversation = locked.conversation
            if caller.side == "team":
                may_transfer(caller, conversation)
            by_buyer, by_team = conversation.blocked_by_buyer, conversation.blocked_by_team
            if caller.side == "buyer":
                by_buyer = request.blocked
            else:
                by_team = request.blocked
            if (by_buyer, by_team) == (conversation.blocked_by_buyer, conversation.blocked_by_team):
                return Empty()
            await self._store.run(work.connection, "set_block", conversation.id, by_buyer, by_team)
            event = BlockChanged(conversation=conversation.id, blocked_by_buyer=by_buyer, blocked_by_team=by_team)
            await self._tell(work, locked, Told(event), await self._readers(work, caller, locked))
            return Empty()

        return await self._commands.run(operations.BLOCK, caller, context, request, apply)

    async def sweep_waiting(self) -> int:
        """C11: chats that have just passed the fair's N minutes without an answer. Answers how many."""
        async with self._works.begin() as work:
            rows = await self._store.fetch(work.connection, "due_waiting", work.now, self._waiting_minutes)
            locked = await self._store.lock(work.connection, [row["id"] for row in rows])
            drafts: list[Draft] = []
            waiting: list[Conversation] = []
            for one in locked.values():
                conversation = one.conversation
                if not conversation.open or conversation.unanswered_since is None or conversation.waiting_since:
                    continue  # answered while we waited for the lock
                conversation.waiting_since = conversation.unanswered_since
                waiting.append(conversation)
                told = Told(Waiting(conversation=conversation.id, since=milliseconds(conversation.unanswered_since)))
                readers = await self._reading_accounts(work, conversation.fair, conversation.exhibitor)
                drafts.extend(
                    Draft(account, "team", told, conversation.id) for account in {conversation.holder, *readers}
                )
            for one in locked.values():
                await self._save(work, one)
            await self._noticing.waits(work, waiting)
            await self._streams.append(work, drafts)
        return len(locked)

    async def _visible(self, work: Work, caller: Caller, conversation: UUID) -> tuple[Locked, Sight]:
        locked = (await self._store.lock(work.connection, [conversation])).get(conversation)
        sight = check_visible(caller, await self._contacts.view_of(work.connection, caller.account, conversation))
        if locked is None:
            raise Refused("not_found")
        return locked, sight

    async def _save(self, work: Work, locked: Locked) -> None:
        conversation = locked.conversation
        await self._store.run(
            work.connection,
            "save_state",
            conversation.id,
            conversation.open,
            conversation.unanswered_since,
            conversation.waiting_since,
        )

    async def _reading_accounts(self, work: Work, fair: UUID, exhibitor: UUID) -> list[UUID]:
        differences: bytes = await self._store.value(work.connection, "capabilities_of_fair", fair)
        kinds = reading_kinds(capabilities_of(bytes(differences)))
        team = await self._store.team(work.connection, exhibitor)
        return [fact.id for fact in team.values() if fact.kind in kinds and fact.state == "active"]

    async def _readers(self, work: Work, caller: Caller, locked: Locked, *, seq: int | None = None) -> set[UUID]:
        """Buyer, holder, those who read everything; with `seq` also former holders who may read that message."""
        conversation = locked.conversation
        audience = {conversation.buyer, conversation.holder}
        audience.update(await self._reading_accounts(work, conversation.fair, conversation.exhibitor))
        if seq is not None:
            rows = await self._store.fetch(work.connection, "participants", conversation.id)
            former = {row["account_id"] for row in rows if row["readable_to"] is not None and row["readable_to"] >= seq}
            kinds = kinds_with_history(caller.table)
            team = await self._store.team(work.connection, conversation.exhibitor)
            audience.update(fact.id for fact in team.values() if fact.id in former and fact.kind in kinds)
        return audience

    async def _tell(self, work: Work, locked: Locked, told: Told, audience: set[UUID]) -> None:
        buyer = locked.conversation.buyer
        await self._streams.append(
            work,
            [
                Draft(account, "buyer" if account == buyer else "team", told, locked.conversation.id)
                for account in sorted(audience)
            ],
        )
