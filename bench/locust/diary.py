"""Lost and double bookings: what was acknowledged, what every device was told, and what the lists say in the end (M2, M4–M6, W5).

While a run goes on, a generator only notes: bookings and changes that were acknowledged, and per device the newest event of each
booking. In the quiet at its end people read their lists. `judge_bookings` puts all of it together at the conductor: *lost* is what was
acknowledged and is not in a list that must have it, and what a device was told, or was not, that the lists contradict; *overlap* is
anybody in two meetings at once, and a live booking above a slot's capacity. Unknown outcomes are never failures (W7).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

import msgspec

from bench.locust.ledger import Device
from fairwire_protocol.models import Booking, BookingState

__all__ = ["BookingCounts", "BookingVerdict", "Diary", "DiaryRows", "Page", "Standing", "judge_bookings"]

Sees = Literal["all", "own"]
LIVE: Final = frozenset({"pending", "assigned"})
SHOWN: Final = 10


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """A booking as somebody was told of it, as far as a run holds the server to it."""

    id: UUID
    slot: UUID
    exhibitor: UUID
    buyer: UUID
    state: BookingState
    receiver: UUID | None
    starts_at: int
    ends_at: int
    changed_at: int

    @classmethod
    def of(cls, booking: Booking) -> Standing:
        """From an event, a list or a reply."""
        receiver = None if booking.receiver is None else booking.receiver.id
        return cls(
            booking.id, booking.slot, booking.exhibitor.id, booking.buyer.id, booking.state, receiver, booking.starts_at,
            booking.ends_at, booking.changed_at,
        )  # fmt: skip

    @property
    def live(self) -> bool:
        """Whether it takes a seat."""
        return self.state in LIVE

    def agrees(self, other: Standing) -> bool:
        """Whether both say the same of it: state, receiving account and time."""
        mine = (self.slot, self.state, self.receiver, self.starts_at, self.ends_at)
        return mine == (other.slot, other.state, other.receiver, other.starts_at, other.ends_at)


class BookingCounts(msgspec.Struct, kw_only=True):
    """What one generator has counted so far. `changed`: assigned, rejected, cancelled, moved, and acknowledged."""

    attempted: int = 0
    acked: int = 0
    refused: int = 0
    unknown: int = 0
    changed: int = 0
    told: int = 0
    reminded: int = 0
    """T−15 in the app."""
    twice: int = 0
    """T−15 of one booking in the app of one device a second time."""


class Acked(msgspec.Struct, array_like=True):
    """Acknowledged under this id. `changed_at` is that of the newest acknowledged change, 0 if there was none."""

    id: UUID
    buyer: UUID
    exhibitor: UUID
    changed_at: int = 0


class Listed(msgspec.Struct, frozen=True, array_like=True):
    """A list as it was read in the end, to its last page. `owner` is the buyer, or the exhibitor whose every booking it has."""

    owner: UUID
    at: int
    capacity: int | None
    bookings: list[Standing]


class Shown(msgspec.Struct, frozen=True, array_like=True):
    """What a device that is connected in the end was told."""

    device: str
    account: UUID
    exhibitor: UUID | None
    sees: Sees
    known: list[Standing]


class DiaryRows(msgspec.Struct, frozen=True, kw_only=True):
    """A generator's part of the verdict."""

    counts: BookingCounts
    acked: list[Acked]
    listed: list[Listed]
    shown: list[Shown]


class Page:
    """What one device was told of bookings: the newest of each."""

    def __init__(self, diary: Diary, device: Device, account: UUID, exhibitor: UUID | None, sees: Sees) -> None:
        self.known: dict[UUID, Standing] = {}
        self._device = device
        self._account = account
        self._exhibitor = exhibitor
        self._sees: Sees = sees
        self._reminded: set[tuple[UUID, int]] = set()
        self._diary = diary

    @property
    def present(self) -> bool:
        """Whether the device is connected."""
        return self._device.present

    def told(self, booking: Booking) -> bool:
        """An event; whether it is news to this device, and not what it has been told already."""
        self._diary.counts.told += 1
        standing = Standing.of(booking)
        known = self.known.get(standing.id)
        self.known[standing.id] = standing
        return known is None or not known.agrees(standing)

    def resync(self, bookings: Iterable[Booking]) -> None:
        """A whole first state: what has ended is not in it (W5)."""
        self.known = {booking.id: Standing.of(booking) for booking in bookings}

    def reminded(self, booking: UUID, due: int) -> bool:
        """T−15 has reached the app; twice is once too often (N4). False for a meeting changed since `due`: told at once (N3), not late."""
        counts = self._diary.counts
        counts.reminded += 1
        known = self.known.get(booking)
        changed_at = (
            0 if known is None else known.changed_at
        )  # moved, or given back to this account: reminded anew (N4)
        counts.twice += (booking, changed_at) in self._reminded
        self._reminded.add((booking, changed_at))
        return changed_at <= due

    def live(self) -> list[Standing]:
        """Bookings that take a seat, as far as this device knows."""
        return [standing for standing in self.known.values() if standing.live]

    def shown(self) -> Shown:
        """Where it stands."""
        return Shown(self._device.name, self._account, self._exhibitor, self._sees, list(self.known.values()))


class Diary:
    """One generator's."""

    def __init__(self) -> None:
        self.counts = BookingCounts()
        self._acked: dict[UUID, Acked] = {}
        self._listed: dict[UUID, Listed] = {}
        self._pages: list[Page] = []
        self._taken: set[UUID] = set()

    def page(self, device: Device, account: UUID, exhibitor: UUID | None, sees: Sees) -> Page:
        """A new device's."""
        self._pages.append(Page(self, device, account, exhibitor, sees))
        return self._pages[-1]

    def acked(self, booking: UUID, buyer: UUID, exhibitor: UUID) -> None:
        """A request was accepted: from here on it is in the lists of both sides."""
        self.counts.acked += 1
        self._acked.setdefault(booking, Acked(booking, buyer, exhibitor))

    def changed(self, booking: Booking) -> None:
        """A change was accepted: no list may be older."""
        self.counts.changed += 1
        acked = self._acked.setdefault(booking.id, Acked(booking.id, booking.buyer.id, booking.exhibitor.id))
        acked.changed_at = max(acked.changed_at, booking.changed_at)

    def takes(self, owner: UUID) -> bool:
        """Whether nobody of this generator reads this list yet; from here on somebody does."""
        if owner in self._taken:
            return False
        self._taken.add(owner)
        return True

    def listed(self, owner: UUID, bookings: Iterable[Booking], at: int, capacity: int | None = None) -> None:
        """A list was read to its end."""
        self._listed[owner] = Listed(owner, at, capacity, [Standing.of(booking) for booking in bookings])

    def rows(self) -> DiaryRows:
        """For the conductor."""
        return DiaryRows(
            counts=self.counts,
            acked=list(self._acked.values()),
            listed=list(self._listed.values()),
            shown=[page.shown() for page in self._pages if page.present],
        )


@dataclass(frozen=True, slots=True)
class BookingVerdict:
    """The counts of a whole run."""

    counts: BookingCounts
    lost: int
    overlaps: int
    listed: int
    """Bookings that the lists had in the end."""
    unseen: int
    """Acknowledged ones of which neither side's list was read: who could see them was away."""
    where: tuple[str, ...]
    """The first that are wrong, in words."""

    @property
    def clean(self) -> bool:
        """Whether nothing at all is wrong."""
        return not (self.lost or self.overlaps or self.counts.twice)


def judge_bookings(parts: Iterable[DiaryRows]) -> BookingVerdict:
    """Put the parts of all generators together."""
    rows = list(parts)
    counts = BookingCounts()
    for part in rows:
        for name in BookingCounts.__struct_fields__:
            setattr(counts, name, getattr(counts, name) + getattr(part.counts, name))
    final = _Final(listed for part in rows for listed in part.listed)
    lost = [
        *(why for part in rows for acked in part.acked for why in final.lacks(acked)),
        *(why for part in rows for shown in part.shown for why in final.contradicts(shown)),
    ]
    overlaps = [*final.meetings_at_once(), *final.above_capacity()]
    return BookingVerdict(
        counts,
        lost=len(lost),
        overlaps=len(overlaps),
        listed=len(final.bookings),
        unseen=sum(not final.reads(acked) for part in rows for acked in part.acked),
        where=(*lost[:SHOWN], *overlaps[:SHOWN]),
    )


class _Final:
    """All lists together. Of a booking that is in several the newest counts."""

    def __init__(self, lists: Iterable[Listed]) -> None:
        self.bookings: dict[UUID, Standing] = {}
        self._read: dict[UUID, set[UUID]] = {}
        self._capacity: dict[UUID, int] = {}
        self._at = 0
        for one in lists:
            self._read[one.owner] = {standing.id for standing in one.bookings}
            self._at = max(self._at, one.at)
            if one.capacity is not None:
                self._capacity[one.owner] = one.capacity
            for standing in one.bookings:
                known = self.bookings.get(standing.id)
                if known is None or standing.changed_at > known.changed_at:
                    self.bookings[standing.id] = standing

    def reads(self, acked: Acked) -> bool:
        """Whether a list was read that must have it."""
        return acked.buyer in self._read or acked.exhibitor in self._read

    def lacks(self, acked: Acked) -> Iterable[str]:
        """An acknowledged booking that a list does not have, or has as it was before an acknowledged change."""
        for owner, side in ((acked.buyer, "buyer"), (acked.exhibitor, "exhibitor")):
            if owner in self._read and acked.id not in self._read[owner]:
                yield f"booking {acked.id} was acknowledged and is not in the {side}'s list"
        found = self.bookings.get(acked.id)
        if found is not None and found.changed_at < acked.changed_at:
            yield f"booking {acked.id} is as it was before an acknowledged change"

    def contradicts(self, shown: Shown) -> Iterable[str]:
        """What a device was told last and is not so, and what it was never told."""
        known = {standing.id: standing for standing in shown.known}
        for standing in shown.known:
            found = self.bookings.get(standing.id)
            if found is None:
                if standing.live and (standing.buyer in self._read or standing.exhibitor in self._read):
                    yield f"{shown.device} was told of booking {standing.id}, which is in no list"
            elif not found.agrees(standing):
                yield f"{shown.device} takes booking {standing.id} to be {standing.state}, and it is {found.state}"
        for found in self._concerning(shown):
            if found.live and found.ends_at > self._at and found.id not in known:
                yield f"{shown.device} was never told of booking {found.id}, which is {found.state}"

    def _concerning(self, shown: Shown) -> Iterable[Standing]:
        """A7: the buyer's own, all of the exhibitor's, or those that the account receives."""
        for found in self.bookings.values():
            if (
                shown.account in {found.buyer, found.receiver}
                or (shown.sees == "all" and shown.exhibitor == found.exhibitor)
            ):  # fmt: skip
                yield found

    def meetings_at_once(self) -> Iterable[str]:
        """M4: nobody is in two meetings at once."""
        times: dict[UUID, list[Standing]] = defaultdict(list)
        for found in self.bookings.values():
            if found.live:
                times[found.buyer].append(found)
            if found.state == "assigned" and found.receiver is not None:
                times[found.receiver].append(found)
        for account, meetings in times.items():
            yield from (f"account {account}: {words}" for words in _at_once(meetings))

    def above_capacity(self) -> Iterable[str]:
        """M2: one for each live booking too many."""
        live: Mapping[UUID, list[Standing]] = defaultdict(list)
        for found in self.bookings.values():
            if found.live:
                live[found.slot].append(found)
        for slot, bookings in live.items():
            most = self._capacity.get(bookings[0].exhibitor, len(bookings))
            yield from (f"slot {slot}: {len(bookings)} live bookings, capacity {most}" for _ in bookings[most:])


def _at_once(meetings: Sequence[Standing]) -> Iterable[str]:
    until = 0
    for meeting in sorted(meetings, key=lambda one: (one.starts_at, one.ends_at)):
        if meeting.starts_at < until:
            yield f"booking {meeting.id} begins while another meeting lasts"
        until = max(until, meeting.ends_at)
