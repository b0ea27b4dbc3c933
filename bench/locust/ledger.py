"""Lost, duplicate and reordered: what every device of a run had to see, kept so small that a soak can count them too.

Seqs of a conversation are gapless (W2). So a device that follows one owes nothing but the next seq: a later one leaves
a hole, an earlier one fills a hole late (reordered) or comes twice (duplicate). At the end the highest seq that anybody's
send was acknowledged under says what every device must have reached: what it lacks is *lost*. A sum over (seq, cid) shows
two devices that were told different messages under one seq (conflict). Unknown outcomes are never failures (W7).

Each generator keeps a `Ledger`; `rows()` go to the conductor, whose `judge` puts them together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

__all__ = ["Counts", "Device", "Ledger", "Rows", "Verdict", "judge"]


@dataclass(slots=True)
class Follow:
    """How far a device is in one conversation. `start` is the first seq that it had to see."""

    start: int
    expect: int
    follows: bool = True
    missing: set[int] = field(default_factory=set)
    sum: int = 0


class Counts(msgspec.Struct, kw_only=True):
    """What one generator has counted so far."""

    attempted: int = 0
    acked: int = 0
    refused: int = 0
    unknown: int = 0
    read: int = 0
    duplicate: int = 0
    reordered: int = 0
    holes: int = 0
    """Sockets that the session gave up for a position lost: recovered by resuming, and yet to be looked into."""
    untrue: int = 0
    """Messages refused for good and delivered all the same."""


class Owed(msgspec.Struct, frozen=True, array_like=True):
    """What a device has of a conversation in the end. `present`: it is connected and follows, so the newest is owed too."""

    conversation: UUID
    device: str
    start: int
    expect: int
    missing: int
    sum: int
    present: bool


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """A generator's part of the verdict."""

    counts: Counts
    acked: dict[UUID, int]
    owed: list[Owed]


class Device:
    """One device of one account: what its user was shown."""

    def __init__(self, ledger: Ledger, name: str, *, buyer: bool) -> None:
        self.name = name
        self.present = False
        self.refused: set[int] = set()
        """Counts of own messages that were refused for good."""
        self._buyer = buyer
        self._ledger = ledger
        self._follows: dict[UUID, Follow] = {}
        self._own: dict[int, int] = {}

    def read(self, conversation: UUID, seq: int, cid: UUID | None, own: int | None = None) -> bool:
        """A message was shown; `own`: it is this client's message of that count. False if it was shown before."""
        self._ledger.counts.read += 1
        follow = self._follows.get(conversation)
        if follow is None or not follow.follows:
            # A buyer's chat that no snapshot brought is new and begins with 1; a team member comes in anywhere.
            start = 1 if self._buyer and follow is None else seq
            follow = self._follows[conversation] = Follow(start, start)
        fresh = self._place(follow, seq)
        if fresh:
            follow.sum ^= hash((seq, cid.int if cid else 0))
        if own is not None:
            if own in self.refused:
                self._ledger.counts.untrue += 1
            if self._own.setdefault(own, seq) != seq:
                self._ledger.counts.duplicate += 1  # stored twice
        return fresh

    def _place(self, follow: Follow, seq: int) -> bool:
        if seq == follow.expect:
            follow.expect = seq + 1
        elif seq > follow.expect:
            follow.missing.update(range(follow.expect, seq))
            follow.expect = seq + 1
        elif seq in follow.missing:
            follow.missing.discard(seq)
            self._ledger.counts.reordered += 1
        else:
            self._ledger.counts.duplicate += 1
            return False
        return True

    def leave(self, conversation: UUID) -> None:
        """From here on this account is told nothing more of it (C9)."""
        if (follow := self._follows.get(conversation)) is not None:
            follow.follows = False

    def resync(self, last: dict[UUID, int]) -> None:
        """A whole first state: conversations are known up to these seqs, and others are met again as they come (W5)."""
        for conversation, follow in self._follows.items():
            if conversation not in last:
                follow.follows = False
        for conversation, seq in last.items():
            self._follows[conversation] = Follow(seq + 1, seq + 1)

    def owed(self) -> list[Owed]:
        """Where it stands."""
        return [
            Owed(
                conversation,
                self.name,
                follow.start,
                follow.expect,
                len(follow.missing),
                follow.sum,
                self.present and follow.follows,
            )
            for conversation, follow in self._follows.items()
            if follow.missing or follow.expect > follow.start or (self.present and follow.follows)
        ]


class Ledger:
    """What one generator's devices saw, and what was acknowledged to them."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._acked: dict[UUID, int] = {}
        self._devices: list[Device] = []

    def device(self, name: str, *, buyer: bool) -> Device:
        """A new one. Names are unique in a run."""
        self._devices.append(Device(self, name, buyer=buyer))
        return self._devices[-1]

    def acked(self, conversation: UUID, seq: int) -> None:
        """Stored: from here on everybody who follows must have it."""
        self.counts.acked += 1
        if seq > self._acked.get(conversation, 0):
            self._acked[conversation] = seq

    def rows(self) -> Rows:
        """For the conductor."""
        return Rows(
            counts=self.counts, acked=self._acked, owed=[owed for device in self._devices for owed in device.owed()]
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The counts of a whole run."""

    counts: Counts
    lost: int
    conflicts: int
    devices: int
    where: tuple[str, ...]
    """The first devices that lack something."""

    @property
    def clean(self) -> bool:
        """Whether nothing at all is wrong."""
        counts = self.counts
        return not (self.lost or self.conflicts or counts.duplicate or counts.reordered or counts.untrue)


def judge(parts: Iterable[Rows]) -> Verdict:
    """Put the parts of all generators together."""
    counts = Counts()
    acked: dict[UUID, int] = {}
    owed: list[Owed] = []
    for rows in parts:
        for name in Counts.__struct_fields__:
            setattr(counts, name, getattr(counts, name) + getattr(rows.counts, name))
        for conversation, seq in rows.acked.items():
            acked[conversation] = max(seq, acked.get(conversation, 0))
        owed += rows.owed
    lost, where = 0, []
    sums: dict[tuple[UUID, int, int], set[int]] = defaultdict(set)
    for one in owed:
        tail = max(0, acked.get(one.conversation, 0) + 1 - max(one.expect, one.start)) if one.present else 0
        if one.missing + tail:
            lost += one.missing + tail
            where.append(
                f"{one.device} in {one.conversation}: {one.missing} within {one.start}…{one.expect - 1}, {tail} after"
            )
        else:
            sums[one.conversation, one.start, one.expect].add(one.sum)
    conflicts = sum(len(found) - 1 for found in sums.values())
    return Verdict(counts, lost, conflicts, len({one.device for one in owed}), tuple(where[:10]))
