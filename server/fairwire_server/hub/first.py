"""First states as they are sent: whole WebSocket frames, kept so that an account that comes again is not read again (W5).

What makes that right is W5 itself: whatever changes what an account sees comes as an event of its stream, written by the same
transaction. So a state that was read where the stream stood at (epoch, pos) is the state for as long as the stream stands there,
on whichever node it changes: before anything is sent from here, the statement that looks the caller up has said where that is.
Two things it does not say. Time alone ends offers, bookings and places: a state is used up to the first such instant. And the
own account is of that statement, not from here.

What is kept is bounded by its bytes; the one not used for longest goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from uuid import UUID

from msgspec import Raw

from fairwire_protocol.codec import MSGPACK, Codec
from fairwire_protocol.frames import Snapshot
from fairwire_protocol.models import Account, AccountKind, Position
from fairwire_server.accounts.rules import Caller
from fairwire_server.clock import Clock, milliseconds
from fairwire_server.framing import websocket_frame, websocket_head
from fairwire_server.streams.arrivals import Arrival
from fairwire_server.streams.snapshot import FirstState, Snapshots
from fairwire_server.streams.told import Receivable

__all__ = ["FirstStates", "Frames"]

PART_BYTES: Final = 56_000
OVERHEAD: Final = 1024
"""What a kept state weighs beside its frames, at most about."""
EVER: Final = 2**63
Part: TypeAlias = "dict[str, Any] | tuple[str, list[bytes | Raw]]"
"""Fields of a frame, or one that is packed, in pieces."""


@dataclass(frozen=True, slots=True)
class Frames:
    """A first state at a position, but for the own account: the frames of its parts, from the second on."""

    account: Position
    kind: AccountKind
    parts: tuple[bytes, ...]
    receivables: tuple[Receivable, ...]
    """The newest messages that have not been received yet: an acknowledgement of the position says that they were (W9)."""
    until: int
    """When something in it ends by itself, in milliseconds since 1970."""

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(map(len, self.parts))


class FirstStates:
    """Reads first states and keeps their frames, in at most `bytes_max` bytes."""

    def __init__(self, snapshots: Snapshots, clock: Clock, bytes_max: int) -> None:
        self._snapshots = snapshots
        self._clock = clock
        self._bytes_max = bytes_max
        self._kept: OrderedDict[tuple[UUID, str], Frames] = OrderedDict()
        self.bytes = 0

    def kept(self, arrival: Arrival, codec: Codec) -> Frames | None:
        """The frames of who arrives, if they are what reading would give."""
        key = (arrival.caller.account, codec.name)
        frames = self._kept.get(key)
        if frames is None:
            return None
        if frames.account != arrival.account or frames.kind != arrival.caller.kind or self._now() >= frames.until:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return frames

    async def read(
        self, caller: Caller, codec: Codec, arrival: Arrival | None = None
    ) -> tuple[Frames, Account, Position]:
        """The caller's frames as the database has them now, with the own account and the fair's position of the same instant. Where the
        stream still stands as on `arrival` the own account does, too."""
        state = await self._snapshots.take(caller)
        frames = _frames(state, caller, codec)
        self._keep((caller.account, codec.name), frames)
        me = state.me if arrival is None or state.account != arrival.account else arrival.me
        return frames, me, state.fair

    def _now(self) -> int:
        return milliseconds(self._clock.now())

    def _keep(self, key: tuple[UUID, str], frames: Frames) -> None:
        self._drop(key)
        weight = frames.size + OVERHEAD
        if weight > self._bytes_max:
            return
        self._kept[key] = frames
        self.bytes += weight
        while self.bytes > self._bytes_max:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[UUID, str]) -> None:
        frames = self._kept.pop(key, None)
        if frames is not None:
            self.bytes -= frames.size + OVERHEAD


def _frames(state: FirstState, caller: Caller, codec: Codec) -> Frames:
    parts = _parts(state, codec)
    last = len(parts)
    ends = [offer.expires_at for offer in state.offers]
    ends += [booking.ends_at for booking in state.bookings]
    ends += [place.starts_at for place in state.places]
    ends += [place.expires_at for place in state.places if place.expires_at is not None]
    return Frames(
        account=state.account,
        kind=caller.kind,
        parts=tuple(_frame(part, at, at == last, codec) for at, part in enumerate(parts, 1)),
        receivables=state.recent.receivables,
        until=min(ends, default=EVER),
    )


def _frame(part: Part, at: int, last: bool, codec: Codec) -> bytes:
    """One part. What PostgreSQL has packed is the end of its frame, and joined to it without being copied any more."""
    if not isinstance(part, tuple):
        return websocket_frame(codec.encode(Snapshot(part=at, last=last, **part)), binary=codec.binary)
    name, packed = part
    nothing: dict[str, Any] = {name: Raw(b"")}
    begun = codec.encode(Snapshot(part=at, last=last, **nothing))
    size = len(begun) + sum(map(len, packed))
    return b"".join((websocket_head(size, binary=codec.binary), begun, *packed))


def _parts(state: FirstState, codec: Codec) -> list[Part]:
    """The state in pieces of at most 64 KiB each (W5)."""
    few: dict[str, Any] = {"starred": state.starred, "offers": state.offers, "places": state.places}
    parts: list[Part] = [few] if any(few.values()) else []
    for name, packed in (("entries", state.recent.entries), ("messages", state.messages)):
        if not packed:
            continue
        if codec is MSGPACK:
            parts += ((name, piece) for piece in packed.pieces(PART_BYTES))
        else:
            parts += ({name: piece} for piece in _pieces(tuple(packed), codec))
    if state.bookings:
        parts += ({"bookings": piece} for piece in _pieces(state.bookings, codec))
    return parts


def _pieces(values: Sequence[object], codec: Codec) -> Iterator[Raw]:
    """The values encoded, in as many pieces as it takes: most states are one of each."""
    encoded = codec.encode(values)
    if len(encoded) <= PART_BYTES or len(values) == 1:
        yield Raw(encoded)
        return
    count = len(encoded) // PART_BYTES + 1
    each = -(-len(values) // count)
    for at in range(0, len(values), each):
        yield from _pieces(values[at : at + each], codec)
