"""A server of one account in memory: its streams, and sockets made of `ServerSession`. A peer to test clients with.

What it says on a socket follows W6's order: welcome, resumed, snapshot or the missing positions, live, then events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID, uuid4

import msgspec

from fairwire_protocol import frames as f
from fairwire_protocol.codec import Codec
from fairwire_protocol.events import Announcement, Waiting
from fairwire_protocol.models import Account, Entry, ExhibitorCard, Limits, Position
from fairwire_protocol.session import ServerSession
from wire_examples import full

WINDOW = 1000
ACCOUNT = Account(id=UUID(int=1), kind="business", name="Li Lei", capabilities={"read_history": "own"})
LIMITS: Limits = msgspec.structs.replace(full(Limits), recent=300, in_flight=8, frame_bytes=65_536)


def welcome(expires_at: int = 4_000_000_000_000, beat_ms: int = 25_000) -> f.Welcome:
    return f.Welcome(
        session=uuid4(), protocol=1, capabilities=(), limits=LIMITS, server_time=1_792_000_000_000, build="test",
        beat=f.BeatPlan(interval_ms=beat_ms, answer_ms=8000), account=ACCOUNT, expires_at=expires_at,
    )  # fmt: skip


@dataclass
class Log:
    """One stream: `None` where nothing is for this account."""

    epoch: int
    events: list[object | None] = field(default_factory=list)

    @property
    def top(self) -> int:
        return len(self.events)

    def position(self) -> Position:
        return Position(epoch=self.epoch, pos=self.top)


class Streams:
    """The account's stream and the fair's."""

    def __init__(self) -> None:
        self.account = Log(11)
        self.fair = Log(22)
        self.entries: list[Entry] = []

    def wait(self, visible: bool = True) -> None:
        """Append to the account's stream an event that names its own position, or one it may not see."""
        event = Waiting(conversation=UUID(int=9), since=self.account.top + 1)
        self.account.events.append(event if visible else None)

    def announce(self) -> None:
        pos = self.fair.top + 1
        self.fair.events.append(Announcement(id=UUID(int=pos), ts=pos, title=str(pos), text=""))

    def greeting(self, resume: f.Resume | None, *, sent_account: int | None = None) -> Iterator[f.ServerFrame]:
        """Everything from `resumed` to `live`."""
        known = self._known(resume)
        if resume is not None and known is None:
            yield f.Resumed(resumed=True, account=resume.account, fair=resume.fair)
            yield from missing(self.account, "account", resume.account.pos)
            yield from missing(self.fair, "fair", resume.fair.pos)
        else:
            yield f.Resumed(
                resumed=False, account=self.account.position(), fair=self.fair.position(), reason=known or "new"
            )
            half = len(self.entries) // 2
            yield f.Snapshot(part=0, last=False, account=ACCOUNT, entries=tuple(self.entries[:half]))
            yield f.Snapshot(part=1, last=True, entries=tuple(self.entries[half:]))
        yield f.Live(pos=self.account.top, fair_pos=self.fair.top)

    def _known(self, resume: f.Resume | None) -> Literal["new", "epoch", "too_many"] | None:
        """Why not to resume."""
        if resume is None:
            return "new"
        for log, at in ((self.account, resume.account), (self.fair, resume.fair)):
            if at.epoch != log.epoch or at.pos > log.top:
                return "epoch"
            if log.top - at.pos > WINDOW:
                return "too_many"
        return None


def missing(log: Log, stream: f.Stream, after: int, codec: Codec | None = None) -> Iterator[f.ServerFrame]:
    """Events after a position, skipped positions as voids (W6)."""
    start = 0
    for pos in range(after + 1, log.top + 1):
        event = log.events[pos - 1]
        if event is None:
            start = start or pos
            continue
        if start:
            yield f.Void(stream=stream, start=start, end=pos - 1)
            start = 0
        yield f.Event(stream=stream, pos=pos, body=event)  # type: ignore[arg-type]  # encoded with the frame by either codec
    if start:
        yield f.Void(stream=stream, start=start, end=log.top)


def exhibitor_entry(number: int, **fields: object) -> Entry:
    """A contact of a buyer's list."""
    card = ExhibitorCard(id=UUID(int=number), name_zh=f"展商{number}", name_en=f"Exhibitor {number}")
    return Entry(conversation=UUID(int=1000 + number), contact=card, at=number, last_seq=1, **fields)  # type: ignore[arg-type]


def wire(codec: Codec, frame: object) -> bytes | str:
    data = codec.encode(frame)
    return data if codec.binary else data.decode()


def opened(codec: Codec, hello: bytes) -> tuple[ServerSession, f.Hello]:
    """A server's session that has taken `hello`."""
    session = ServerSession(codec)
    frame = session.receive(hello if codec.binary else hello.decode())
    assert isinstance(frame, f.Hello)
    return session, frame
