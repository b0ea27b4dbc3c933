"""The hub: every live socket of this node, by account and by fair (W3, W4, W11–W14).

What services committed comes in through `publish`; sockets come and go through `attach` and `detach`. Nothing here awaits a
reader, and nothing here decides what an account may see: that was decided when the event was appended to its stream.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any, Final
from uuid import UUID

import structlog

from fairwire_protocol.errors import Close, FairwireError
from fairwire_protocol.events import MessagePosted
from fairwire_protocol.frames import ServerFrame, Stream
from fairwire_server.clock import Clock
from fairwire_server.hub.channels import AccountChannel, Channel
from fairwire_server.hub.fair_channel import FairChannel
from fairwire_server.hub.presence import Presences
from fairwire_server.hub.socket import Socket, websocket_frame
from fairwire_server.hub.sync import Sync
from fairwire_server.observe import Metrics
from fairwire_server.streams.told import Appended, FairAppended, Told

__all__ = ["Hub"]

DRAIN_BATCH: Final = 200
CLOSINGS_S: Final = 30.0
"""How long a closing is remembered: longer than any socket takes from its token's check to its place in the hub."""


@dataclass(frozen=True, slots=True)
class _Closing:
    """Sockets of an account, or of one of its sessions, were closed at `at` (monotonic seconds)."""

    at: float
    account: UUID
    session: UUID | None
    code: Close
    reason: str

    def concerns(self, socket: Socket) -> bool:
        """Whether the socket began before that and was not there yet to be closed."""
        caller = socket.caller
        return caller.account == self.account and self.session in (None, caller.session) and socket.heard_at <= self.at


class Hub:
    """All sockets of a node. `run` keeps its tasks; without it nothing that must wait can be done."""

    def __init__(self, sync: Sync, presences: Presences, clock: Clock, metrics: Metrics, *, devices_max: int) -> None:
        self._sync = sync
        self.presences = presences
        self._clock = clock
        self.metrics = metrics
        self._devices_max = devices_max
        self._accounts: dict[UUID, Channel] = {}
        self._fairs: dict[UUID, Channel] = {}
        self.sockets: dict[int, Socket] = {}
        self._slots: list[dict[int, Socket]] = [self.sockets]
        self._tokens: list[tuple[float, int]] = []
        self._dirty: list[Socket] = []
        self._flushing = False
        self._group: asyncio.TaskGroup | None = None
        self._log = structlog.get_logger("hub")
        self.draining = False
        self._closings: list[_Closing] = []
        self.on_transfer: Callable[[UUID], None] = _nothing
        """Called with a conversation whose holder has changed, before anybody is told."""
        self.on_attach: Callable[[Socket], None] = _nothing
        self.on_detach: Callable[[Socket], None] = _nothing

    async def run(self) -> None:
        """Hold the tasks of sockets until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                while True:
                    await self._clock.sleep(CLOSINGS_S / 2)
                    self.forget_closings()
            finally:
                self._group = None

    def spawn(self, work: Awaitable[None] | Coroutine[Any, Any, None]) -> None:
        """Run something for a socket; its failure is logged and ends nothing else."""
        coroutine = self._guarded(work)
        if self._group is None:
            coroutine.close()
        else:
            self._group.create_task(coroutine)

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except FairwireError as error:
            self._log.warning("socket task refused", code=error.code)
        except Exception:
            self._log.exception("socket task failed")

    # sockets come and go

    def attach(self, socket: Socket) -> None:
        """Follow the socket's streams. Replaces the same device's older socket; an 11th device is turned away (W13)."""
        own = list(self.sockets_of([socket.caller.account]))
        devices = {one.device for one in own if one.closing is None}
        for older in own:
            if older.device == socket.device and older.closing is None:
                older.close(Close.TOO_MANY_DEVICES, "replaced by a newer connection of this device")
        devices |= self.presences.elsewhere.devices(socket.caller.account)
        if socket.device not in devices and len(devices) >= self._devices_max:
            socket.close(Close.TOO_MANY_DEVICES, f"at most {self._devices_max} devices")
            return
        self.sockets[socket.number] = socket
        self._slots[socket.number % len(self._slots)][socket.number] = socket
        heappush(self._tokens, (socket.expires_at, socket.number))
        self._channel(self._accounts, "account", socket.caller.account).join(socket)
        self._channel(self._fairs, "fair", socket.caller.fair).join(socket)
        self.metrics.sockets += 1
        self.metrics.sockets_opened += 1
        self.presences.attached(socket)
        self.on_attach(socket)
        for closing in self._closings:
            if closing.concerns(socket):
                socket.close(closing.code, closing.reason)

    @contextmanager
    def expecting(self, account: UUID, fair: UUID) -> Iterator[None]:
        """Follow these streams for a socket that is to attach in the body, from before its positions are read (W4)."""
        places: tuple[tuple[dict[UUID, Channel], Stream, UUID], ...] = (
            (self._accounts, "account", account),
            (self._fairs, "fair", fair),
        )
        for channels, stream, key in places:
            self._channel(channels, stream, key).expected += 1
        try:
            yield
        finally:
            for channels, _, key in places:
                channels[key].expected -= 1
                self._let_go(channels, key)

    def _let_go(self, channels: dict[UUID, Channel], key: UUID) -> None:
        channel = channels[key]
        if not channel.sockets and not channel.expected:
            channel.shut()
            del channels[key]

    def detach(self, socket: Socket) -> None:
        """The connection is gone."""
        if self.sockets.pop(socket.number, None) is None:
            return
        self._slots[socket.number % len(self._slots)].pop(socket.number, None)
        self._forget_tokens()
        self.metrics.sockets -= 1
        for channels, key in ((self._accounts, socket.caller.account), (self._fairs, socket.caller.fair)):
            channels[key].leave(socket)
            self._let_go(channels, key)
        socket.gone()
        self.presences.detached(socket, self._clock.monotonic())
        self.on_detach(socket)

    def _channel(self, channels: dict[UUID, Channel], stream: Stream, key: UUID) -> Channel:
        channel = channels.get(key)
        if channel is None:
            channel = channels[key] = (FairChannel if stream == "fair" else AccountChannel)(self.metrics)
        return channel

    def spread(self, slots: int) -> None:
        """Keep the sockets in so many parts, so that whoever looks at a part need not look at all."""
        self._slots = [{} for _ in range(slots)]
        for number, socket in self.sockets.items():
            self._slots[number % slots][number] = socket

    def part(self, slot: int) -> list[Socket]:
        """The sockets of one part."""
        return list(self._slots[slot].values())

    def expired(self, before: float) -> list[Socket]:
        """Sockets whose token ended before `before` (monotonic seconds). Each is told once."""
        over: list[Socket] = []
        while self._tokens and self._tokens[0][0] < before:
            _, number = heappop(self._tokens)
            socket = self.sockets.get(number)
            if socket is None:
                continue
            if socket.expires_at < before:
                over.append(socket)
            else:  # it has shown a newer token since
                heappush(self._tokens, (socket.expires_at, number))
        return over

    def _forget_tokens(self) -> None:
        """Once most of them are of sockets that are gone: a token may last much longer than a visit."""
        if len(self._tokens) > 2 * len(self.sockets):
            self._tokens = [(socket.expires_at, socket.number) for socket in self.sockets.values()]
            heapify(self._tokens)

    def channels_of(self, socket: Socket) -> tuple[Channel, Channel]:
        """The account's and the fair's channel of an attached socket."""
        return self._accounts[socket.caller.account], self._fairs[socket.caller.fair]

    def accounts(self) -> list[UUID]:
        """Accounts with a socket here."""
        return list(self._accounts)

    def fairs(self) -> list[UUID]:
        """Fairs with a socket here."""
        return list(self._fairs)

    def queue_bytes(self) -> int:
        """Bytes queued for all sockets (W12)."""
        return sum(socket.queued for socket in self.sockets.values())

    def figures(self, fair: UUID) -> tuple[int, dict[str, int]]:
        """Open sockets of a fair, and its accounts online by kind, at all nodes (A4)."""
        channel = self._fairs.get(fair)
        sockets = [] if channel is None else list(channel.sockets.values())
        kinds = {socket.caller.account: str(socket.caller.kind) for socket in sockets}
        count = len(sockets)
        for here in self.presences.elsewhere.of_fair(fair):
            kinds[here.account] = here.kind
            count += len(here.devices)
        return count, dict(Counter(kinds.values()))

    # events come in

    def publish(self, appended: Sequence[Appended | FairAppended]) -> None:
        """What a transaction has committed. Called after COMMIT, in the task that committed."""
        for one in appended:
            self.metrics.events[one.told.type] += 1
            event = one.told.team
            if isinstance(event, MessagePosted) and event.message.transfer is not None:
                source = event.message.transfer.source
                self.transferred(event.message.conversation, source.id if source else None)
            channel = self._accounts.get(one.account) if isinstance(one, Appended) else self._fairs.get(one.fair)
            if channel is not None:
                channel.committed(one.pos, one.told)

    def committed(self, stream: UUID, pos: int, told: Told, *, fair: bool = False) -> None:
        """Another node has committed an event."""
        channel = self._fairs.get(stream) if fair else self._accounts.get(stream)
        if channel is not None:
            channel.committed(pos, told)

    def transferred(self, conversation: UUID, source: UUID | None) -> None:
        """What was known for the moment only is over: whom typing reaches, and that the giver sees the buyer's presence (C9)."""
        self.on_transfer(conversation)
        if source is not None and source in self._accounts:
            self.spawn(self.presences.recheck(source))

    def stands(self, stream: UUID, epoch: int, pos: int, *, fair: bool = False) -> None:
        """The database says where a stream stands: whoever is behind reads the log, whoever has another epoch starts anew (W4, W6)."""
        channel = self._fairs.get(stream) if fair else self._accounts.get(stream)
        if channel is None:
            return
        for socket in list(channel.sockets.values()):
            if socket.live and epoch != (socket.fair_epoch if fair else socket.epoch):
                socket.close(Close.POSITION_LOST, "the stream has a new epoch")
        channel.exists(pos)

    def reset(self, accounts: Collection[UUID]) -> None:
        """These streams have a new epoch: their clients come back for a snapshot (W6)."""
        for socket in self.sockets_of(accounts):
            socket.close(Close.POSITION_LOST, "the stream has a new epoch")

    def close_sockets(self, account: UUID, session: UUID | None, code: Close, reason: str) -> None:
        """Close an account's sockets, or those of one of its sessions (A6).

        Not before this turn of the loop is over, so that whoever signs itself out still gets its answer. A socket that was
        authenticated before this and attaches after it is closed then.
        """
        self._closings.append(_Closing(self._clock.monotonic(), account, session, code, reason))
        asyncio.get_running_loop().call_soon(self._close_matching, account, session, code, reason)

    def forget_closings(self) -> None:
        """Those that no socket on its way can have begun before."""
        since = self._clock.monotonic() - CLOSINGS_S
        self._closings = [closing for closing in self._closings if closing.at > since]

    def _close_matching(self, account: UUID, session: UUID | None, code: Close, reason: str) -> None:
        for socket in self.sockets_of([account]):
            if session is None or socket.caller.session == session:
                socket.close(code, reason)

    def sockets_of(self, accounts: Collection[UUID]) -> Iterator[Socket]:
        """The accounts' sockets here."""
        for account in accounts:
            channel = self._accounts.get(account)
            if channel is not None:
                yield from list(channel.sockets.values())

    def tell_account(self, account: UUID, frame: ServerFrame) -> None:
        """Show something unstored on an account's devices, if they are here (W10)."""
        for socket in self.sockets_of([account]):
            socket.push_ephemeral(websocket_frame(socket.codec.encode(frame), binary=socket.codec.binary))

    # writing

    def dirty(self, socket: Socket) -> None:
        """The socket has something to write at the end of this turn of the loop."""
        self._dirty.append(socket)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        waiting, self._dirty = self._dirty, []
        for socket in waiting:
            try:
                socket.flush()
            except (ConnectionError, OSError, RuntimeError):
                socket.link.abort()

    def lagged(self, socket: Socket) -> None:
        """A live socket fell behind: refill it from the log (W12)."""
        self.spawn(self._sync.refill(socket, *self.channels_of(socket)))

    # the end

    async def drain(self, over_s: float) -> None:
        """Say goodbye in batches over `over_s` seconds, each with a delay of its own, so that they do not all return at once (W14)."""
        self.draining = True
        self.metrics.draining = 1
        sockets = list(self.sockets.values())
        batches = [sockets[at : at + DRAIN_BATCH] for at in range(0, len(sockets), DRAIN_BATCH)]
        pause = min(0.25, over_s / max(1, len(batches)))
        for number, batch in enumerate(batches):
            for place, socket in enumerate(batch):
                retry_after_ms = 200 + (number * DRAIN_BATCH + place) * 1000 // max(200, len(sockets) // 5)
                socket.close(Close.GOING_AWAY, "the node is going away", retry_after_ms)
            await self._clock.sleep(pause)
        deadline = self._clock.monotonic() + over_s
        while self.sockets and self._clock.monotonic() < deadline:
            await self._clock.sleep(0.05)


def _nothing(_: object) -> None:
    """Nobody wants to know."""
