"""Writing messages and telling whoever may know: the one way a message reaches a conversation (C1, W2–W5).

A `Posting` collects what one transaction says in conversations whose rows it has locked. `write` then takes stream positions
(streams are locked last, by ascending id), writes messages, conversations and list positions, and appends the events. Whoever
gets a message that may not be in its recent list any more gets the contact's entry with it (W5).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from fairwire_protocol.events import MessagePosted
from fairwire_protocol.models import Entry, Side
from fairwire_server.chat.records import ImageFact, Locked, Post
from fairwire_server.chat.store import ChatStore
from fairwire_server.contacts.store import ContactStore
from fairwire_server.database.work import Work
from fairwire_server.streams.messages import MessageRow, render_message
from fairwire_server.streams.service import Streams
from fairwire_server.streams.store import EventColumns
from fairwire_server.streams.told import Draft, Told

__all__ = ["Listener", "Posting", "listeners_of", "message_row"]


class Listener(msgspec.Struct, frozen=True, gc=False):
    """An account that is told of a message. `participant`: it counts in its recent list, at `last_pos` before (None: not in it)."""

    account: UUID
    view: Side
    participant: bool
    last_pos: int | None = None
    entering: bool = False
    """The message brings the chat into the account's view: its entry goes along whatever `last_pos`."""


@dataclass(slots=True)
class _Said:
    locked: Locked
    post: Post
    row: MessageRow
    listeners: Sequence[Listener]
    reader: UUID | None
    _told: Told | None = None

    def draft(self, listener: Listener, entry: Entry | None) -> Draft:
        """The event for one listener; those without an entry of their own share one encoding (W3)."""
        if self._told is None:
            team = MessagePosted(message=render_message(self.row, "team"))
            alike = self.post.kind != "transfer"
            self._told = Told(team, None if alike else MessagePosted(message=render_message(self.row, "buyer")))
        told = self._told
        if entry is not None:
            told = Told(MessagePosted(message=render_message(self.row, listener.view), entries=(entry,)))
        return Draft(listener.account, listener.view, told, self.post.conversation, self.post.seq)


def listeners_of(locked: Locked, readers: Sequence[UUID]) -> list[Listener]:
    """The buyer, the holder, and the accounts that read all chats of the exhibitor (W3)."""
    conversation = locked.conversation
    told = [
        Listener(conversation.buyer, "buyer", True, locked.buyer_last_pos),
        Listener(conversation.holder, "team", True, locked.holder_last_pos),
    ]
    told.extend(Listener(reader, "team", False) for reader in readers if reader != conversation.holder)
    return told


def message_row(post: Post, sender_name: str, now: datetime, image: ImageFact | None = None) -> MessageRow:
    """The row that `message_full` will show for a post."""
    return MessageRow(
        post.conversation,
        post.seq,
        post.kind,
        post.side,
        post.sender,
        sender_name,
        post.text,
        None if post.detail is None else post.detail.decode(),
        now,
        None,
        post.cid,
        *((image.id, image.kind, image.width, image.height, image.bytes) if image else ()),
    )


class Posting:
    """What one transaction says. `span`: a chat whose newest message is fewer positions back is surely in the recent list."""

    def __init__(self, store: ChatStore, contacts: ContactStore, streams: Streams, *, span: int) -> None:
        self._store = store
        self._contacts = contacts
        self._streams = streams
        self._span = span
        self._said: list[_Said] = []
        self._touched: dict[UUID, Locked] = {}
        self._more: list[Draft] = []

    def touch(self, locked: Locked) -> None:
        """The conversation's row has changed and is to be saved."""
        self._touched[locked.conversation.id] = locked

    def say(
        self, locked: Locked, post: Post, row: MessageRow, listeners: Sequence[Listener], *, reader: UUID | None
    ) -> None:
        """Add a numbered message. `reader` has thereby read up to it (W9)."""
        self.touch(locked)
        self._said.append(_Said(locked, post, row, listeners, reader))

    def tell(self, draft: Draft) -> None:
        """Add another event, after the messages."""
        self._more.append(draft)

    async def write(self, work: Work) -> None:
        """Write everything, in as many statements however much it is. Raises `ConstraintViolated` for a cid used elsewhere."""
        counts = Counter(listener.account for said in self._said for listener in said.listeners)
        counts.update(draft.account for draft in self._more)
        pos = await self._streams.reserve(work, counts) if counts else {}
        numbered: list[tuple[int, _Said, Listener, bool]] = []
        moved: dict[tuple[UUID, UUID], tuple[int, int]] = {}
        for said in self._said:
            for listener in said.listeners:
                account = listener.account
                pos[account] = at = pos[account] + 1
                enters = False  # whether it may come into the account's view; for certain only that it does not
                if listener.participant:
                    key = (said.post.conversation, account)
                    before, read = moved.get(key, (listener.last_pos or 0, 0))
                    enters = listener.entering or before == 0 or at - before >= self._span
                    moved[key] = (at, said.post.seq if account == said.reader else read)
                numbered.append((at, said, listener, enters))
        wanted = {(listener.account, said.post.conversation) for _, said, listener, enters in numbered if enters}
        entries: dict[tuple[UUID, UUID], Entry] = {}
        if wanted:  # an entry tells of this very message: it can be read once that is written
            await self._say(work, moved, EventColumns.of(()))
            entries = await self._contacts.entries_of(work.connection, sorted(wanted))
        events = [
            (at, said.draft(listener, entries.get((listener.account, said.post.conversation)) if enters else None))
            for at, said, listener, enters in numbered
        ]
        for draft in self._more:
            pos[draft.account] += 1
            events.append((pos[draft.account], draft))
        if self._touched and not wanted:
            await self._say(work, moved, self._streams.columns(work, events))
        elif events:
            await self._streams.write(work, events)

    async def _say(self, work: Work, moved: dict[tuple[UUID, UUID], tuple[int, int]], events: EventColumns) -> None:
        conversations = [locked.conversation for locked in self._touched.values()]
        await self._store.say(
            work.connection, [said.post for said in self._said], conversations, moved, events, work.now
        )
