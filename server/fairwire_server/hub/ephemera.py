"""Typing and looking: shown to who is there now, never stored (C16, W10)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.frames import Looking, ServerFrame, Typing
from fairwire_protocol.operations import Empty
from fairwire_protocol.operations.chat import ShowTyping
from fairwire_server.accounts.rules import Caller
from fairwire_server.clock import Clock
from fairwire_server.contacts.rules import Sight
from fairwire_server.context import Context
from fairwire_server.hub.hub import Hub

__all__ = ["EPHEMERAL_MS", "Ephemera"]

EPHEMERAL_MS: Final = 5_000
CACHE_S: Final = 5.0
CACHE_MAX: Final = 20_000

See = Callable[[Caller, UUID], Awaitable[Sight]]
"""The caller's relation to a conversation; raises `not_found`."""


class Ephemera:
    """Handlers of `chat.typing` and `chat.looking`. What the database said of a conversation is believed for a few seconds, or until
    it is transferred."""

    def __init__(self, hub: Hub, show: Callable[[UUID, ServerFrame], None], see: See, clock: Clock) -> None:
        self._show = show
        self._see = see
        self._clock = clock
        self._seen: dict[UUID, dict[UUID, tuple[float, Sight]]] = {}
        hub.on_transfer = self._forget

    async def typing(self, caller: Caller, _: Context, request: ShowTyping) -> Empty:
        """The buyer's typing is shown to the holder, the holder's to the buyer — as the exhibitor's, without a name. In a blocked
        chat nothing can follow it, and nobody sees it (C18)."""
        sight = await self._sight(caller, request.conversation)
        if caller.account not in (sight.buyer, sight.holder):
            raise Refused("not_holder")
        if sight.blocked:
            return Empty()
        if caller.account == sight.buyer:
            frame = Typing(conversation=sight.conversation, account=caller.account, for_ms=EPHEMERAL_MS)
            self._show(sight.holder, frame)
        else:
            frame = Typing(conversation=sight.conversation, account=None, for_ms=EPHEMERAL_MS)
            self._show(sight.buyer, frame)
        return Empty()

    async def looking(self, caller: Caller, _: Context, request: ShowTyping) -> Empty:
        """A colleague's looking is shown to the holder, for the team only."""
        sight = await self._sight(caller, request.conversation)
        if caller.side == "team" and caller.account != sight.holder:
            frame = Looking(conversation=sight.conversation, account=caller.account, for_ms=EPHEMERAL_MS)
            self._show(sight.holder, frame)
        return Empty()

    async def _sight(self, caller: Caller, conversation: UUID) -> Sight:
        now = self._clock.monotonic()
        seen = self._seen.get(conversation)
        known = None if seen is None else seen.get(caller.account)
        if known is not None and known[0] > now:
            return known[1]
        if seen is None:
            if len(self._seen) >= CACHE_MAX:
                self._seen.clear()
            seen = self._seen[conversation] = {}
        sight = await self._see(caller, conversation)
        seen[caller.account] = (now + CACHE_S, sight)  # lost, if it was transferred meanwhile
        return sight

    def _forget(self, conversation: UUID) -> None:
        """Its holder has changed: nothing goes to the one before any more (C9)."""
        self._seen.pop(conversation, None)
