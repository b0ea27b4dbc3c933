"""Reading the logs: replay for a resume, refill for a socket that lagged, the same query for both (W6, W12).

A page is gapless: a position that holds nothing for this reader (a marker that a later one superseded) comes as a *void*.
Bodies come out as stored MessagePack or, for messages, as structs rendered from their rows; `Item.encoded` gives a codec's bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from fairwire_protocol.codec import MSGPACK, Codec
from fairwire_protocol.events import MarkerMoved, MessagePosted
from fairwire_protocol.models import Position, Side
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Works
from fairwire_server.streams.messages import COLUMNS, MessageRow, render_message
from fairwire_server.streams.store import StreamStore
from fairwire_server.streams.told import Receivable

__all__ = ["Item", "Log", "Page", "Reason"]

Reason = Literal["new", "epoch", "too_old", "too_many"]


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
            rows = await self._store.resume(work.connection, account, fair, at.pos, fair_at.pos, limit + 1)
            now = work.now
        return self._page_of(rows[0], rows, view, at, fair_at, limit, now, partial=partial)

    def continuation(
        self, head: Row, rows: Sequence[Row], view: Side, at: Position, fair_at: Position, now: datetime
    ) -> Page:
        """As `resume`, of rows that came with more than `resume_events` where there are more, and of a row with the heads."""
        return self._page_of(head, rows, view, at, fair_at, self.resume_events, now, partial=False)

    def _page_of(
        self,
        head: Row,
        rows: Sequence[Row],
        view: Side,
        at: Position,
        fair_at: Position,
        limit: int,
        now: datetime,
        *,
        partial: bool,
    ) -> Page:
        top = Position(epoch=head["epoch"], pos=head["top"])
        fair_top = Position(epoch=head["fair_epoch"], pos=head["fair_top"])
        if (at.epoch, fair_at.epoch) != (top.epoch, fair_top.epoch) or at.pos > top.pos or fair_at.pos > fair_top.pos:
            return Page(top, fair_top, reason="epoch")
        own = [row for row in rows if row["stream"] == "account"]
        shared = [row for row in rows if row["stream"] == "fair"]
        reason = self._no_continuation(own, shared, at, top, fair_at, fair_top, now)
        more = len(own) > limit
        if reason is None and more and not partial:
            reason = "too_many"
        if reason is not None:
            return Page(top, fair_top, reason=reason)
        own = own[:limit]
        return Page(top, fair_top, _items(own, view), [_fair_item(row) for row in shared], more=more)

    def _no_continuation(
        self,
        own: Sequence[Row],
        shared: Sequence[Row],
        at: Position,
        top: Position,
        fair_at: Position,
        fair_top: Position,
        now: datetime,
    ) -> Reason | None:
        """A first event that is not the next one, or is past the window, means that the log no longer reaches back so far."""
        for rows, position, head in ((own, at, top), (shared, fair_at, fair_top)):
            if position.pos < head.pos and (not rows or rows[0]["pos"] != position.pos + 1):
                return "too_old"
            if rows and rows[0]["at"] < now - self._window:
                return "too_old"
        return None

    async def prune(self) -> None:
        """Drop what no resume will ask for. The window is kept twice over, so that nobody is cut off at its edge."""
        async with self._works.begin() as work:
            await self._store.prune(work.connection, work.now - 2 * self._window)


def _fair_item(row: Row) -> Item:
    return Item(row["pos"], row["pos"], bytes(row["body"]))


def _items(rows: Sequence[Row], view: Side) -> list[Item]:
    """Events by position; a marker that a later one on the same page supersedes becomes a void, neighbours joined."""
    if not rows:
        return []
    latest = {key: row["pos"] for row in rows if (key := _marker_key(row)) is not None}
    first = list(rows[0].keys()).index(COLUMNS[0])
    items: list[Item] = []
    for row in rows:
        if latest and (key := _marker_key(row)) is not None and latest[key] != row["pos"]:
            if items and items[-1].body is None:
                items[-1] = Item(items[-1].start, row["pos"], None)
            else:
                items.append(Item(row["pos"], row["pos"], None))
        else:
            items.append(_event_item(row, view, first))
    return items


def _marker_key(row: Row) -> tuple[UUID, UUID | None, str] | None:
    if row["type"] != "marker":
        return None
    event = msgspec.msgpack.decode(row["body"], type=MarkerMoved)
    return event.conversation, event.marker.account, event.marker.side


def _event_item(row: Row, view: Side, first: int) -> Item:
    pos, body = row["pos"], row["body"]
    if row["type"] != "message":
        return Item(pos, pos, bytes(body))
    message = render_message(MessageRow.at(row, first), view)
    receivable = Receivable(message.conversation, message.seq, row["sender_id"])
    if body is None:
        return Item(pos, pos, MessagePosted(message=message), receivable)
    # An entry holds the message as it was said; a recalled one must not survive there (C12).
    entries = tuple(
        msgspec.structs.replace(entry, last=message)
        if entry.conversation == message.conversation and entry.last_seq == message.seq
        else entry
        for entry in msgspec.msgpack.decode(body, type=MessagePosted).entries
    )
    return Item(pos, pos, MessagePosted(message=message, entries=entries), receivable)
