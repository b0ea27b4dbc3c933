"""A crowd of sockets that mostly listen, as cheap as Python can have them: one epoll, one buffer, nothing decoded.

What comes in is counted by its bytes. Joining is the public handshake (upgrade, hello, everything up to `live`, then whatever
the bench wants said first); a `bye` with a delay is obeyed, as a client would. Beats are answered where `attentive`. One socket in
`WITNESS` keeps what it gets, so that a bench can read afterwards what everybody is said to have received.

Everything blocks: a bench that also talks on an asyncio loop gives the crowd's epoll to it (`fileno`, `step`).
"""

from __future__ import annotations

import errno
import heapq
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

import msgspec

from bench.wire import UPGRADE, masked

__all__ = ["Crowd", "Member", "hello"]

BUFFER: Final = 65_536
WITNESS: Final = 100
PATIENCE_S: Final = 600.0
BATCH: Final = 64
"""Sockets with something to read, below which `drain` rests before it asks again."""
REST_S: Final = 0.0002
"""By so much at most it sees the last frame late, at every side alike."""
NEAR: Final = 1024
"""`live` and `bye` are looked for in so many bytes at the end of what came."""
LIVE: Final = b"\x83\xa1t\xa4live\xa3pos"
BEAT: Final = b"\x83\xa1t\xa4beat\xa3pos"
BYE: Final = b"\xa1t\xa3bye"
REPLY: Final = b"\xa1t\xa5reply"
ERROR: Final = b"\xa1t\xa5error"
RETRY: Final = b"\xaeretry_after_ms"
EVENT: Final = b"\xa1t\xa5event\xa6stream\xa7account"
READY: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
RESET: Final = struct.pack("ii", 1, 0)

Stage = Literal["closed", "upgrade", "sync", "greet", "live"]


class _Live(msgspec.Struct):
    pos: int
    fair_pos: int


class _Bye(msgspec.Struct):
    code: int
    retry_after_ms: int = 0


def hello(token: str, device: str, resume: object = None) -> bytes:
    """The first frame of a socket, ready to be written."""
    frame = {"t": "hello", "protocol": [1, 1], "token": token, "device": {"id": device}}
    return masked(msgspec.msgpack.encode(frame if resume is None else frame | {"resume": resume}))


class Member:
    """One of the crowd. `greeting` is said once it is live, and its answers are awaited; `events` are those before `live`."""

    __slots__ = ("events", "greeting", "hello", "pos", "socket", "stage", "tail", "turned_away", "waiting")

    def __init__(self, hello: bytes, greeting: Sequence[bytes] = ()) -> None:
        self.hello = hello
        self.greeting = greeting
        self.stage: Stage = "closed"
        self.tail = b""
        self.pos = (0, 0)
        self.events = self.waiting = self.turned_away = 0
        self.socket: socket.socket

    def say(self, data: bytes) -> None:
        """Write a masked frame."""
        self.socket.send(data)


class Crowd:
    """All members that are connected to one server."""

    def __init__(self, host: str, port: int, *, attentive: bool = False) -> None:
        self._address = (host, port)
        self._attentive = attentive
        self._epoll = select.epoll()
        self._buffer = bytearray(BUFFER)
        self._members: dict[int, Member] = {}
        self._reads: dict[int, Callable[[bytearray], int]] = {}
        self._later: list[tuple[float, int, Member]] = []
        self._waiting: deque[Member] = deque()
        self._at_once = 0
        self.joining = 0
        """Members that are not live yet."""
        self.lost = 0
        """Members whose connection ended without a bench having cut it."""
        self.put_off = 0
        """Temporary errors while joining; said again."""
        self.bytes = 0
        self.unit = 1
        """`bytes` counts whole units only: with the size of a frame, what is smaller in between does not count."""
        self.witnesses: dict[int, bytearray] = {}
        self.on_data: Callable[[bytes], None] | None = None
        """Gets what live members receive, if a bench wants to look."""

    def fileno(self) -> int:
        """For a loop that has others to listen to as well."""
        return self._epoll.fileno()

    # coming and going

    def join(self, members: Iterable[Member], at_once: int = 128) -> float:
        """Make them live, so many at a time; the seconds it took."""
        began = time.perf_counter()
        self.begin(members, at_once)
        while self.joining:
            self.step(0.05)
            if time.perf_counter() - began > PATIENCE_S:
                raise TimeoutError(f"{self.joining} of the crowd are not live after {PATIENCE_S:g} s")
        return time.perf_counter() - began

    def begin(self, members: Iterable[Member], at_once: int) -> None:
        """Start to make them live; `step` goes on."""
        for member in members:
            member.stage = "closed"
            member.turned_away = 0
            self._waiting.append(member)
            self.joining += 1
        self._at_once = at_once
        self._start()

    def plain(self, count: int) -> None:
        """Connections to a reference, which wants no handshake."""
        for _ in range(count):
            member = Member(b"")
            member.socket = socket.create_connection(self._address)
            member.socket.setblocking(False)
            member.stage = "live"
            self._members[member.socket.fileno()] = member
            self._reads[member.socket.fileno()] = member.socket.recv_into
            self._epoll.register(member.socket.fileno(), READY)

    def delay(self, member: Member, seconds: float) -> None:
        """Begin with this one later: `step` looks at the clock."""
        self.joining += 1
        member.stage, member.turned_away = "closed", 0
        heapq.heappush(self._later, (time.perf_counter() + seconds, id(member), member))

    def _start(self) -> None:
        started = self.joining - len(self._waiting) - len(self._later)
        while self._waiting and started < self._at_once:
            self._connect(self._waiting.popleft())
            started += 1

    def _connect(self, member: Member) -> None:
        member.socket = sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        member.stage, member.tail, member.events = "upgrade", b"", 0
        self._members[sock.fileno()] = member
        answer = sock.connect_ex(self._address)
        if answer not in (0, errno.EINPROGRESS):
            raise OSError(answer, "connect")
        self._epoll.register(sock.fileno(), READY)

    def cut(self, members: Iterable[Member]) -> None:
        """End these connections at once and without a word: a reset each."""
        for member in members:
            if member.stage != "closed":
                member.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                self._close(member)

    def _close(self, member: Member) -> None:
        fd = member.socket.fileno()
        self._members.pop(fd, None)
        self._reads.pop(fd, None)
        self.witnesses.pop(fd, None)
        self._epoll.unregister(fd)
        member.socket.close()
        member.stage = "closed"

    # what comes in

    def step(self, timeout: float = 0.0, most: int = 512) -> None:
        """Handle what is there."""
        while self._later and self._later[0][0] <= time.perf_counter():
            again = heapq.heappop(self._later)[2]
            if again.stage == "closed":
                self._waiting.append(again)
            else:
                self._greet(again)
        if self._waiting:
            self._start()
        for fd, mask in self._epoll.poll(timeout, most):
            member = self._members.get(fd)
            if member is None:
                continue
            if member.stage == "live":
                self._read(fd, member)
            elif mask & select.EPOLLIN or mask & (select.EPOLLHUP | select.EPOLLERR):
                self._handshake(member)
            elif member.stage == "upgrade" and not member.tail:
                member.tail = b"\0"  # the request is written once
                member.say(UPGRADE)

    def settle(self, seconds: float) -> None:
        """Take in what comes for so long."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            self.step(seconds / 10)

    def drain(self, frames: int, size: int, timeout: float = 20.0) -> float:
        """Take in so many frames of that size on live sockets, as fast as can be; the seconds it took.

        A beat now and then, smaller than a frame, is not counted. Whoever asks the operating system for each single one is slower than who
        writes them, so it rests until there are some.
        """
        began = time.perf_counter()
        poll, reads, buffer = self._epoll.poll, self._reads, self._buffer
        wanted, got = frames * size, 0
        while got < wanted:
            ready = poll(timeout, 4096)
            if not ready:
                raise TimeoutError(f"{wanted - got} of {wanted} bytes have not come")
            for fd, _ in ready:
                try:
                    count = reads[fd](buffer)
                except BlockingIOError:  # told twice of what was read at once
                    continue
                got += count - count % size
            if len(ready) < BATCH and got < wanted:
                time.sleep(REST_S)
        took = time.perf_counter() - began
        if got > wanted:
            raise RuntimeError(f"{got - wanted} bytes too many")
        return took

    def _read(self, fd: int, member: Member) -> None:
        try:
            size = self._reads[fd](self._buffer)
        except BlockingIOError:
            return
        except ConnectionError:
            size = 0
        if not size:
            self.lost += 1
            self._close(member)
            return
        self.bytes += size - size % self.unit
        if self._attentive or self.on_data is not None:
            data = bytes(memoryview(self._buffer)[:size])
            if self._attentive and BEAT in data:
                _answer(member, data)
            if self.on_data is not None:
                self.on_data(data)

    def witness(self, member: Member) -> bytearray:
        """Keep what this live member receives from now on."""
        kept = self.witnesses[member.socket.fileno()] = bytearray()
        read = member.socket.recv_into

        def reading(buffer: bytearray) -> int:
            size = read(buffer)
            kept.extend(memoryview(buffer)[:size])
            return size

        self._reads[member.socket.fileno()] = reading
        return kept

    # the handshake

    def _handshake(self, member: Member) -> None:
        try:
            data = member.socket.recv(BUFFER)
            while len(data) % BUFFER == 0 and data:  # edges are told once: read all there is
                data += member.socket.recv(BUFFER)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._refused(member, 500)
            return
        data = member.tail.lstrip(b"\0") + data if member.stage == "upgrade" else member.tail + data
        if member.stage == "upgrade":
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                member.tail = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise ConnectionError(head[:200])
            member.stage, member.tail = "sync", b""
            member.say(member.hello)
        if member.stage == "sync" and data:
            self._sync(member, data)
        elif member.stage == "greet":
            self._greeted(member, data)

    def _sync(self, member: Member, data: bytes) -> None:
        """Everything up to `live`; of what comes before, only events are counted."""
        member.events += data.count(EVENT) - member.tail.count(EVENT)
        if (at := data.rfind(LIVE, -NEAR)) < 0 or at + data[at - 1] > len(data):
            if (at := data.rfind(BYE, -NEAR)) >= 0:
                bye = msgspec.msgpack.decode(data[at - 1 :][: data[at - 2]], type=_Bye)
                if bye.code >= 4500:
                    raise ConnectionError(f"bye {bye.code}")
                self._refused(member, bye.retry_after_ms or 500)
            else:
                member.tail = data[-NEAR:]
            return
        live = msgspec.msgpack.decode(data[at : at + data[at - 1]], type=_Live)
        member.pos, member.tail, member.waiting = (live.pos, live.fair_pos), b"", len(member.greeting)
        member.stage = "greet"
        self._greet(member)
        self._greeted(member, b"")

    def _greet(self, member: Member) -> None:
        for frame in member.greeting:
            member.say(frame)

    def _greeted(self, member: Member, data: bytes) -> None:
        data = member.tail + data
        if self._attentive and BEAT in data:
            _answer(member, data)
        if ERROR in data:
            self._put_off(member, data)
            return
        member.waiting -= data.count(REPLY)
        member.tail = data[-7:] if not data.endswith(REPLY) else b""
        if member.waiting <= 0:
            member.stage, member.tail = "live", b""
            self._reads[member.socket.fileno()] = member.socket.recv_into
            self.joining -= 1

    def _put_off(self, member: Member, data: bytes) -> None:
        """A temporary error: say all of the greeting again when the server asks for it (W7)."""
        self.put_off += 1
        member.tail, member.waiting = b"", len(member.greeting)
        heapq.heappush(self._later, (time.perf_counter() + _retry_after_ms(data) / 1000, id(member), member))

    def _refused(self, member: Member, delay_ms: int) -> None:
        """Come back after the delay that the server named, or a moment later where it named none (W14)."""
        member.turned_away += 1
        self._close(member)
        heapq.heappush(self._later, (time.perf_counter() + delay_ms / 1000, id(member), member))


def _answer(member: Member, data: bytes) -> None:
    """`ack` is the beat's own positions under another name (W11)."""
    at = data.index(BEAT)
    member.say(masked(b"\x83\xa1t\xa3ack" + data[at + 8 : at + data[at - 1]]))


def _retry_after_ms(error: bytes) -> int:
    """When to say it again; a final error ends the bench."""
    at = error.find(RETRY)
    if at < 0:
        raise RuntimeError(f"refused: {error!r}")
    value = error[at + len(RETRY) :]
    size = {0xCC: 1, 0xCD: 2, 0xCE: 4}.get(value[0], 0)
    return int.from_bytes(value[1 : 1 + size], "big") if size else value[0]
