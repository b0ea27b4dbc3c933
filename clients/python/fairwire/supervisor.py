"""Staying connected: one connection after another, each resuming where the last one ended (W6, W13, W14)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from fairwire.connection import Connection, Ended, open_socket
from fairwire.errors import Stopped
from fairwire.feed import Offline
from fairwire.timing import Backoff, Timing
from fairwire.tokens import Tokens, renewal_delay
from fairwire_protocol import frames as f
from fairwire_protocol.codec import Codec
from fairwire_protocol.errors import Close, FairwireError
from fairwire_protocol.session import ClientSession, CloseAction, SessionEvent, close_action

__all__ = ["Supervisor"]

LOST_MAX: Final = 3
"""After so many lost positions in a row without an event in between, resuming is given up for a snapshot."""


class Supervisor:
    """Keeps one socket open until told to stop or the server closes it for good."""

    def __init__(
        self,
        url: str,
        tokens: Tokens,
        codec: Codec,
        timing: Timing,
        hello: Callable[[str, f.Resume | None], f.Hello],
        take: Callable[[SessionEvent, Connection], None],
        ended: Callable[[Offline], None],
    ) -> None:
        self.resume: f.Resume | None = None
        """Where the next connection goes on."""
        self._session: ClientSession | None = None
        self._url = url
        self._tokens = tokens
        self._codec = codec
        self._timing = timing
        self._hello = hello
        self._take = take
        self._ended = ended
        self._backoff = Backoff(timing.random)
        self._expiry: asyncio.Queue[tuple[int, int]] = asyncio.Queue()

    @property
    def position(self) -> f.Resume | None:
        """How far both streams were taken in: on the present socket, or on the last one."""
        session = self._session
        return self.resume if session is None or session.welcome is None else session.resume

    def live(self) -> None:
        """The connection is live; a long life starts the backoff again (W14)."""
        self._backoff.connected(self._timing.monotonic())

    def expires(self, expires_at: int, server_now: int) -> None:
        """The socket's token ends then (W13)."""
        self._expiry.put_nowait((expires_at, server_now))

    async def run(self) -> None:
        """Until cancelled. Raises `Stopped` when there is no coming back."""
        fresh, lost = False, 0
        while True:
            before = self.resume
            ended = await self._attempt(fresh=fresh)
            action = close_action(ended.code)
            if action is CloseAction.STOP:
                raise Stopped(ended.code, ended.reason)
            fresh = action is CloseAction.REFRESH
            lost = lost + 1 if ended.code == Close.POSITION_LOST and self.resume == before else 0
            if lost >= LOST_MAX:
                self.resume, lost = None, 0
            delay = self._backoff.delay(self._timing.monotonic())
            if ended.retry_after is not None:
                delay = ended.retry_after
            self._ended(Offline(ended.reason, delay))
            await self._timing.sleep(delay)

    async def _attempt(self, *, fresh: bool) -> Ended:
        """One connection, from its token to its end."""
        try:
            token = await self._tokens.get(fresh=fresh)
        except FairwireError as error:
            if error.final:
                raise Stopped(Close.BAD_TOKEN, error.message) from error
            return Ended(Close.TOKEN_EXPIRED if fresh else 1006, error.message)
        socket = await open_socket(self._url, self._codec)
        if isinstance(socket, Ended):
            return socket
        session = ClientSession(self._codec, self._hello(token, self.resume))
        connection = Connection(socket, session, self._timing)
        self._session = session
        self._expiry = asyncio.Queue()
        renewal = asyncio.create_task(self._renew(connection), name="fairwire-renewal")
        try:
            return await connection.run(lambda event: self._take(event, connection))
        finally:
            # A snapshot cut short leaves nothing to resume; a greeting that was never answered leaves what was before.
            self.resume = session.resume if session.welcome is not None else self.resume
            self._session = None
            renewal.cancel()
            await asyncio.gather(renewal, return_exceptions=True)

    async def _renew(self, connection: Connection) -> None:
        """Give the socket a new token before its old one ends (W13)."""
        while True:
            expires_at, server_now = await self._expiry.get()
            if not self._tokens.renewable:
                return
            await self._timing.sleep(renewal_delay(expires_at, server_now))
            token = None
            while token is None:
                try:
                    token = await self._tokens.get(fresh=True)
                except FairwireError as error:
                    if error.retry_after_ms is None:  # the socket lives on to its token's end and learns there why
                        return
                    await self._timing.sleep(error.retry_after_ms / 1000)
            connection.send(connection.session.refresh(token))
