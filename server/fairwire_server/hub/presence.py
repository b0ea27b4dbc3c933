"""Presence: who is here, the best of an account's devices, told only to those who have it on screen (C17, W10).

Changes are gathered and sent once a second, to the sockets that watch; the cost grows with changes seen. Nothing is stored: an
account whose last socket is gone stays what it was for 20 s from the last frame it sent, then it is offline. Other nodes learn of
each change in the turn of the loop in which it happens; what they have stands in `elsewhere`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from fairwire_protocol.errors import Refused
from fairwire_protocol.frames import PresenceChanged
from fairwire_protocol.models import Presence, PresenceState, Subject
from fairwire_protocol.operations import Empty, contacts
from fairwire_server.accounts.rules import Caller
from fairwire_server.clock import Clock
from fairwire_server.context import Context
from fairwire_server.hub.elsewhere import Elsewhere, best
from fairwire_server.hub.peers import Here
from fairwire_server.hub.socket import Socket, websocket_frame
from fairwire_server.observe import Metrics

__all__ = ["Presences"]

Key = tuple[str, UUID]
Watchable = Callable[[Caller, Collection[Key]], Awaitable[set[Key]]]
"""Which of these subjects the caller may watch (W10)."""

TICK_S: Final = 1.0


class _Leaving(NamedTuple):
    """An account without a socket that still counts as here: until when, as what, and who it is."""

    until: float
    state: PresenceState
    caller: Caller


class Presences:
    """What every account here shows, and who watches it. `run` tells the watchers."""

    def __init__(
        self, clock: Clock, metrics: Metrics, watchable: Watchable, *, grace_s: float, subscriptions_max: int
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._watchable = watchable
        self._grace_s = grace_s
        self._subscriptions_max = subscriptions_max
        self._sockets: dict[UUID, dict[int, Socket]] = {}
        self._leaving: dict[UUID, _Leaving] = {}
        self._receiving: dict[UUID, set[UUID]] = defaultdict(set)
        self._told: dict[Key, PresenceState] = {}
        self._changed: set[Key] = set()
        self._watchers: dict[Key, dict[int, Socket]] = {}
        self.elsewhere = Elsewhere(self._touch)
        self.on_change: Callable[[Sequence[Here]], None] | None = None
        """Tells other nodes what has changed here."""
        self._moved: dict[UUID, Caller] = {}
        self._log = structlog.get_logger("presence")

    # sockets come and go

    def attached(self, socket: Socket) -> None:
        """An account has one more device here."""
        caller = socket.caller
        self._sockets.setdefault(caller.account, {})[socket.number] = socket
        self._leaving.pop(caller.account, None)
        if caller.exhibitor is not None:
            receives = caller.may("receive_chats")  # an account whose kind was changed may not any more
            change = self._receiving[caller.exhibitor].add if receives else self._receiving[caller.exhibitor].discard
            change(caller.account)
        self._move(caller)

    def detached(self, socket: Socket, now: float) -> None:
        """A device is gone; the account's grace counts from the last frame it sent (W14)."""
        self._watch(socket, frozenset())
        caller = socket.caller
        sockets = self._sockets.get(caller.account)
        if sockets is None or sockets.pop(socket.number, None) is None:
            return
        if not sockets:
            del self._sockets[caller.account]
            until = min(now, socket.heard_at) + self._grace_s
            self._leaving[caller.account] = _Leaving(until, socket.presence, caller)
        self._move(caller)

    def _move(self, caller: Caller) -> None:
        """Something about the account has changed here."""
        self._touch(caller.account, caller.exhibitor)
        if self.on_change is not None:
            if not self._moved:
                asyncio.get_running_loop().call_soon(self._tell_moved)
            self._moved[caller.account] = caller

    def _tell_moved(self) -> None:
        moved, self._moved = self._moved, {}
        if self.on_change is not None:
            self.on_change([self.here(caller) for caller in moved.values()])

    def here(self, caller: Caller) -> Here:
        """An account as this node shows it to others."""
        sockets = self._sockets.get(caller.account, {}).values()
        return Here(
            account=caller.account,
            fair=caller.fair,
            kind=str(caller.kind),
            exhibitor=caller.exhibitor,
            receives=caller.exhibitor is not None and caller.account in self._receiving.get(caller.exhibitor, ()),
            state=self._here_only(caller.account),
            devices=tuple(socket.device for socket in sockets if socket.closing is None),
        )

    def callers_here(self) -> list[Caller]:
        """Everybody who is here or still counts as here."""
        callers = [next(iter(sockets.values())).caller for sockets in self._sockets.values()]
        return [*callers, *(one.caller for one in self._leaving.values())]

    def _touch(self, account: UUID, exhibitor: UUID | None) -> None:
        self._changed.add(("account", account))
        if exhibitor is not None:
            self._changed.add(("exhibitor", exhibitor))

    # what is shown

    def state(self, key: Key) -> PresenceState:
        """The state of a subject now."""
        kind, id_ = key
        if kind == "exhibitor":
            receiving = {*self._receiving.get(id_, ()), *self.elsewhere.receiving(id_)}
            return best(self._of_account(account) for account in receiving)
        return self._of_account(id_)

    def _of_account(self, account: UUID) -> PresenceState:
        here = self._here_only(account)
        return here if here == "online" else best((here, self.elsewhere.state(account)))

    def _here_only(self, account: UUID) -> PresenceState:
        sockets = self._sockets.get(account)
        if sockets:
            return best(socket.presence for socket in sockets.values())
        leaving = self._leaving.get(account)
        return "offline" if leaving is None else leaving.state

    def online(self, accounts: Collection[UUID]) -> set[UUID]:
        """Those of the accounts that are at some node (C6)."""
        return {account for account in accounts if self._of_account(account) != "offline"}

    def count(self) -> int:
        """Accounts that are here or still count as here."""
        return len(self._sockets) + len(self._leaving)

    # operations

    async def watch(self, caller: Caller, context: Context, request: contacts.Watch) -> contacts.PresenceReply:
        """Replace what the socket watches; answers with the states now."""
        allowed = await self._watchable(caller, self._wanted(request))
        socket = self._socket(caller, context)
        if socket is not None:
            self._watch(socket, frozenset(allowed))
        return self._reply(allowed)

    async def query(self, caller: Caller, _: Context, request: contacts.Watch) -> contacts.PresenceReply:
        """The states now."""
        return self._reply(await self._watchable(caller, self._wanted(request)))

    def _wanted(self, request: contacts.Watch) -> set[Key]:
        if len(request.subjects) > self._subscriptions_max:
            raise Refused("invalid", f"At most {self._subscriptions_max} subjects at once.", field="subjects")
        return {_key(subject) for subject in request.subjects}

    async def set_state(self, caller: Caller, context: Context, request: contacts.SetPresence) -> Empty:
        """What this device shows."""
        socket = self._socket(caller, context)
        if socket is not None and socket.presence != request.state:
            socket.presence = request.state
            self._move(caller)
        return Empty()

    def _socket(self, caller: Caller, context: Context) -> Socket | None:
        sockets = self._sockets.get(caller.account, {})
        return None if context.socket is None else sockets.get(context.socket)

    async def recheck(self, account: UUID) -> None:
        """The account sees less than it did: its sockets stop watching whom it may watch no more (C9)."""
        for socket in list(self._sockets.get(account, {}).values()):
            if before := socket.watching:
                allowed = await self._watchable(socket.caller, before)
                self._watch(socket, socket.watching - (before - allowed))

    def _reply(self, keys: Iterable[Key]) -> contacts.PresenceReply:
        return contacts.PresenceReply(states=tuple(_presence(key, self.state(key)) for key in sorted(keys)))

    def _watch(self, socket: Socket, keys: frozenset[Key]) -> None:
        for key in socket.watching - keys:
            watchers = self._watchers.get(key)
            if watchers is not None:
                watchers.pop(socket.number, None)
                if not watchers:
                    del self._watchers[key]
                    self._told.pop(key, None)
        for key in keys - socket.watching:
            self._watchers.setdefault(key, {})[socket.number] = socket
            self._told.setdefault(key, self.state(key))
        self._metrics.presence_subscriptions += len(keys) - len(socket.watching)
        socket.watching = keys

    # telling

    async def run(self) -> None:
        """Tell the watchers what has changed, once a second, until cancelled."""
        while True:
            await self._clock.sleep(TICK_S)
            self.tick()

    def tick(self) -> None:
        """End what is over, then tell every watcher its changes in one frame."""
        now = self._clock.monotonic()
        for node in self.elsewhere.forget(now - self._grace_s):
            self._log.info("node forgotten", node=str(node))
        for account in [account for account, leaving in self._leaving.items() if leaving.until <= now]:
            caller = self._leaving.pop(account).caller
            if caller.exhibitor is not None:
                self._receiving[caller.exhibitor].discard(account)
                if not self._receiving[caller.exhibitor]:
                    del self._receiving[caller.exhibitor]
            self._move(caller)
        changed, self._changed = self._changed, set()
        news: dict[int, tuple[Socket, list[Presence]]] = {}
        for key in changed:
            watchers = self._watchers.get(key)
            if not watchers:
                continue
            state = self.state(key)
            if self._told.get(key) == state:
                continue
            self._told[key] = state
            presence = _presence(key, state)
            for number, socket in watchers.items():
                news.setdefault(number, (socket, []))[1].append(presence)
        for socket, states in news.values():
            payload = socket.codec.encode(PresenceChanged(states=tuple(states)))
            socket.push_ephemeral(websocket_frame(payload, binary=socket.codec.binary))


def _key(subject: Subject) -> Key:
    return (subject.kind, subject.id)


def _presence(key: Key, state: PresenceState) -> Presence:
    kind, id_ = key
    return Presence(kind="exhibitor" if kind == "exhibitor" else "account", id=id_, state=state)
