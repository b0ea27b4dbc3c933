"""Connections to one mail server: few, kept while there is something to say, dropped when idle or in doubt.

A connection is lent to one letter at a time. Whoever has it says at the end whether it may be used again; what was left in the
middle of a conversation is never used again, since the next answer would be of the last question.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import aiosmtplib

from fairwire_server.clock import Clock

__all__ = ["Connection", "SmtpPool", "SmtpServer"]

IDLE_S: Final = 20.0
"""Shorter than any server's own patience (RFC 5321 §4.5.3.2.7 asks for 5 minutes, many give 30 s)."""
LETTERS_MAX: Final = 200
"""Then a new connection: servers behind one address get their share, and none grows old."""
FAREWELL_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where mail is handed over, and how. `implicit_tls`: encrypted from its first byte on (RFC 8314 §3.3)."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    starttls: bool = True
    implicit_tls: bool = False
    timeout_s: float = 20.0

    def client(self) -> aiosmtplib.SMTP:
        """A client that is not connected yet."""
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.user or None,
            password=self.password or None,
            timeout=self.timeout_s,
            use_tls=self.implicit_tls,
            start_tls=self.starttls and not self.implicit_tls,
        )


class Connection:
    """A connection that greeted, encrypted and signed in. `fresh`: no letter has left on it yet."""

    __slots__ = ("client", "idle_since", "letters", "reusable")

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self.client = client
        self.letters = 0
        self.idle_since = 0.0
        self.reusable = False
        """Set at the end of a conversation that ended well."""

    @property
    def fresh(self) -> bool:
        """Whether it was made for the letter that has it."""
        return self.letters == 0

    async def leave(self) -> None:
        """Say goodbye, briefly; what becomes of it changes nothing."""
        try:
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                async with asyncio.timeout(FAREWELL_S):
                    await self.client.quit()
        finally:
            self.client.close()


class SmtpPool:
    """At most `most` connections at once; who comes when all are lent waits."""

    def __init__(self, server: SmtpServer, clock: Clock, most: int) -> None:
        self.server = server
        self._clock = clock
        self._places = asyncio.Semaphore(most)
        self._idle: deque[Connection] = deque()
        self._open = 0

    @property
    def open(self) -> int:
        """Connections now, lent and idle."""
        return self._open

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Connection]:
        """A connection: the one used last, for the others may then grow idle, or a new one."""
        async with self._places:
            connection = self._take() or await self._connect()
            try:
                connection.reusable = False
                yield connection
            finally:
                connection.letters += 1
                await self._give_back(connection)

    async def run(self) -> None:
        """Drop what is idle, until cancelled; then drop everything that is not lent."""
        try:
            while True:
                await self._clock.sleep(IDLE_S / 4)
                await asyncio.gather(*(connection.leave() for connection in self._forget_idle()))
        finally:
            while self._idle:
                self._drop(self._idle.pop())

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.client.is_connected and self._clock.monotonic() - connection.idle_since < IDLE_S:
                return connection
            self._drop(connection)
        return None

    async def _connect(self) -> Connection:
        client = self.server.client()
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:  # before anybody asks what the server can
                await _greet(client)
        except BaseException:
            client.close()
            raise
        self._open += 1
        return Connection(client)

    async def _give_back(self, connection: Connection) -> None:
        if not connection.reusable or not connection.client.is_connected:
            self._drop(connection)
        elif connection.letters < LETTERS_MAX:
            connection.idle_since = self._clock.monotonic()
            self._idle.append(connection)
        else:
            self._open -= 1
            await connection.leave()

    def _forget_idle(self) -> list[Connection]:
        """What has been idle for too long, which is at the far end."""
        before = self._clock.monotonic() - IDLE_S
        old: list[Connection] = []
        while self._idle and self._idle[0].idle_since <= before:
            old.append(self._idle.popleft())
        self._open -= len(old)
        return old

    def _drop(self, connection: Connection) -> None:
        self._open -= 1
        connection.client.close()


async def _greet(client: aiosmtplib.SMTP) -> None:
    """EHLO, or HELO for a server that knows no extensions."""
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()
