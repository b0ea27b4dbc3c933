"""One socket to the server under gevent: a gevent socket, websockets' sans-IO `ClientProtocol`, and our own `ClientSession`.

Nothing here knows asyncio. One greenlet reads (`events`, which also sends the acks that the session asks for); any greenlet
may send. The line ends by itself when nothing has come for longer than two beats, as in every client (W11).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import gevent.socket
from gevent.lock import RLock
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from fairwire_protocol.errors import Close
from fairwire_protocol.frames import Beat, Bye
from fairwire_protocol.session import ClientSession, SessionEvent, Violation

__all__ = ["Address", "Ended", "Line"]

OPEN_S: Final = 15.0
SILENCE_S: Final = 60.0
CHUNK: Final = 65_536
ABNORMAL: Final = 1006


@dataclass(frozen=True, slots=True)
class Address:
    """Where the socket door is."""

    host: str
    port: int
    secure: bool
    uri: str

    @classmethod
    def of(cls, url: str) -> Address:
        """From the server's `http(s)://host[:port][/prefix]`."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        secure = parts.scheme in {"https", "wss"}
        host, port = parts.hostname or "", parts.port or (443 if secure else 80)
        place = f"{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}/v1/socket"
        return cls(host, port, secure, f"{'wss' if secure else 'ws'}://{place}")


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a line is over, and how long the server asks to stay away."""

    code: int
    reason: str
    retry_after_ms: int | None = None


class Line:
    """A connection from its first byte to its last."""

    def __init__(self, address: Address, session: ClientSession) -> None:
        self.session = session
        self._protocol = ClientProtocol(
            parse_uri(address.uri), subprotocols=[Subprotocol(session.codec.subprotocol)], max_size=1 << 20
        )
        self._lock = RLock()
        self._bye: Bye | None = None
        self._why: Ended | None = None
        self._heard = time.monotonic()
        self._socket = gevent.socket.create_connection((address.host, address.port), timeout=OPEN_S)
        self._socket.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)
        if address.secure:
            self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=address.host)

    def events(self, now: Callable[[], float] = time.monotonic) -> Iterator[tuple[SessionEvent, int]]:
        """Everything that arrives, with the nanosecond of its arrival, until the end; `ended` then says why."""
        self._protocol.send_request(self._protocol.connect())
        try:
            self._flush()
            while self._why is None:
                data = self._receive(now)
                arrived = time.time_ns()
                if data is None:
                    continue
                if data:
                    self._protocol.receive_data(data)
                else:
                    self._protocol.receive_eof()
                for event in self._protocol.events_received():
                    for one in self._take(event, now()):
                        yield one, arrived
                if not data:
                    break
                self._flush()
        except Violation as violation:
            self._why = Ended(violation.close, violation.reason)
            self.close(violation.close)
        except InvalidStatus as error:
            after = error.response.headers.get("Retry-After", "")
            self._why = Ended(
                ABNORMAL, f"HTTP {error.response.status_code}", int(after) * 1000 if after.isdecimal() else None
            )
        except (OSError, WebSocketException) as error:
            self._fail(error)
        finally:
            self._socket.close()

    def send(self, payload: bytes) -> None:
        """Send one frame. A line that is over takes it without a word; its call is repeated on the next one (W7)."""
        if self._why is not None or self.session.welcome is None:
            return
        try:
            with self._lock:
                self._protocol.send_binary(payload)
                self._flush()
        except (OSError, WebSocketException) as error:
            self._fail(error)

    def close(self, code: int = 1000) -> None:
        """Say goodbye."""
        try:
            with self._lock:
                self._protocol.send_close(code)
                self._flush()
        except (OSError, WebSocketException):
            pass
        self.cut()

    def cut(self) -> None:
        """The network is gone: no goodbye, and whatever is on its way stays there."""
        if self._why is None:
            self._why = Ended(ABNORMAL, "cut")
        with suppress(OSError):
            self._socket.shutdown(gevent.socket.SHUT_RDWR)

    def ended(self) -> Ended:
        """Why it is over."""
        if self._why is not None:
            return self._why
        code, reason = self._protocol.close_code or ABNORMAL, self._protocol.close_reason or ""
        if self._bye is None:
            return Ended(code, reason)
        code = self._bye.code if code in {ABNORMAL, 1000, 1005} else code
        return Ended(code, self._bye.reason or reason, self._bye.retry_after_ms)

    def _receive(self, now: Callable[[], float]) -> bytes | None:
        """Bytes; none at the end; None after a wait in which only an ack was due."""
        if (ack := self.session.ack_due(now())) is not None:
            self.send(ack)
        welcome = self.session.welcome
        silence = SILENCE_S if welcome is None else (2 * welcome.beat.interval_ms + welcome.beat.answer_ms) / 1000
        due = self._heard + silence
        if due <= now():
            raise Violation(Close.NO_ANSWER, "the server has fallen silent")
        if self.session.ack_at is not None:
            due = min(due, self.session.ack_at)
        self._socket.settimeout(max(0.001, due - now()))
        try:
            data: bytes = self._socket.recv(CHUNK)
        except TimeoutError:
            return None
        self._heard = now()
        return data

    def _take(self, event: object, now: float) -> Iterator[SessionEvent]:
        if isinstance(event, Response):
            if self._protocol.handshake_exc is not None:
                raise self._protocol.handshake_exc
            with self._lock:
                self._protocol.send_binary(self.session.hello())
        elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
            for one in self.session.receive(bytes(event.data), now):
                if isinstance(one, Beat):
                    self.send(self.session.ack())
                elif isinstance(one, Bye):
                    self._bye = one
                yield one
        elif isinstance(event, Frame) and event.opcode in {Opcode.CONT, Opcode.TEXT}:
            raise Violation(Close.POSITION_LOST, "a frame of the other kind, or in pieces")

    def _fail(self, error: Exception) -> None:
        if self._why is None:
            self._why = Ended(ABNORMAL, f"{type(error).__name__}: {error}")

    def _flush(self) -> None:
        with self._lock:
            for data in self._protocol.data_to_send():
                if data:
                    self._socket.sendall(data)
