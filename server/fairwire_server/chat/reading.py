"""Reading conversations: one entry, history both ways, the team's list (C9, C11, C14)."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import Entry, Message, Side
from fairwire_protocol.operations import chat as operations
from fairwire_server.accounts.rules import Caller
from fairwire_server.chat.store import ChatStore
from fairwire_server.clock import moment
from fairwire_server.contacts.rules import Sight, check_visible
from fairwire_server.contacts.store import ContactStore
from fairwire_server.context import Context
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Work, Works
from fairwire_server.streams.messages import MessageRow, render_message

__all__ = ["Reading", "page_cursor", "read_cursor"]

NEWEST: Final = 2_147_483_647


class Reading:
    """Handlers that only read."""

    def __init__(self, works: Works, store: ChatStore, contacts: ContactStore) -> None:
        self._works = works
        self._store = store
        self._contacts = contacts

    async def show(
        self, caller: Caller, _: Context, request: operations.ConversationRef
    ) -> operations.ConversationReply:
        """One conversation as the caller's entry."""
        async with self._works.read() as work:
            await self.sight(work, caller, request.conversation)
            entries = await self._contacts.entries(work.connection, caller.account, [request.conversation])
        return operations.ConversationReply(entry=entries[request.conversation])

    async def sight(self, work: Work, caller: Caller, conversation: UUID) -> Sight:
        """The caller's relation to a conversation; `not_found` when it may not see it."""
        return check_visible(caller, await self._contacts.view_of(work.connection, caller.account, conversation))

    async def see(self, caller: Caller, conversation: UUID) -> Sight:
        """`sight`, outside of a transaction."""
        async with self._works.read() as work:
            return await self.sight(work, caller, conversation)

    async def history(self, caller: Caller, _: Context, request: operations.History) -> operations.HistoryPage:
        """C14, no further than C9 lets the reader see."""
        given = [request.before, request.after, request.around, request.since]
        if sum(value is not None for value in given) > 1:
            raise Refused("invalid", "Give one of before, after, around, since.", field="before")
        async with self._works.read() as work:
            sight = await self.sight(work, caller, request.conversation)
            end = readable_end(caller, sight)
            around = None if request.around is None else min(request.around, end)
            if request.since is not None:
                since = _moment(request.since)
                first: int | None = await self._store.value(
                    work.connection, "first_since", request.conversation, since, end
                )
                if first is None:
                    return operations.HistoryPage(messages=(), more_before=end > 0)
                return await self._forwards(work, caller, request, first - 1, end)
            if around is not None:
                half = request.limit // 2
                return await self._forwards(work, caller, request, max(0, around - half - 1), end)
            if request.after is not None:
                return await self._forwards(work, caller, request, request.after, end)
            return await self._backwards(work, caller, request, end)

    async def _forwards(
        self, work: Work, caller: Caller, request: operations.History, after: int, end: int
    ) -> operations.HistoryPage:
        rows = await self._store.fetch(
            work.connection, "history_after", request.conversation, after, end, request.limit + 1
        )
        more = len(rows) > request.limit
        messages = _rendered(rows[: request.limit], caller)
        before = messages[0].seq > 1 if messages else min(after, end) > 0
        return operations.HistoryPage(messages=messages, more_before=before, more_after=more)

    async def _backwards(
        self, work: Work, caller: Caller, request: operations.History, end: int
    ) -> operations.HistoryPage:
        before = NEWEST if request.before is None else request.before
        rows = await self._store.fetch(
            work.connection, "history_before", request.conversation, before, end, request.limit + 1
        )
        more = len(rows) > request.limit
        messages = _rendered(rows[: request.limit][::-1], caller)
        after = messages[-1].seq < end if messages else end > 0
        return operations.HistoryPage(messages=messages, more_before=more, more_after=after)

    async def list(self, caller: Caller, _: Context, request: operations.ListChats) -> operations.ChatList:
        """The team's chats in the account's scope, or a buyer's own (A7, C11)."""
        at, last = read_cursor(request.after)
        async with self._works.read() as work:
            if caller.side == "buyer":
                args = (caller.account, request.state, at, last, request.limit + 1)
                rows = await self._store.fetch(work.connection, "list_buyer_chats", *args)
            else:
                own = None if caller.reads_all() else caller.account
                rows = await self._store.fetch(
                    work.connection,
                    "list_chats",
                    caller.exhibitor,
                    request.state,
                    request.holder,
                    at,
                    last,
                    own,
                    request.limit + 1,
                )
            page = rows[: request.limit]
            found = await self._contacts.entries(work.connection, caller.account, [row["id"] for row in page])
        entries: tuple[Entry, ...] = tuple(found[row["id"]] for row in page)
        following = page_cursor(page[-1]["last_at"], page[-1]["id"]) if len(rows) > request.limit else None
        return operations.ChatList(entries=entries, next=following)


def readable_end(caller: Caller, sight: Sight) -> int:
    """The last seq the caller may read (C9): all of it for scope all and for the buyer, up to the transfer for a former holder."""
    if caller.side == "team" and not caller.reads_all() and sight.readable_to is not None:
        return sight.readable_to
    return sight.last_seq


def page_cursor(at: datetime, last: UUID) -> str:
    """Where a list ordered by (instant, id) goes on."""
    return f"{at.timestamp():.6f}_{last}"


def read_cursor(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    """The (instant, id) of `page_cursor`; raises `invalid`."""
    if cursor is None:
        return None, None
    try:
        at, _, last = cursor.partition("_")
        return _moment(float(at) * 1000), msgspec.convert(last, UUID)
    except (ValueError, msgspec.ValidationError):
        raise Refused("invalid", "Not a cursor that this server gave.", field="after") from None


def _moment(ms: float) -> datetime:
    try:
        return moment(ms)
    except (ValueError, OverflowError, OSError):
        raise Refused("invalid", "That instant is out of range.", field="since") from None


def _rendered(rows: list[Row], caller: Caller) -> tuple[Message, ...]:
    view: Side = "buyer" if caller.side == "buyer" else "team"
    return tuple(render_message(MessageRow.of(row), view) for row in rows)
