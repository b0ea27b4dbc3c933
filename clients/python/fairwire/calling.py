"""Calls over the socket: each waits for its answer by cid, across cuts and new connections (W7, W8).

A call that was sent when its connection ended is sent again on the next one with the same cid; the server gives the first result
again if it had one. At most `in_flight` calls are out at a time, since a server reads no further than that (W8).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from fairwire.connection import Connection
from fairwire.errors import Stopped
from fairwire_protocol.errors import FairwireError, Unavailable, reopen
from fairwire_protocol.frames import Error, Reply
from fairwire_protocol.session import ClientSession

__all__ = ["Calling"]

IN_FLIGHT: Final = 8
_log = logging.getLogger("fairwire")


@dataclass(frozen=True, slots=True)
class _Waiting:
    op: str
    args: object
    answer: asyncio.Future[msgspec.Raw]


class Calling:
    """The calls that wait for an answer."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, _Waiting] = {}
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._connection: Connection | None = None
        self._stopped: Stopped | None = None

    @property
    def connected(self) -> bool:
        """Whether a call would leave now."""
        return self._connection is not None

    async def exchange(self, op: str, args: object, cid: UUID) -> msgspec.Raw:
        """Send a call and wait for its answer for as long as it takes. Raises the server's refusal, or `Stopped`."""
        async with self._slots:
            if self._stopped is not None:
                raise self._stopped
            if cid in self._waiting:
                raise ValueError(f"a call with the cid {cid} is under way")
            waiting = _Waiting(op, args, asyncio.get_running_loop().create_future())
            self._waiting[cid] = waiting
            try:
                if self._connection is not None:
                    self._connection.send(self._connection.session.call(op, args, cid))
                return await waiting.answer
            finally:
                del self._waiting[cid]

    def post(self, op: str, args: object, cid: UUID) -> None:
        """Send a call whose answer nobody waits for, if there is a connection."""
        if self._connection is not None:
            self._connection.send(self._connection.session.call(op, args, cid))

    def attach(self, connection: Connection) -> None:
        """A connection is live: what waits is sent again."""
        self._connection = connection
        for cid, waiting in list(self._waiting.items()):
            try:
                connection.send(connection.session.call(waiting.op, waiting.args, cid))
            except FairwireError as error:  # larger than this server's frames
                _settle(waiting, error)

    def detach(self) -> None:
        """The connection has ended; calls wait for the next."""
        self._connection = None

    def stop(self, stopped: Stopped) -> None:
        """There will be no other connection."""
        self._connection, self._stopped = None, stopped
        for waiting in self._waiting.values():
            _settle(waiting, stopped)

    def answered(self, frame: Reply | Error, session: ClientSession) -> None:
        """Hand an answer to the call that waits for it."""
        waiting = self._waiting.get(frame.cid) if frame.cid is not None else None
        if isinstance(frame, Reply):
            if waiting is not None and not waiting.answer.done():
                waiting.answer.set_result(frame.result)
        elif waiting is not None:
            _settle(waiting, _error(frame, session))
        elif frame.cid is None:
            _log.warning("the server refused a frame: %s %s", frame.code, frame.message)


def _settle(waiting: _Waiting, error: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)


def _error(frame: Error, session: ClientSession) -> FairwireError:
    detail = None
    if not isinstance(frame.detail, msgspec.UnsetType):
        try:
            detail = session.codec.decode(frame.detail, dict[str, object])
        except FairwireError:
            return Unavailable("internal", "the server's error cannot be read")
    return reopen(frame.code, frame.message, field=frame.field, retry_after_ms=frame.retry_after_ms, detail=detail)
