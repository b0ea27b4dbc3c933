"""Bringing a socket up to date: resume, snapshot, and the refill of one that lagged (W5, W6, W12).

All three end alike: read the log from the socket's positions, page by page as it drains, until it has everything its channels
know of; from that moment, within one turn of the loop, it is live.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Raw

from fairwire_protocol.codec import Codec
from fairwire_protocol.errors import Close, FairwireError
from fairwire_protocol.frames import Live, Resume, Resumed, Snapshot, Stream, Void
from fairwire_protocol.models import Position
from fairwire_server.clock import Clock
from fairwire_server.hub.channels import Channel
from fairwire_server.hub.socket import Socket, websocket_frame
from fairwire_server.observe import Metrics
from fairwire_server.streams.log import Item, Log, Page, Reason
from fairwire_server.streams.snapshot import FirstState, Snapshots
from fairwire_server.streams.told import Receivable

__all__ = ["Sync"]

PAGE: Final = 100
PART_BYTES: Final = 56_000


class Sync:
    """Fills sockets from the log and from snapshots."""

    def __init__(self, log: Log, snapshots: Snapshots, clock: Clock, metrics: Metrics) -> None:
        self._log = log
        self._snapshots = snapshots
        self._clock = clock
        self._metrics = metrics

    async def start(
        self,
        socket: Socket,
        resume: Resume | None,
        account: Channel,
        fair: Channel,
        read: Callable[[], None] = lambda: None,
    ) -> None:
        """The first state of a socket that has just been welcomed, then live. `read` is called once the database has been asked:
        what is left may wait for a slow client."""
        page = None if resume is None else await self._resume(socket, resume, read)
        reason: Reason | None = "new" if page is None else page.reason
        if reason is not None:
            await self._snapshot(socket, reason, read)
        await self._follow(socket, account, fair)
        socket.send(Live(pos=socket.cursor, fair_pos=socket.fair_cursor))

    async def refill(self, socket: Socket, account: Channel, fair: Channel) -> None:
        """A socket that lagged: from the log as it drains; closed when that takes too long (W12)."""
        socket.lagging_since = self._clock.monotonic()
        self._metrics.lagging += 1
        try:
            await self._follow(socket, account, fair, patient=False)
        except TimeoutError:
            socket.close(Close.TOO_SLOW, "lagging for too long")
        except FairwireError:
            socket.close(Close.OVERLOADED, "the log cannot be read now", 1000)
        finally:
            socket.lagging_since = None
            self._metrics.lagging -= 1

    async def _resume(self, socket: Socket, resume: Resume, read: Callable[[], None]) -> Page:
        caller = socket.caller
        page = await self._log.resume(caller.account, caller.fair, socket.view, resume.account, resume.fair)
        self._metrics.resumes[page.reason or "resumed"] += 1
        if page.reason is None:
            read()
            self._stand_at(socket, resume.account, resume.fair)
            socket.send(Resumed(resumed=True, account=resume.account, fair=resume.fair))
            self._metrics.replayed += len(page.items) + len(page.fair_items)
            for at in range(0, max(len(page.items), len(page.fair_items)), PAGE):
                self._push(socket, page.items[at : at + PAGE], page.fair_items[at : at + PAGE])
                await socket.drained()
        return page

    async def _snapshot(self, socket: Socket, reason: Reason, read: Callable[[], None]) -> None:
        started = self._clock.monotonic()
        state = await self._snapshots.take(socket.caller)
        read()
        self._metrics.snapshots += 1
        self._metrics.snapshot_seconds.observe(self._clock.monotonic() - started)
        self._stand_at(socket, state.account, state.fair)
        socket.send(Resumed(resumed=False, account=state.account, fair=state.fair, reason=reason))
        for entry in state.entries:
            if entry.received < entry.last_seq and entry.readable_to is None:
                socket.expect_receipt(state.account.pos, Receivable(entry.conversation, entry.last_seq, None))
        parts = _parts(state, socket.codec)
        for number, part in enumerate(parts):
            socket.send(Snapshot(part=number, last=number == len(parts) - 1, **part))
            await socket.drained()

    def _stand_at(self, socket: Socket, account: Position, fair: Position) -> None:
        socket.epoch, socket.cursor = account.epoch, account.pos
        socket.fair_epoch, socket.fair_cursor = fair.epoch, fair.pos
        socket.acked = account.pos

    async def _follow(self, socket: Socket, account: Channel, fair: Channel, *, patient: bool = True) -> None:
        """Read on until the socket has everything its channels know of; then it is live."""
        while socket.closing is None:
            if not patient:
                since = socket.lagging_since
                if since is not None and self._clock.monotonic() - since > socket.limits.lagging_s:
                    raise TimeoutError
            await socket.drained()
            if account.caught_up(socket) and fair.caught_up(socket):
                socket.live = True
                return
            page = await self._log.refill(
                socket.caller.account,
                socket.caller.fair,
                socket.view,
                Position(epoch=socket.epoch, pos=socket.cursor),
                Position(epoch=socket.fair_epoch, pos=socket.fair_cursor),
                PAGE,
            )
            if page.reason is not None:
                socket.close(Close.POSITION_LOST, "the log does not reach back so far")
                return
            self._push(socket, page.items, page.fair_items)
            if not page.items and not page.fair_items:
                # What the channel has heard of is not there to read: then it was told wrongly, and what is there counts.
                account.top = min(account.top, page.account.pos)
                fair.top = min(fair.top, page.fair.pos)

    def _push(self, socket: Socket, items: Sequence[Item], fair_items: Sequence[Item]) -> None:
        for item in items:
            _push_item(socket, "account", item)
        for item in fair_items:
            _push_item(socket, "fair", item)


def _push_item(socket: Socket, stream: Stream, item: Item) -> None:
    cursor = socket.cursor if stream == "account" else socket.fair_cursor
    if item.end <= cursor:
        return
    codec = socket.codec
    if item.body is None:
        frame = codec.encode(Void(stream=stream, start=item.start, end=item.end))
    else:
        frame = codec.event_frame(stream, item.end, item.encoded(codec))
        if item.receivable is not None and item.receivable.sender != socket.caller.account:
            socket.expect_receipt(item.end, item.receivable)
    if stream == "account":
        socket.cursor = item.end
    else:
        socket.fair_cursor = item.end
    socket.push(websocket_frame(frame, binary=codec.binary))


def _parts(state: FirstState, codec: Codec) -> list[dict[str, Any]]:
    """The state in pieces of at most about 64 KiB each (W5); entries and messages are encoded here, once, and spliced in."""
    parts: list[dict[str, Any]] = [
        {"account": state.me, "starred": state.starred, "offers": state.offers, "places": state.places}
    ]
    encode = codec.encode
    pieces: tuple[tuple[str, Sequence[object]], ...] = (
        ("entries", state.entries),
        ("messages", state.messages),
        ("bookings", state.bookings),
    )
    for name, values in pieces:
        piece: list[Raw] = []
        size = 0
        for value in values:
            encoded = encode(value)
            if piece and size + len(encoded) > PART_BYTES:
                parts.append({name: tuple(piece)})
                piece, size = [], 0
            piece.append(Raw(encoded))
            size += len(encoded)
        if piece:
            parts.append({name: tuple(piece)})
    return parts
