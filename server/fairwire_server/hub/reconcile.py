"""Comparing what sockets here have with the database, for accounts and fairs whose messages may have been lost (W4).

One way for every loss: an event that never came, a new epoch, a session that has ended. It runs over everything each second while
the bus is down, once when it is back, for those accounts that another node says it could not tell about, and for those about whom this
node has committed something without getting an answer: once that is over, for better or worse, it is compared here and at the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final
from uuid import UUID

import structlog

from fairwire_protocol.errors import Close, FairwireError
from fairwire_server.clock import Clock
from fairwire_server.hub.hub import Hub
from fairwire_server.streams.standing import Standing

__all__ = ["Reconciler"]

POLL_S: Final = 1.0

Read = Callable[[Collection[UUID], Collection[UUID]], Awaitable[list[Standing]]]
"""Where the streams of accounts and of fairs stand."""
Settle = Callable[[Collection[UUID]], Awaitable[None]]
"""Returns once what is being committed about these is over."""
Over = Callable[[Collection[UUID]], Awaitable[set[UUID]]]
"""Which of these sessions have ended."""


class Reconciler:
    """`look` asks for a comparison; `run` makes them, and polls while `connected` says no. `tell` lets the others look too."""

    def __init__(
        self,
        hub: Hub,
        read: Read,
        settle: Settle,
        over: Over,
        tell: Callable[[Collection[UUID]], None],
        connected: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self._hub = hub
        self._read = read
        self._settle = settle
        self._over = over
        self._tell = tell
        self._connected = connected
        self._clock = clock
        self._keys: set[UUID] = set()
        self._everything = False
        self._wake = asyncio.Event()
        self._doubts: set[UUID] = set()
        self._doubted = asyncio.Event()
        self._log = structlog.get_logger("reconcile")

    def look(self, keys: Collection[UUID] | None = None) -> None:
        """Compare these accounts and fairs, or all that have sockets here, soon."""
        if keys is None:
            self._everything = True
        else:
            self._keys.update(keys)
        self._wake.set()

    def doubt(self, keys: Collection[UUID]) -> None:
        """Something about these was being committed, and how that ended nobody said."""
        self._doubts.update(keys)
        self._doubted.set()

    async def run(self) -> None:
        """Compare until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll())
            group.create_task(self._find_out())
            while True:
                await self._wake.wait()
                self._wake.clear()
                everything, self._everything = self._everything, False
                keys, self._keys = self._keys, set()
                try:
                    await self._compare(None if everything else keys)
                except FairwireError as error:
                    self._log.warning("positions not compared", code=error.code)
                    self.look(None if everything else keys)
                    await self._clock.sleep(POLL_S)

    async def _poll(self) -> None:
        while True:
            await self._clock.sleep(POLL_S)
            if not self._connected():
                self.look()

    async def _find_out(self) -> None:
        while True:
            await self._doubted.wait()
            self._doubted.clear()
            keys, self._doubts = self._doubts, set()
            try:
                await self._settle(keys)
            except FairwireError as error:
                self._log.warning("outcome still unknown", code=error.code)
                self.doubt(keys)
                await self._clock.sleep(POLL_S)
            else:
                self.look(keys)
                self._tell(keys)

    async def _compare(self, keys: set[UUID] | None) -> None:
        hub = self._hub
        accounts, fairs = hub.accounts(), hub.fairs()
        if keys is not None:
            accounts, fairs = [id_ for id_ in accounts if id_ in keys], [id_ for id_ in fairs if id_ in keys]
        if not accounts and not fairs:
            return
        standings = await self._read(accounts, fairs)
        sockets = list(hub.sockets_of(accounts))
        over = await self._over({socket.caller.session for socket in sockets}) if sockets else set()
        for one in standings:
            hub.stands(one.stream, one.epoch, one.pos, fair=one.fair)
        for socket in sockets:
            if socket.caller.session in over:
                socket.close(Close.SUSPENDED, "the session is over")
