"""A fair lived through in virtual time, and what its notices ought to have been, reckoned from its bookings alone (N1–N4).

`Month` does what people do, by the node's own operations, and keeps when each booking was whose and at what time. `accounts` then says
which reminders that demands and compares them with what has left and with what the database says of every notice.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.harness.clock import ManualClock
from tests.harness.node import Running
from tests.harness.until import until
from tests.meetings.agenda import Agenda
from tests.meetings.lounge import Lounge
from tests.notices.draining import Counting

__all__ = ["LATE", "LeapingClock", "Meeting", "Month"]

MINUTE: Final = timedelta(minutes=1)
HALF: Final = timedelta(minutes=30)
DAY: Final = timedelta(days=1)
AHEAD: Final = {"reminder_day": DAY, "reminder_soon": 15 * MINUTE}
ACTS: Final = (
    *(
        "request",
        "request",
        "request",
        "request",
        "assign",
        "assign",
        "assign",
        "assign",
        "move",
        "move",
        "prefer",
        "prefer",
    ),
    *("reassign", "cancel", "reject", "attend", "knock"),
)
LATE: Final = timedelta(seconds=30)
TEAMS: Final = {"acme": ("main", ("sales", "sales2", "manager")), "rival": ("rival", ("rival_sales", "rival"))}
ZONES: Final = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "Asia/Shanghai")


class LeapingClock(ManualClock):
    """Its wall clock can be set, as daemons and people do, while time passes as ever."""

    def leap(self, by: timedelta) -> None:
        """From one instant to the next it shows another time."""
        self._start += by


@dataclass(frozen=True, slots=True)
class Version:
    """How a booking stood for a while: until when is known afterwards."""

    since: datetime
    starts_at: datetime
    receiver: str | None
    revision: int
    assignment: int


@dataclass(slots=True)
class Meeting:
    """One booking's life."""

    id: UUID
    exhibitor: str
    buyer: str
    starts_at: datetime
    receiver: str | None = None
    revision: int = 0
    assignment: int = 0
    over: datetime | None = None
    """When it was rejected or cancelled."""
    versions: list[Version] = field(default_factory=list)

    def keep(self, now: datetime) -> None:
        """It stands as it is from now on."""
        self.versions.append(Version(now, self.starts_at, self.receiver, self.revision, self.assignment))


@dataclass(frozen=True, slots=True)
class Demand:
    """A reminder that must come: between `due` and `latest`, unless it was put off by quiet hours until it was of no use."""

    due: datetime
    latest: datetime
    may_fail: bool


Key = tuple[UUID, str, UUID, int, int]
"""Booking, kind, recipient, time_revision, assignment: 0 for the buyer (N4)."""


class Month:
    """Names are those of `tests.harness.fairground`."""

    def __init__(self, running: Running, clock: LeapingClock, channels: list[Counting], rng: random.Random) -> None:
        self.agenda = Agenda(running)
        self._lounge = Lounge(running)
        self.running = running
        self.clock = clock
        self.channels = channels
        self.rng = rng
        self.meetings: list[Meeting] = []
        self.done: Counter[str] = Counter()
        self._slots: dict[tuple[str, datetime], UUID] = {}
        self._quiet: dict[UUID, list[tuple[datetime, time, time]]] = {}
        self._zones: dict[UUID, ZoneInfo] = {}
        self._resting = 0

    async def begin(self, buyers: int) -> None:
        """People of many zones; one exhibitor is told by SMS, the other by mail."""
        self.buyers = ["buyer", "buyer2", *await self.agenda.crowd(buyers)]
        async with self.running.node.works.begin() as work:
            execute = work.connection.execute
            await execute("UPDATE fair SET time_zone = 'Europe/Berlin'")
            await execute("UPDATE exhibitor SET domicile = 'overseas' WHERE external_id = 'rival'")
            for name in (*self.buyers, *TEAMS["acme"][1], *TEAMS["rival"][1]):
                zone = self.rng.choice(ZONES)
                self._zones[self.running.ground[name].id] = ZoneInfo(zone)
                await execute(
                    "UPDATE account SET time_zone = $2, mobile = '+8613' || lpad(floor(random() * 1e9)::bigint::text, 9, '0'),"
                    " mobile_verified_at = created_at WHERE id = $1",
                    self.running.ground[name].id, zone,
                )  # fmt: skip
        for _ in range(buyers):
            await self.prefer()
        await until(self._asleep_for_good)

    # time

    async def go(self, to: datetime) -> None:
        """Instant by instant at which something falls due."""
        await self.rest()
        while (now := self.clock.now()) < to:
            row = await self._row(
                "SELECT min(due_at) FILTER (WHERE due_at > $1) AS due, bool_or(due_at <= $1 AND useless_at > $1) AS put_off"
                " FROM notice WHERE state = 'planned'",
                now,
            )
            due = min(row["due"] or to, to, now + MINUTE / 60 if row["put_off"] else to)
            self.clock.advance((due - now).total_seconds())
            await self.rest()

    async def leap(self) -> None:
        """At an hour of no reminder the machine's clock is set 5 minutes forward, or 90 seconds back."""
        hour = self.clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        forward = self.rng.random() < 0.5
        await self.go(hour + MINUTE * (50 if forward else 20))
        self.clock.leap(5 * MINUTE if forward else -1.5 * MINUTE)
        await self.rest()

    async def rest(self) -> None:
        """Until nothing more happens before time moves on."""
        lanes = self.running.node.services.lanes
        lanes.hint()
        for _ in range(20):
            await asyncio.sleep(0)
        await until(lambda: self.clock.sleeping >= self._resting and not lanes.under_way, 60)

    async def _asleep_for_good(self) -> bool:
        before = self.clock.sleeping
        row = await self._row("SELECT pg_sleep(0.05), $1::timestamptz AS now", self.clock.now())
        self._resting = self.clock.sleeping
        return row is not None and before == self._resting > 0

    # what people do

    async def something(self) -> None:
        """One act of somebody, chosen so that most of them mean something."""
        act = self.rng.choice(ACTS)
        self.done[act] += await getattr(self, act)()
        await self.rest()

    async def request(self) -> bool:
        """A buyer books a half hour of the next days."""
        exhibitor, buyer = self.rng.choice(sorted(TEAMS)), self.rng.choice(self.buyers)
        at = self._some_time()
        if not self._is_free(buyer, at):
            return False
        slot = await self._slot(exhibitor, at)
        booking = (await self.agenda.book(buyer, slot)).booking
        made = Meeting(booking, exhibitor, buyer, at)
        made.keep(self.clock.now())
        self.meetings.append(made)
        return True

    async def assign(self) -> bool:
        """A pending one gets a receiver."""
        return await self._assign([one for one in self._ahead() if one.receiver is None])

    async def reassign(self) -> bool:
        """An assigned one gets another."""
        return await self._assign([one for one in self._ahead() if one.receiver is not None])

    async def _assign(self, meetings: list[Meeting]) -> bool:
        if not meetings:
            return False
        one = self.rng.choice(meetings)
        main, team = TEAMS[one.exhibitor]
        free = [name for name in team if name != one.receiver and self._is_free(name, one.starts_at)]
        if not free:
            return False
        receiver = self.rng.choice(free)
        await self.agenda.call(
            main, "bookings.assign", booking=one.id, receiver=self.running.ground[receiver].id, confirm_unreachable=True
        )
        one.receiver = receiver
        one.assignment += 1
        one.keep(self.clock.now())
        return True

    async def move(self) -> bool:
        """The buyer proposes another time, and the receiver says yes (M7)."""
        at = self._some_time()
        meetings = [one for one in self._ahead() if one.receiver is not None]
        meetings = [one for one in meetings if self._is_free(one.buyer, at) and self._is_free(one.receiver or "", at)]
        if not meetings:
            return False
        one = self.rng.choice(meetings)
        assert one.receiver is not None
        slot = await self._slot(one.exhibitor, at)
        asked = (await self.agenda.call(one.buyer, "bookings.propose", booking=one.id, slot=slot)).booking
        answer = {"proposal": asked.proposal.id, "accept": self.rng.random() < 0.8}
        await self.agenda.call(one.receiver, "bookings.answer_proposal", **answer)
        if answer["accept"]:
            one.starts_at = at
            one.revision += 1
            one.keep(self.clock.now())
        return True

    async def cancel(self) -> bool:
        """By the buyer."""
        return await self._end([one for one in self._ahead() if one.receiver is not None], "bookings.cancel")

    async def reject(self) -> bool:
        """By the exhibitor."""
        return await self._end([one for one in self._ahead() if one.receiver is None], "bookings.reject")

    async def _end(self, meetings: list[Meeting], operation: str) -> bool:
        if not meetings:
            return False
        one = self.rng.choice(meetings)
        who = one.buyer if operation == "bookings.cancel" else TEAMS[one.exhibitor][0]
        await self.agenda.call(who, operation, booking=one.id, reason="ill")
        one.over = self.clock.now()
        return True

    async def prefer(self) -> bool:
        """Quiet hours come and go, reminders go by mail too or not at all (N9)."""
        who = self.rng.choice([*self.buyers, *TEAMS["acme"][1], *TEAMS["rival"][1]])
        quiet = self.rng.choice([("00:00", "00:00"), ("22:00", "08:00"), ("18:30", "09:00"), ("08:00", "17:30")])
        channels = self.rng.choice([{}, {"reminder_day": ["email"]}])
        begins, ends = quiet
        hours: dict[str, Any] = {} if begins == ends else {"quiet_from": begins, "quiet_to": ends}  # none are left out
        await self.agenda.call(who, "notices.set_preferences", channels=channels, **hours)
        kept = self._quiet.setdefault(self.running.ground[who].id, [])
        kept.append((self.clock.now(), time.fromisoformat(begins), time.fromisoformat(ends)))
        return True

    async def attend(self) -> bool:
        """One tap, before it is asked for (M11)."""
        now = self.clock.now()
        over = [one for one in self._live() if one.receiver and one.starts_at + HALF <= now < one.starts_at + DAY]
        if not over:
            return False
        one = self.rng.choice(over)
        await self.agenda.call(
            one.buyer,
            "meetings.attendance",
            booking=one.id,
            side="buyer",
            attendance=self.rng.choice(["attended", "no_show"]),
        )
        return True

    async def knock(self) -> bool:
        """Somebody comes by a link, and is admitted or not (M9)."""
        now = self.clock.now()
        near = [one for one in self._ahead() if one.receiver and one.starts_at < now + DAY]
        if not near:
            return False
        one = self.rng.choice(near)
        assert one.receiver is not None
        path = await self._lounge.link(one.id, one.receiver)
        async with self._lounge.browsers() as browser:
            page = await browser().post(path, name="Ana")
        assert page.state == "waiting", page.words
        if self.rng.random() < 0.5:
            await self._lounge.admit(one.id, one.receiver)
        return True

    def _some_time(self) -> datetime:
        now = self.clock.now()
        hours = self.rng.choice([3, 36, 48, 60, 90]) * self.rng.uniform(0.6, 1.0)
        at = now + timedelta(hours=hours)
        return at.replace(minute=30 * (at.minute // 30), second=0, microsecond=0) + HALF

    def _live(self) -> list[Meeting]:
        return [one for one in self.meetings if one.over is None]

    def _ahead(self) -> list[Meeting]:
        return [one for one in self._live() if one.starts_at > self.clock.now() + MINUTE]

    def _is_free(self, who: str, at: datetime) -> bool:
        return all(who not in (one.buyer, one.receiver) or one.starts_at != at for one in self._live())

    async def _slot(self, exhibitor: str, at: datetime) -> UUID:
        if (exhibitor, at) not in self._slots:
            starts_at = int(at.timestamp() * 1000)
            reply = await self.agenda.call(TEAMS[exhibitor][0], "slots.create", starts_at=starts_at, minutes=30)
            self._slots[exhibitor, at] = reply.slot.id
        return self._slots[exhibitor, at]

    # the account at the end

    async def faults(self) -> list[object]:
        """What is wrong. Everything must have ended, every reminder that is demanded come in its time, and no other; each parcel have left
        once."""
        async with self.running.node.works.read() as work:
            notices = {row["id"]: row for row in await work.connection.fetch("SELECT * FROM notice")}
        open_ = [
            row["kind"] for row in notices.values() if row["state"] not in ("sent", "failed", "skipped", "unknown")
        ]
        left = {one.parcel.reference: one.at for channel in self.channels for one in channel.left}
        outside = {id_ for id_, row in notices.items() if row["channel"] != "in_app" and row["state"] == "sent"}
        twice = sum(len(channel.left) for channel in self.channels) - len(left)
        found: list[object] = [("open", kind) for kind in open_]
        found += [("left, or told to have left", notices[one]["kind"]) for one in left.keys() ^ outside]
        found += [("left twice", twice)] if twice else []
        demands = self.demands()
        for outward in (False, True):
            came: dict[Key, list[datetime]] = {}
            for id_, row in notices.items():
                if row["kind"] in AHEAD and row["state"] == "sent" and (row["channel"] != "in_app") == outward:
                    key = row["subject_id"], row["kind"], row["recipient_id"], row["time_revision"], row["assignment"]
                    came.setdefault(key, []).append(left[id_] if outward else row["ended_at"])
            found += [("missing", key) for key, one in demands.items() if key not in came and not one.may_fail]
            found += [("unexpected", key) for key in came if key not in demands]
            found += [
                ("at the wrong time", key[1], at - demands[key].due)
                for key, times in came.items()
                for at in times
                if key in demands and not demands[key].due <= at <= demands[key].latest
            ]
            found += [("woken", key) for key, times in came.items() if any(self._wanted_quiet(key, at) for at in times)]
        return found

    def demands(self) -> dict[Key, Demand]:
        """Every reminder that the bookings' lives demand."""
        found: dict[Key, Demand] = {}
        for one in self.meetings:
            for name, assignment, since, over, version in _stretches(one):
                who = self.running.ground[name].id
                for kind, ahead in AHEAD.items():
                    due = version.starts_at - ahead
                    begins = max(due, since)
                    late = since >= due and kind == "reminder_day"  # N3: recorded, and not sent
                    if late or begins >= min(over, version.starts_at):
                        continue
                    latest = begins
                    while kind == "reminder_day" and (awake := self._awake(who, latest)) != latest:
                        if awake >= version.starts_at:
                            break
                        latest = awake  # where other hours may have become quiet meanwhile
                    found[one.id, kind, who, version.revision, assignment] = Demand(
                        due, latest + LATE, latest != begins and over < latest + LATE
                    )
        return found

    def _wanted_quiet(self, key: Key, at: datetime) -> bool:
        """Whether it came in quiet hours that end while it was still of use (N9)."""
        booking, kind, who, *_ = key
        starts_at = next(one.starts_at for one in self.meetings if one.id == booking)
        return kind == "reminder_day" and at < self._awake(who, at) < starts_at

    def _awake(self, who: UUID, at: datetime) -> datetime:
        """When the quiet hours end that it has chosen by then and that it is in; found by trying every minute."""
        chosen = [(begins, ends) for since, begins, ends in self._quiet.get(who, ()) if since <= at]
        while chosen and _is_quiet(at.astimezone(self._zones[who]).time(), *chosen[-1]):
            at += MINUTE
        return at

    async def _row(self, sql: str, *args: object) -> Any:
        async with self.running.node.works.read() as work:
            return await work.connection.fetchrow(sql, *args)


def _is_quiet(at: time, begins: time, ends: time) -> bool:
    return begins <= at < ends if begins <= ends else at >= begins or at < ends


def _stretches(one: Meeting) -> Iterator[tuple[str, int, datetime, datetime, Version]]:
    """Who was to be reminded, under which assignment, from when and until when: the receiver by assignment and time, the buyer by time."""
    ends = [version.since for version in one.versions[1:]] + [one.over or datetime.max.replace(tzinfo=UTC)]
    for version, end in zip(one.versions, ends, strict=True):
        if version.receiver is not None:
            yield version.receiver, version.assignment, version.since, end, version
    for _, group in groupby(zip(one.versions, ends, strict=True), lambda pair: pair[0].revision):
        held = [(version, end) for version, end in group if version.receiver is not None]
        if held:
            yield one.buyer, 0, held[0][0].since, held[-1][1], held[0][0]
