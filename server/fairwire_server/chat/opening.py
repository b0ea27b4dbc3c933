"""Opening a conversation: by the buyer alone, routed to a first holder, with what it was opened from as a frozen card (C1, C2, C6, C19)."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import Card
from fairwire_protocol.operations import chat as operations
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller, reading_kinds
from fairwire_server.chat.posting import Posting, listeners_of, message_row
from fairwire_server.chat.records import Locked, Post, TeamFact
from fairwire_server.chat.routing import Routing
from fairwire_server.chat.rules import check_may_open, check_may_write
from fairwire_server.chat.store import ChatStore
from fairwire_server.contacts.store import ContactStore
from fairwire_server.context import Context
from fairwire_server.database.ids import uuid7
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Work

__all__ = ["Opening"]


class Opening:
    """Handler of `chat.open`."""

    def __init__(
        self,
        commands: Commands,
        store: ChatStore,
        contacts: ContactStore,
        routing: Routing,
        posting: Callable[[], Posting],
    ) -> None:
        self._commands = commands
        self._store = store
        self._contacts = contacts
        self._routing = routing
        self._posting = posting

    async def open(
        self, caller: Caller, context: Context, request: operations.OpenChat
    ) -> operations.ConversationReply:
        """The conversation with an exhibitor, created if there is none; an exhibit's card counts as the buyer's message."""

        async def apply(work: Work, caller: Caller) -> operations.ConversationReply:
            check_may_open(caller)
            row = await self._store.row(
                work.connection, "exhibitor_for_chat", request.exhibitor, caller.fair, request.exhibit
            )
            if row is None or (request.exhibit is not None and row["exhibit_id"] is None):
                raise Refused("not_found")
            team = await self._store.team(work.connection, request.exhibitor)
            conversation = await self._conversation(work, caller, request.exhibitor, team, row)
            if request.exhibit is not None:
                await self._show_card(work, caller, conversation, team, row)
            entries = await self._contacts.entries(work.connection, caller.account, [conversation])
            return operations.ConversationReply(entry=entries[conversation])

        return await self._commands.run(operations.OPEN, caller, context, request, apply)

    async def _conversation(
        self, work: Work, caller: Caller, exhibitor: UUID, team: dict[UUID, TeamFact], row: Row
    ) -> UUID:
        existing: UUID | None = await self._store.value(
            work.connection, "conversation_of_pair", caller.account, exhibitor
        )
        if existing is not None:
            return existing
        holder = await self._routing.choose(work, caller, exhibitor, team, holder=None, exhibit_owner=row["owner_id"])
        created: UUID | None = await self._store.value(
            work.connection, "create_conversation", uuid7(), caller.fair, exhibitor, caller.account, holder, work.now
        )
        if created is None:  # a twin was quicker and has committed
            twin: UUID = await self._store.value(work.connection, "conversation_of_pair", caller.account, exhibitor)
            return twin
        await self._store.run(work.connection, "add_participants", created, [caller.account, holder])
        return created

    async def _show_card(
        self, work: Work, caller: Caller, conversation: UUID, team: dict[UUID, TeamFact], row: Row
    ) -> None:
        """C2: frozen as it is now, shown on both sides."""
        card = Card(
            source="exhibit",
            id=row["exhibit_id"],
            name_zh=row["name_zh"],
            name_en=row["name_en"],
            code=row["code"],
            image=row["image"],
            tags=tuple(row["tags"]),
        )
        locked: Locked = (await self._store.lock(work.connection, [conversation]))[conversation]
        check_may_write(caller, locked.conversation)
        posting = self._posting()
        if not locked.conversation.open:
            await self._routing.reopen(work, posting, locked, caller, team)
        locked.conversation.buyer_wrote(work.now)
        post = Post(
            conversation=conversation,
            seq=locked.conversation.next_seq(),
            kind="card",
            side="buyer",
            sender=caller.account,
            cid=uuid7(),
            detail=msgspec.json.encode(card),
        )
        kinds = reading_kinds(caller.table)
        readers = [account.id for account in team.values() if account.kind in kinds and account.state == "active"]
        row_ = message_row(post, caller.name, work.now)
        posting.say(locked, post, row_, listeners_of(locked, readers), reader=caller.account)
        await posting.write(work)
