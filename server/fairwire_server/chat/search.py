"""Search: contacts by name and messages by text, within what the caller may read (C9, C15)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from fairwire_protocol.models import Entry
from fairwire_protocol.operations import chat as operations
from fairwire_server.accounts.rules import Caller
from fairwire_server.chat.search_rules import LOOKED_THROUGH, Place, Reach, cursor_of, place_of, plan, reach
from fairwire_server.chat.search_store import SearchStore
from fairwire_server.chat.search_tokens import SearchTokens
from fairwire_server.contacts.rules import Sight, check_visible
from fairwire_server.contacts.store import ContactStore
from fairwire_server.context import Context
from fairwire_server.database.work import Work, Works
from fairwire_server.streams.messages import MessageRow, render_message

__all__ = ["Search"]

_AT_ONCE: Final = 2_000
"""Characters in which matches are marked before other tasks get their turn: about 3 ms."""


class Search:
    """Handler of `chat.search`. A scope up to `looked_through` messages is read from end to end."""

    def __init__(
        self,
        works: Works,
        store: SearchStore,
        contacts: ContactStore,
        tokens: SearchTokens,
        *,
        looked_through: int = LOOKED_THROUGH,
    ) -> None:
        self._works = works
        self._store = store
        self._contacts = contacts
        self._tokens = tokens
        self._looked_through = looked_through

    async def search(self, caller: Caller, _: Context, request: operations.Search) -> operations.SearchReply:
        """Contacts on the first page only, and not in a single conversation; messages newest first.

        Text and names are asked for by the same words. What holds no word at all finds nothing.
        """
        before = place_of(request.before)
        query = self._tokens.search_query(request.query)
        async with self._works.begin(planned="each_time") as work:
            scope = reach(caller, await self._sight(work, caller, request.conversation))
            if query is None:
                return operations.SearchReply()
            named: list[UUID] = []
            if request.before is None and request.conversation is None:
                named = await self._store.names(work.connection, scope, query, request.limit)
            places = await self._places(work, scope, query, before, request.limit + 1)
            page = places[: request.limit]
            messages = await self._store.messages(work.connection, page)
            wanted = {*named, *(place.conversation for place in page)}
            entries = await self._contacts.entries(work.connection, caller.account, sorted(wanted))
        return operations.SearchReply(
            contacts=tuple(entries[conversation] for conversation in named),
            hits=await self._hits(request.query, scope, page, messages, entries),
            next=cursor_of(page[-1]) if len(places) > request.limit else None,
        )

    async def _sight(self, work: Work, caller: Caller, conversation: UUID | None) -> Sight | None:
        if conversation is None:
            return None
        return check_visible(caller, await self._contacts.view_of(work.connection, caller.account, conversation))

    async def _places(self, work: Work, scope: Reach, query: str, before: Place, limit: int) -> list[Place]:
        """One step of the plan after the other, until one has filled the page or has seen all there is."""
        own: Mapping[UUID, int] | None = None
        if scope.conversation is not None:
            own = dict([scope.conversation])
        elif scope.account is not None:
            own = await self._store.own(work.connection, scope.account)
        found: list[Place] = []
        most = self._looked_through
        for step in plan(scope, own, most):
            found = await self._store.places(work.connection, step, scope, own, query, before, limit, most)
            if len(found) >= limit:
                break
            if step == "newest" and not await self._store.is_beyond(work.connection, scope.exhibitor, before, most):
                break
        return found

    async def _hits(
        self,
        words: str,
        scope: Reach,
        page: list[Place],
        messages: Mapping[tuple[UUID, int], MessageRow],
        entries: Mapping[UUID, Entry],
    ) -> tuple[operations.Hit, ...]:
        """The messages with what matches in them. The index may lag behind a recall; a message without its text is no hit (C12)."""
        hits: list[operations.Hit] = []
        marked = 0
        for place in page:
            row = messages.get((place.conversation, place.seq))
            if row is None or row.text is None or row.recalled_at is not None:
                continue
            if (marked := marked + len(row.text)) > _AT_ONCE:
                await asyncio.sleep(0)
                marked = 0
            hits.append(
                operations.Hit(
                    entry=entries[place.conversation],
                    message=render_message(row, scope.view),
                    marks=self._tokens.snippet(row.text, words, len(row.text)).matches,
                )
            )
        return tuple(hits)
