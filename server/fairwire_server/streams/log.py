"""Reading the logs: replay for a resume, refill for a socket that lagged, the same query for both (W6, W12).

A page is gapless: a position that holds nothing for this reader (a marker that a later one superseded) comes as a *void*.
Bodies come out as stored MessagePack or, for messages, as structs rendered from their rows; `Item.encoded` gives a codec's bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec

from fairwire_protocol.codec import MSGPACK, Codec
from fairwire_protocol.events import MarkerMoved, MessagePosted
from fairwire_protocol.models import Message, Position, Side
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Works
from fairwire_server.streams.messages import MessageRow, render_message
from fairwire_server.streams.store import StreamStore
from fairwire_server.streams.told import Receivable

__all__ = ["Item", "Log", "Page", "Reason"]

Reason = Literal["new", "epoch", "too_old", "too_many"]


class Logged(msgspec.Struct, frozen=True):
    """An event as the statement words it: with its stored body, or as a message, or as the row of one that is no ordinary text."""

    pos: int
    type: str = "message"
    body: bytes | None = None
    message: Message | None = None
    row: MessageRow | None = None


_LOGGED: Final = msgspec.json.Decoder(list[Logged])


class Item(msgspec.Struct, frozen=True):
    """Positions `start`…`end` of a stream: an event (then they are equal) or a void."""

    start: int
    end: int
    body: bytes | MessagePosted | None
    receivable: Receivable | None = None

    def encoded(self, codec: Codec) -> bytes:
        """The event's body in `codec`."""
        if isinstance(self.body, bytes):
            return self.body if codec is MSGPACK else codec.encode(MSGPACK.decode_plain(self.body))
        return codec.encode(self.body)


@dataclass(frozen=True, slots=True)
class Page:
    """What follows two positions, and where the streams stand. `reason` is set when there is no honest continuation."""

    account: Position
    fair: Position
    items: Sequence[Item] = ()
    fair_items: Sequence[Item] = ()
    reason: Reason | None = None
    more: bool = False


class Log:
    """Reads both logs of an account. `window` and `resume_events` bound what a resume may replay (W6)."""

    def __init__(self, works: Works, store: StreamStore, *, window: timedelta, resume_events: int) -> None:
        self._works = works
        self._store = store
        self._window = window
        self.resume_events = resume_events

    async def resume(self, account: UUID, fair: UUID, view: Side, at: Position, fair_at: Position) -> Page:
        """Everything after the client's positions, or why not: `epoch`, `too_old`, `too_many`. One query."""
        return await self._page(account, fair, view, at, fair_at, self.resume_events)

    async def refill(
        self, account: UUID, fair: UUID, view: Side, at: Position, fair_at: Position, limit: int = 200
    ) -> Page:
        """At most `limit` events further; `more` tells that there are more."""
        return await self._page(account, fair, view, at, fair_at, limit, partial=True)

    async def _page(
        self,
        account: UUID,
        fair: UUID,
        view: Side,
        at: Position,
        fair_at: Position,
        limit: int,
        *,
        partial: bool = False,
    ) -> Page:
        async with self._works.read() as work:
            row = await self._store.resume(work.connection, account, fair, at.pos, fair_at.pos, limit + 1)
            now = work.now
        assert row is not None  # an account has a stream, and so has its fair
        return self._page_of(row, view, at, fair_at, limit, now, partial=partial)

    def continuation(self, row: Row, view: Side, at: Position, fair_at: Position, now: datetime) -> Page:
        """As `resume`, of a row that came with more than `resume_events` where there are more."""
        return self._page_of(row, view, at, fair_at, self.resume_events, now, partial=False)

    def _page_of(
        self, row: Row, view: Side, at: Position, fair_at: Position, limit: int, now: datetime, *, partial: bool
    ) -> Page:
        top = Position(epoch=row["epoch"], pos=row["top"])
        fair_top = Position(epoch=row["fair_epoch"], pos=row["fair_top"])
        if (at.epoch, fair_at.epoch) != (top.epoch, fair_top.epoch) or at.pos > top.pos or fair_at.pos > fair_top.pos:
            return Page(top, fair_top, reason="epoch")
        own, shared = _LOGGED.decode(row["own"]), _LOGGED.decode(row["shared"])
        reach = ((own, row["own_from"], at, top), (shared, row["shared_from"], fair_at, fair_top))
        more = len(own) > limit
        if any(self._no_continuation(*one, now) for one in reach):
            return Page(top, fair_top, reason="too_old")
        if more and not partial:
            return Page(top, fair_top, reason="too_many")
        return Page(top, fair_top, _items(own[:limit], view), list(map(_stored, shared)), more=more)

    def _no_continuation(
        self, events: Sequence[Logged], since: datetime | None, at: Position, top: Position, now: datetime
    ) -> bool:
        """A first event that is not the next one, or is past the window, means that the log no longer reaches back so far."""
        if at.pos < top.pos and (not events or events[0].pos != at.pos + 1):
            return True
        return since is not None and since < now - self._window

    async def prune(self) -> None:
        """Drop what no resume will ask for. The window is kept twice over, so that nobody is cut off at its edge."""
        async with self._works.begin() as work:
            await self._store.prune(work.connection, work.now - 2 * self._window)


def _stored(event: Logged) -> Item:
    return Item(event.pos, event.pos, event.body)


def _items(events: Sequence[Logged], view: Side) -> list[Item]:
    """Events by position; a marker that a later one on the same page supersedes becomes a void, neighbours joined."""
    latest = {key: event.pos for event in events if (key := _marker_key(event)) is not None}
    items: list[Item] = []
    for event in events:
        if latest and (key := _marker_key(event)) is not None and latest[key] != event.pos:
            if items and items[-1].body is None:
                items[-1] = Item(items[-1].start, event.pos, None)
            else:
                items.append(Item(event.pos, event.pos, None))
        else:
            items.append(_event_item(event, view))
    return items


def _marker_key(event: Logged) -> tuple[UUID, UUID | None, str] | None:
    if event.type != "marker" or event.body is None:
        return None
    moved = msgspec.msgpack.decode(event.body, type=MarkerMoved)
    return moved.conversation, moved.marker.account, moved.marker.side


def _event_item(event: Logged, view: Side) -> Item:
    if event.type != "message":
        return _stored(event)
    pos, message, row = event.pos, event.message, event.row
    if message is not None:
        sender = message.sender.id if message.sender is not None else None
    else:
        assert row is not None
        message, sender = render_message(row, view), row.sender_id
    receivable = Receivable(message.conversation, message.seq, sender)
    if event.body is None:
        return Item(pos, pos, MessagePosted(message=message), receivable)
    # An entry holds the message as it was said; a recalled one must not survive there (C12).
    entries = tuple(
        msgspec.structs.replace(entry, last=message)
        if entry.conversation == message.conversation and entry.last_seq == message.seq
        else entry
        for entry in msgspec.msgpack.decode(event.body, type=MessagePosted).entries
    )
    return Item(pos, pos, MessagePosted(message=message, entries=entries), receivable)
