"""Bringing a socket up to date: resume, snapshot, and the refill of one that lagged (W5, W6, W12).

All three end alike: read the log from the socket's positions, page by page as it drains, until it has everything its channels
know of; from that moment, within one turn of the loop, it is live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from fairwire_protocol.errors import Close, FairwireError
from fairwire_protocol.frames import Live, Resume, Resumed, Snapshot, Stream, Void
from fairwire_protocol.models import Account, Position
from fairwire_server.clock import Clock
from fairwire_server.hub.channels import Channel
from fairwire_server.hub.first import FirstStates, Frames
from fairwire_server.hub.socket import Socket, websocket_frame
from fairwire_server.observe import Metrics
from fairwire_server.streams.arrivals import Arrival
from fairwire_server.streams.log import Item, Log, Page, Reason

__all__ = ["Sync"]

PAGE: Final = 100
FEW: Final = 4
"""A first state of at most this part of a queue is queued as it is; a larger one is paced by drain (W5)."""


class Sync:
    """Fills sockets from the log and from snapshots."""

    def __init__(self, log: Log, first: FirstStates, clock: Clock, metrics: Metrics) -> None:
        self._log = log
        self._first = first
        self._clock = clock
        self._metrics = metrics

    def at_once(self, socket: Socket, arrival: Arrival, resume: Resume | None, account: Channel, fair: Channel) -> bool:
        """Make a socket that has just been welcomed live, if what its statement has read or what is kept is all it needs and little
        enough to be queued as it is. Else nothing has been done, or the socket waits for `start`."""
        page = arrival.page
        if page is not None and page.reason is None:
            assert resume is not None
            if len(page.items) > PAGE or len(page.fair_items) > PAGE:
                return False
            self._resumed(socket, resume, page)
            self._push(socket, page.items, page.fair_items)
        else:
            frames = self._first.kept(arrival, socket.codec)
            if frames is None or frames.size > socket.limits.max_bytes // FEW:
                return False
            self._metrics.snapshots_kept += 1
            self._stand_at(socket, arrival.account, arrival.fair)
            socket.push_all(list(self._first_frames(socket, frames, arrival.me, _reason(page))))
        return self._live(socket, account, fair)

    async def start(
        self,
        socket: Socket,
        arrival: Arrival,
        resume: Resume | None,
        account: Channel,
        fair: Channel,
        read: Callable[[], None] = lambda: None,
    ) -> None:
        """What `at_once` has left to do. `read` is called once the database has been asked: what is left may wait for a slow
        client."""
        if not socket.epoch:
            page = arrival.page
            if page is not None and page.reason is None:
                assert resume is not None
                read()
                self._resumed(socket, resume, page)
                for at in range(0, max(len(page.items), len(page.fair_items)), PAGE):
                    self._push(socket, page.items[at : at + PAGE], page.fair_items[at : at + PAGE])
                    await socket.drained()
            elif await self._snapshot(socket, arrival, read) and self._live(socket, account, fair):
                return
        await self._follow(socket, account, fair)
        socket.send(Live(pos=socket.cursor, fair_pos=socket.fair_cursor))

    def _live(self, socket: Socket, account: Channel, fair: Channel) -> bool:
        if socket.closing is not None or not (account.caught_up(socket) and fair.caught_up(socket)):
            return False
        socket.live = True
        socket.send(Live(pos=socket.cursor, fair_pos=socket.fair_cursor))
        return True

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

    def _resumed(self, socket: Socket, resume: Resume, page: Page) -> None:
        self._metrics.resumes["resumed"] += 1
        self._metrics.replayed += len(page.items) + len(page.fair_items)
        self._stand_at(socket, resume.account, resume.fair)
        socket.send(Resumed(resumed=True, account=resume.account, fair=resume.fair))

    async def _snapshot(self, socket: Socket, arrival: Arrival, read: Callable[[], None]) -> bool:
        """Send a first state. Answers whether it is so little that it was queued as it is."""
        frames, me, fair = self._first.kept(arrival, socket.codec), arrival.me, arrival.fair
        if frames is None:
            started = self._clock.monotonic()
            frames, me, fair = await self._first.read(socket.caller, socket.codec, arrival)
            self._metrics.snapshot_seconds.observe(self._clock.monotonic() - started)
        else:
            self._metrics.snapshots_kept += 1
        read()
        self._stand_at(socket, frames.account, fair)
        parts = self._first_frames(socket, frames, me, _reason(arrival.page))
        if frames.size <= socket.limits.max_bytes // FEW:
            socket.push_all(list(parts))
            return True
        for data in parts:
            socket.push(data)
            await socket.drained()
        return False

    def _first_frames(self, socket: Socket, frames: Frames, me: Account, reason: Reason) -> Iterator[bytes]:
        """A first state of where the socket has been stood, frame by frame."""
        if reason != "new":
            self._metrics.resumes[reason] += 1
        self._metrics.snapshots += 1
        for receivable in frames.receivables:
            socket.expect_receipt(frames.account.pos, receivable)
        codec = socket.codec
        fair = Position(epoch=socket.fair_epoch, pos=socket.fair_cursor)
        for frame in (
            Resumed(resumed=False, account=frames.account, fair=fair, reason=reason),
            Snapshot(part=0, last=not frames.parts, account=me),
        ):
            yield websocket_frame(codec.encode(frame), binary=codec.binary)
        yield from frames.parts

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
        socket.push_all([*_frames(socket, "account", items), *_frames(socket, "fair", fair_items)])


def _frames(socket: Socket, stream: Stream, items: Sequence[Item]) -> Iterator[bytes]:
    """The frames of what is new to the socket, which stands behind each once it has been taken."""
    cursor = socket.cursor if stream == "account" else socket.fair_cursor
    codec, own = socket.codec, socket.caller.account
    for item in items:
        if item.end <= cursor:
            continue
        cursor = item.end
        if item.body is None:
            frame = codec.encode(Void(stream=stream, start=item.start, end=cursor))
        else:
            frame = codec.event_frame(stream, cursor, item.encoded(codec))
            if item.receivable is not None and item.receivable.sender != own:
                socket.expect_receipt(cursor, item.receivable)
        if stream == "account":
            socket.cursor = cursor
        else:
            socket.fair_cursor = cursor
        yield websocket_frame(frame, binary=codec.binary)


def _reason(page: Page | None) -> Reason:
    """Why a first state is sent."""
    return "new" if page is None or page.reason is None else page.reason
