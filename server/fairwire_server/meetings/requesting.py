"""Requesting a meeting: a use case over a list, because at the opening everybody books at once (M2, M4, W7).

What arrives while a batch is decided is the next one (`chat/flights.py`). A batch locks its slots, then its buyers, reads in a few
statements what it is decided on, decides request by request, and writes those that are granted. The exclusion constraint has the last
word; a batch that it refuses is decided again one by one.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from fairwire_protocol.errors import FairwireError, Refused
from fairwire_protocol.operations import slots as operations
from fairwire_server.accounts.commands import fingerprint
from fairwire_server.accounts.rules import DEFAULT, Caller, Table
from fairwire_server.chat.flights import Batches, Flight, Pace, fail, succeed
from fairwire_server.chat.keywords import KeywordList
from fairwire_server.chat.pairing import Pair, Paired
from fairwire_server.chat.rules import check_may_open
from fairwire_server.clock import milliseconds
from fairwire_server.context import Context
from fairwire_server.database.errors import ConstraintViolated
from fairwire_server.database.ids import as_id, uuid7
from fairwire_server.database.work import Work, Works
from fairwire_server.meetings.making import Making
from fairwire_server.meetings.members import Teams
from fairwire_server.meetings.request_rules import Calendar, Stand, check_bookable, topic_of
from fairwire_server.meetings.request_store import (
    CallerFact,
    ExhibitFact,
    ItemFact,
    NewBooking,
    RequestStore,
    WantedSlot,
)
from fairwire_server.meetings.slot_rules import capacity_of
from fairwire_server.meetings.slot_store import SlotFact
from fairwire_server.meetings.waiting_store import WaitingStore

__all__ = ["Requesting", "topic_for"]

PACE: Final = Pace(few=16, apart_s=0.01)
"""Quicker than for messages: in a race for seats each answer is what somebody waits for to ask again."""
MEANT: Final = {"booking_buyer_free": "buyer_busy", "booking_cid_unique": "cid_reused"}
"""What the constraints say to a client, where they know better."""


def topic_for(text: str, keywords: KeywordList) -> str:
    """The topic as it is kept; refuses a word that the fair refuses (C18, M4)."""
    topic = topic_of(text)
    if topic and keywords.check(topic).action == "refuse":
        raise Refused("refused_keyword", field="topic")
    return topic


@dataclass(slots=True, eq=False)
class _Item:
    """A request on its way."""

    caller: Caller
    context: Context
    cid: UUID
    slot: UUID
    topic: str
    exhibit: UUID | None
    fingerprint: bytes
    outcome: asyncio.Future[operations.Requested]

    @property
    def key(self) -> tuple[UUID, UUID]:
        return (self.caller.account, self.cid)


class Requesting:
    """Handler of `bookings.request`; `run` must be running, once per process."""

    def __init__(
        self,
        works: Works,
        store: RequestStore,
        places: WaitingStore,
        making: Making,
        keywords: Callable[[UUID], KeywordList],
    ) -> None:
        self._works = works
        self._store = store
        self._places = places
        self._making = making
        self._keywords = keywords
        self._batches = Batches(self._commit, _rows_of, _meant, PACE)

    async def request(
        self, caller: Caller, context: Context, request: operations.RequestBooking
    ) -> operations.Requested:
        """Store a booking, or raise why not. Cancelling the caller does not take it back."""
        return await self.ask(caller, context, request)

    def ask(
        self, caller: Caller, context: Context, request: operations.RequestBooking
    ) -> asyncio.Future[operations.Requested]:
        """As `request`, for who waits otherwise."""
        if context.cid is None:
            raise Refused("cid_required")
        return self._batches.ask(self._item(caller, context, context.cid, request))

    def _item(self, caller: Caller, context: Context, cid: UUID, request: operations.RequestBooking) -> _Item:
        return _Item(
            caller,
            context,
            as_id(cid),
            as_id(request.slot),
            topic_for(request.topic, self._keywords(caller.fair)),
            request.exhibit,
            fingerprint(operations.REQUEST.name, request),
            asyncio.get_running_loop().create_future(),
        )

    async def run(self) -> None:
        """Send batches off until cancelled."""
        await self._batches.run()

    async def _commit(self, batch: Sequence[_Item], flight: Flight[_Item]) -> None:
        async with self._works.begin() as work:
            ground = await self._ground(work, batch)
            decided = _Decisions(work, ground)
            for item in batch:
                decided.take(item)
            work.on_commit(decided.settle)
            if decided.granted:
                closed = await self._places.close_of_buyers(work, decided.seated) if decided.seated else []
                granted = [new for _, new in decided.granted]
                conversations = await self._making.make(work, granted, ground.paired, closed, teams=ground.teams)
                decided.made(conversations)
            self._batches.decided(flight)

    async def _ground(self, work: Work, batch: Sequence[_Item]) -> _Ground:
        """Slots first, then buyers: from here on nobody else takes a seat or an hour of theirs (M4)."""
        keys = [(item.caller.session, item.caller.account, item.cid, item.slot) for item in batch]
        facts = await self._store.facts(work.connection, keys, work.now)
        slots = {slot.id: slot for slot in facts.slots}
        tables = {
            slot.exhibitor: item.caller.table
            for item in batch
            if (slot := slots.get(item.slot)) and slot.fair == item.caller.fair
        }
        active: dict[UUID, Counter[str]] = {
            exhibitor: Counter(member.kind for member in team if member.active)
            for exhibitor, team in facts.teams.items()
        }
        stands = {slot.id: _stand(slot, active[slot.exhibitor], tables) for slot in facts.slots}
        paired: dict[Pair, Paired] = {}
        for item, fact in zip(batch, facts.items, strict=True):
            if fact.offered is not None and item.slot in stands:
                (stands[item.slot].offered_to if fact.offered else stands[item.slot].waits).add(item.caller.account)
            if fact.conversation is not None:
                pair = (item.caller.account, slots[item.slot].exhibitor)
                paired[pair] = Paired(fact.conversation, fact.blocked)
        return _Ground(
            slots=slots,
            stands=stands,
            callers=facts.callers,
            facts=dict(zip(batch, facts.items, strict=True)),
            paired=paired,
            exhibits=await self._store.exhibits(work.connection, {item.exhibit for item in batch if item.exhibit}),
            teams=facts.teams,
        )


def _stand(slot: WantedSlot, active: Mapping[str, int], tables: Mapping[UUID, Table]) -> Stand:
    """M2: as many as the exhibitor has active accounts, by what the fair says of their kinds (A7)."""
    capacity = capacity_of(active, tables.get(slot.exhibitor, DEFAULT), receivers_only=slot.receivers_only)
    return Stand(capacity, slot.seats())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What a batch is decided on."""

    slots: Mapping[UUID, SlotFact]
    stands: Mapping[UUID, Stand]
    callers: Mapping[UUID, CallerFact]
    facts: Mapping[_Item, ItemFact]
    paired: Mapping[Pair, Paired]
    exhibits: Mapping[UUID, ExhibitFact]
    teams: Teams


class _Decisions:
    """One batch being decided, in the order in which its requests came."""

    def __init__(self, work: Work, ground: _Ground) -> None:
        self.granted: list[tuple[_Item, NewBooking]] = []
        self.seated: list[tuple[UUID, UUID]] = []
        """(slot, buyer) of those granted who stood in the slot's line."""
        self._now = work.now
        self._ground = ground
        self._taken = Calendar()  # by this batch; what was there before is in the facts
        self._results: list[tuple[_Item, operations.Requested | FairwireError]] = []
        self._own: dict[tuple[UUID, UUID], _Item] = {}
        self._twins: dict[tuple[UUID, UUID], list[_Item]] = defaultdict(list)

    def take(self, item: _Item) -> None:
        """Decide one request."""
        try:
            self._take(item)
        except FairwireError as error:
            self._results.append((item, error.with_traceback(None)))  # its frames know these results: a ring

    def _take(self, item: _Item) -> None:
        if (first := self._own.get(item.key)) is not None:
            if first.fingerprint != item.fingerprint:
                raise Refused("cid_reused")
            self._twins[item.key].append(item)
            return
        fact = self._ground.facts[item]
        caller = _as_now(item.caller, self._ground.callers.get(item.caller.session))
        if self._is_repeated(item, fact):
            return
        slot, exhibit = self._wanted(item, caller)
        stand = self._ground.stands[slot.id]
        if fact.busy or self._taken.is_busy(caller.account, slot.starts_at, slot.ends_at):
            raise Refused("buyer_busy")
        if not stand.has_seat_for(caller.account):
            raise Refused("slot_full")
        if caller.account in stand.offered_to or caller.account in stand.waits:
            self.seated.append((slot.id, caller.account))
        stand.take(caller.account)
        self._taken.add(caller.account, slot.starts_at, slot.ends_at)
        self._own[item.key] = item
        new = NewBooking(
            id=uuid7(),
            buyer=caller,
            slot=slot,
            topic=item.topic,
            card=None if exhibit is None else msgspec.json.encode(exhibit.card),
            exhibit_owner=None if exhibit is None else exhibit.owner,
            cid=item.cid,
            fingerprint=item.fingerprint,
        )
        self.granted.append((item, new))

    def _is_repeated(self, item: _Item, fact: ItemFact) -> bool:
        """W7: the same cid and content answers as the first time; other content, or another command, is an error."""
        if fact.earlier is None or fact.earlier_conversation is None or fact.requested_at is None:
            if fact.cid_taken:
                raise Refused("cid_reused")
            return False
        if fact.fingerprint != item.fingerprint.hex():
            raise Refused("cid_reused")
        item.context.duplicate()
        at = milliseconds(fact.requested_at)
        self._results.append(
            (item, operations.Requested(booking=fact.earlier, conversation=fact.earlier_conversation, ts=at))
        )
        return True

    def _wanted(self, item: _Item, caller: Caller) -> tuple[SlotFact, ExhibitFact | None]:
        """A1, A3, C18, M4: an open slot of the buyer's fair, and an exhibit of the same exhibitor, if one is named."""
        slot = self._ground.slots.get(item.slot)
        if slot is None or slot.fair != caller.fair:
            raise Refused("not_found")
        check_may_open(caller)
        check_bookable(slot.starts_at, self._now, withdrawn=slot.withdrawn)
        paired = self._ground.paired.get((caller.account, slot.exhibitor))
        if paired is not None and paired.blocked:
            raise Refused("blocked")
        if item.exhibit is None:
            return slot, None
        exhibit = self._ground.exhibits.get(item.exhibit)
        if exhibit is None or exhibit.exhibitor != slot.exhibitor:
            raise Refused("not_found", "No such exhibit.", field="exhibit")
        return slot, exhibit

    def made(self, conversations: Mapping[UUID, UUID]) -> None:
        """The granted ones are written."""
        now = milliseconds(self._now)
        self._results.extend(
            (item, operations.Requested(booking=new.id, conversation=conversations[new.id], ts=now))
            for item, new in self.granted
        )

    def settle(self) -> None:
        """After commit: everybody gets an answer."""
        for item, result in self._results:
            if isinstance(result, FairwireError):
                fail(item, result)
                continue
            succeed(item, result)
            for twin in self._twins.get(item.key, ()):
                twin.context.duplicate()
                succeed(twin, result)


def _as_now(caller: Caller, fact: CallerFact | None) -> Caller:
    """A6: the buyer as it is now."""
    if fact is None or fact.account != caller.account or (fact.revoked and fact.state == "active"):
        raise Refused("unauthenticated")
    if fact.state != "active":
        raise Refused("suspended")
    if (caller.kind, caller.name, caller.complete, caller.silenced) == (
        fact.kind,
        fact.name,
        fact.complete,
        fact.silenced,
    ):
        return caller
    return caller.as_now(fact.kind, fact.name, complete=fact.complete, silenced=fact.silenced)


def _rows_of(item: _Item) -> tuple[UUID, UUID]:
    return item.slot, item.caller.account


def _meant(error: Exception) -> Exception:
    code = MEANT.get(error.name) if isinstance(error, ConstraintViolated) else None
    return error if code is None else Refused(code)
