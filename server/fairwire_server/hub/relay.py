"""The hub of all nodes: what happens at one is told to the others, and what they tell happens here (W3, W4, W13, C17).

Bodies travel encoded, so that a node which has nobody of that account pays for reading a position and nothing else. Whatever is
lost on the way is found again: events, epochs and endings by comparing with the database (`hub/reconcile.py`), presence by asking
the node that told it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
import structlog

from fairwire_protocol.codec import MSGPACK, Codec
from fairwire_protocol.errors import Close
from fairwire_protocol.events import MessagePosted
from fairwire_protocol.frames import ServerFrame
from fairwire_protocol.models import Side
from fairwire_server.accounts.rules import Caller
from fairwire_server.clock import Clock, milliseconds
from fairwire_server.hub import peers
from fairwire_server.hub.hub import Hub
from fairwire_server.hub.peers import Here
from fairwire_server.hub.socket import Socket, websocket_frame
from fairwire_server.streams.told import Appended, FairAppended, Receivable, Told

__all__ = ["Relay", "Tell"]

BEAT_S: Final = 2.0
PAGE: Final = 400
GATHER_S: Final = 0.05
"""Several nodes that ask at once get one answer."""


class Tell(Protocol):
    """The bus' way out."""

    def __call__(self, key: UUID, message: bytes, *, droppable: bool = False) -> None:
        """Tell every other node; never blocks, never raises."""


class Relayed(Told):
    """Another node's event, already encoded for the view of whoever it is for."""

    __slots__ = ("_body", "_json")

    def __init__(self, body: bytes, receivable: Receivable | None) -> None:
        self._body = body
        self._json: bytes | None = None
        self.receivable = receivable

    def encoded(self, view: Side, codec: Codec) -> bytes:
        """The body as it came, or made JSON on first need."""
        if codec is MSGPACK:
            return self._body
        if self._json is None:
            self._json = codec.encode(MSGPACK.decode_plain(self._body))
        return self._json


class Relay:
    """Between this node's hub and the bus. `tell` is None while there is nobody to tell."""

    def __init__(self, hub: Hub, clock: Clock, node: UUID) -> None:
        self.node = node
        self.tell: Tell | None = None
        self.spent: Callable[[str, bytes], None] | None = None
        """Takes a step of the sign-in throttle that another node took."""
        self.look: Callable[[Collection[UUID]], None] | None = None
        """Compares what is here of these accounts and fairs with the database."""
        self._hub = hub
        self._presences = hub.presences
        self._clock = clock
        self._number = 0
        self._since: dict[int, int] = {}
        self._answering: asyncio.Handle | None = None
        self._handlers: dict[type[peers.Message], Callable[[Any], None]] = {
            peers.Happened: self._happened,
            peers.Shown: self._shown,
            peers.Changes: self._changed,
            peers.Beat: self._beat,
            peers.Attached: self._give_way,
            peers.Transferred: lambda one: hub.transferred(one.conversation, one.source),
            peers.Closed: self._closed,
            peers.Reset: lambda one: hub.reset(one.accounts),
            peers.Ask: self._asked,
            peers.Spent: self._spent,
            peers.Look: self._look,
        }
        self._log = structlog.get_logger("relay")

    def join(self, tell: Tell) -> None:
        """From now on there are others."""
        self.tell = tell
        self._hub.on_attach, self._hub.on_detach = self._attached, self._detached
        self._presences.on_change = self._tell_changes

    async def run(self) -> None:
        """Say that this node lives, until cancelled."""
        while True:
            await self._clock.sleep(BEAT_S)
            if self.tell is not None:
                self.tell(self.node, peers.encode(peers.Beat(self.node, self._number)), droppable=True)

    # to the others

    def publish(self, appended: Sequence[Appended | FairAppended]) -> None:
        """What a transaction has committed: to the sockets here, then to the other nodes."""
        self._hub.publish(appended)
        tell = self.tell
        if tell is None:
            return
        for one in appended:
            told = one.told
            event = told.team
            if isinstance(one, FairAppended):
                tell(one.fair, peers.encode(peers.Happened(one.fair, one.pos, told.encoded("team", MSGPACK), True)))
                continue
            if isinstance(event, MessagePosted) and (transfer := event.message.transfer) is not None:
                conversation, source = event.message.conversation, transfer.source
                tell(conversation, peers.encode(peers.Transferred(conversation, source.id if source else None)))
            body = told.encoded(one.view, MSGPACK)
            tell(one.account, peers.encode(peers.Happened(one.account, one.pos, body, False, told.receivable)))

    def close_sockets(self, account: UUID, session: UUID | None, code: Close, reason: str) -> None:
        """Close an account's sockets wherever they are (A6)."""
        self._hub.close_sockets(account, session, code, reason)
        if self.tell is not None:
            self.tell(account, peers.encode(peers.Closed(account, session, int(code), reason)))

    def reset(self, accounts: Collection[UUID]) -> None:
        """These streams have a new epoch (W6)."""
        self._hub.reset(accounts)
        if self.tell is not None:
            for account in accounts:
                self.tell(account, peers.encode(peers.Reset((account,))))

    def show(self, account: UUID, frame: ServerFrame) -> None:
        """Show something unstored on an account's devices, wherever they are (W10)."""
        self._hub.tell_account(account, frame)
        if self.tell is not None and self._presences.elsewhere.devices(account):
            self.tell(account, peers.encode(peers.Shown(account, MSGPACK.encode(frame))), droppable=True)

    def spend(self, step: str, key: bytes) -> None:
        """A step of the sign-in throttle was taken here."""
        if self.tell is not None:
            self.tell(self.node, peers.encode(peers.Spent(step, key)), droppable=True)

    def doubted(self, keys: Collection[UUID]) -> None:
        """What was committed about these accounts and fairs may not have been told: the others look too."""
        if self.tell is not None:
            for key in keys:
                self.tell(key, peers.encode(peers.Look(key)))

    def _attached(self, socket: Socket) -> None:
        assert self.tell is not None
        at = self._since[socket.number] = milliseconds(self._clock.now())
        caller = socket.caller
        self.tell(caller.account, peers.encode(peers.Attached(caller.account, socket.device, at)), droppable=True)

    def _detached(self, socket: Socket) -> None:
        self._since.pop(socket.number, None)

    def _tell_changes(self, accounts: Sequence[Here]) -> None:
        if self.tell is not None:
            self._number += 1
            message = peers.Changes(self.node, self._number, tuple(accounts))
            self.tell(self.node, peers.encode(message), droppable=True)

    def _tell_everything(self) -> None:
        """A page in each turn of the loop; what changes meanwhile is told in between, and each page is as of its turn."""
        callers = self._presences.callers_here()
        pages = [callers[at : at + PAGE] for at in range(0, len(callers), PAGE)] or [[]]
        if self._answering is not None:
            self._answering.cancel()
        self._tell_page(pages, 0)

    def _tell_page(self, pages: Sequence[Sequence[Caller]], page: int) -> None:
        self._answering = None
        if self.tell is None:
            return
        self._number += 1
        accounts = tuple(self._presences.here(caller) for caller in pages[page])
        message = peers.Changes(self.node, self._number, accounts, page, len(pages))
        self.tell(self.node, peers.encode(message), droppable=True)
        if page + 1 < len(pages):
            self._answering = asyncio.get_running_loop().call_soon(self._tell_page, pages, page + 1)

    def connected(self) -> None:
        """The others are reached (again): they learn who is here, and are asked who is there."""
        if self.tell is not None:
            self.tell(self.node, peers.encode(peers.Ask(None)), droppable=True)
            self._tell_everything()

    # from the others

    def heard(self, data: bytes) -> None:
        """Another node's message."""
        try:
            message = peers.decode(data)
        except msgspec.DecodeError:
            self._log.debug("unreadable message")
            return
        self._handlers[type(message)](message)

    def _happened(self, event: peers.Happened) -> None:
        self._hub.committed(event.stream, event.pos, Relayed(event.body, event.receivable), fair=event.fair)

    def _closed(self, closed: peers.Closed) -> None:
        self._hub.close_sockets(closed.account, closed.session, Close(closed.code), closed.reason)

    def _changed(self, changes: peers.Changes) -> None:
        if not self._presences.elsewhere.changed(changes, self._clock.monotonic()):
            self._ask(changes.node)

    def _beat(self, beat: peers.Beat) -> None:
        if not self._presences.elsewhere.beat(beat, self._clock.monotonic()):
            self._ask(beat.node)

    def _asked(self, ask: peers.Ask) -> None:
        if ask.node in (None, self.node) and self._answering is None:
            self._answering = asyncio.get_running_loop().call_later(GATHER_S, self._tell_everything)

    def _spent(self, spent: peers.Spent) -> None:
        if self.spent is not None:
            self.spent(spent.step, spent.key)

    def _look(self, look: peers.Look) -> None:
        if self.look is not None:
            self.look((look.key,))

    def _shown(self, shown: peers.Shown) -> None:
        for socket in self._hub.sockets_of([shown.account]):
            codec = socket.codec
            data = shown.frame if codec is MSGPACK else codec.encode(MSGPACK.decode_server_frame(shown.frame))
            socket.push_ephemeral(websocket_frame(data, binary=codec.binary))

    def _give_way(self, newer: peers.Attached) -> None:
        """W13: a device's older socket ends where it connects anew."""
        for socket in self._hub.sockets_of([newer.account]):
            if socket.device == newer.device and self._since.get(socket.number, newer.at) < newer.at:
                socket.close(Close.TOO_MANY_DEVICES, "replaced by a newer connection of this device")

    def _ask(self, node: UUID) -> None:
        if self.tell is not None:
            self.tell(self.node, peers.encode(peers.Ask(node)), droppable=True)
