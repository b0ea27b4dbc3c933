"""Waiting lists of full slots (M13): a freed seat is offered to the first in line and held for it until it answers or time is up.

Whoever frees a seat calls `seat_freed` in the same transaction, so that nobody gets in between. Time that runs out, slots that begin
and accounts that are added are found by loops, on locked rows that are looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec

from fairwire_protocol.errors import Refused
from fairwire_protocol.events import PlaceChanged
from fairwire_protocol.operations import slots as operations
from fairwire_protocol.operations.base import Empty
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller
from fairwire_server.chat.keywords import KeywordList
from fairwire_server.chat.pairing import Paired, Pairing
from fairwire_server.chat.rules import check_may_open
from fairwire_server.context import Context
from fairwire_server.database.ids import uuid7
from fairwire_server.database.work import Work, Works
from fairwire_server.meetings.making import Making
from fairwire_server.meetings.noticing import Noticing
from fairwire_server.meetings.request_rules import Stand, check_bookable
from fairwire_server.meetings.request_store import NewBooking, RequestStore
from fairwire_server.meetings.requesting import topic_for
from fairwire_server.meetings.slot_store import SlotFact, SlotStore
from fairwire_server.meetings.waiting_store import WaitingStore
from fairwire_server.streams.service import Streams
from fairwire_server.streams.told import Draft, Told

__all__ = ["Waiting"]

FIRST: Final = UUID(int=0)


class Waiting:
    """Handlers of `bookings.wait`, `.leave` and `.answer_place`, and what goes on beside them. `hold`: how long a seat is held."""

    def __init__(
        self,
        works: Works,
        commands: Commands,
        slots: SlotStore,
        requests: RequestStore,
        places: WaitingStore,
        streams: Streams,
        pairing: Pairing,
        making: Making,
        noticing: Noticing,
        keywords: Callable[[UUID], KeywordList],
        *,
        places_max: int,
        hold: timedelta,
    ) -> None:
        self._works = works
        self._commands = commands
        self._slots = slots
        self._requests = requests
        self._places = places
        self._streams = streams
        self._pairing = pairing
        self._making = making
        self._noticing = noticing
        self._keywords = keywords
        self._places_max = places_max
        self._hold = hold

    async def wait(self, caller: Caller, context: Context, request: operations.WaitForSlot) -> operations.PlaceReply:
        """A place at the end of the line, or the one that the buyer has already."""
        topic = topic_for(request.topic, self._keywords(caller.fair))

        async def apply(work: Work, caller: Caller) -> operations.PlaceReply:
            slot, _ = await self._entered(work, caller, request.slot)
            card = await self._card(work, slot, request.exhibit)
            place = await self._places.open_place(work.connection, slot.id, caller.account)
            if place is None:
                place = await self._stand_in_line(work, caller, slot, topic, card)
            [(_, shown)] = await self._places.shown(work.connection, [place])
            await self._streams.append(work, [Draft(caller.account, "buyer", Told(PlaceChanged(place=shown)))])
            return operations.PlaceReply(place=shown)

        return await self._commands.run(operations.WAIT, caller, context, request, apply)

    async def _stand_in_line(self, work: Work, caller: Caller, slot: SlotFact, topic: str, card: bytes | None) -> UUID:
        capacity = (await self._places.capacities(work.connection, [slot.id], work.now))[slot.id]
        seats = (await self._slots.seats(work.connection, [slot.id], work.now))[slot.id]
        if Stand(capacity, seats).has_seat_for(caller.account):
            raise Refused("slot_not_full")
        if await self._places.count(work.connection, caller.account, work.now) >= self._places_max:
            raise Refused("place_limit", detail={"limit": self._places_max})
        place = uuid7()
        await self._places.insert(work.connection, place, slot.id, caller.account, topic, card, work.now)
        return place

    async def _card(self, work: Work, slot: SlotFact, exhibit: UUID | None) -> bytes | None:
        if exhibit is None:
            return None
        found = (await self._requests.exhibits(work.connection, [exhibit])).get(exhibit)
        if found is None or found.exhibitor != slot.exhibitor:
            raise Refused("not_found", "No such exhibit.", field="exhibit")
        return msgspec.json.encode(found.card)

    async def _entered(self, work: Work, caller: Caller, slot_id: UUID) -> tuple[SlotFact, Paired | None]:
        """A slot that this buyer could book if there were a seat: slot and buyer locked; raises why not (M4)."""
        slot = (await self._slots.lock(work.connection, [slot_id])).get(slot_id)
        if slot is None or slot.fair != caller.fair:
            raise Refused("not_found")
        check_may_open(caller)
        check_bookable(slot.starts_at, work.now, withdrawn=slot.withdrawn)
        await self._requests.lock_buyers(work.connection, [caller.account])
        pair = (caller.account, slot.exhibitor)
        paired = (await self._pairing.find(work, [pair])).get(pair)
        if paired is not None and paired.blocked:
            raise Refused("blocked")
        calendar = await self._requests.calendar(work.connection, [caller.account], [slot])
        if calendar.is_busy(caller.account, slot.starts_at, slot.ends_at):
            raise Refused("buyer_busy")
        return slot, paired

    async def leave(self, caller: Caller, context: Context, request: operations.PlaceRef) -> Empty:
        """Out of the line; a seat that was held goes to the next."""

        async def apply(work: Work, caller: Caller) -> Empty:
            slot = await self._own(work, caller, request.place)
            await self._slots.lock(work.connection, [slot])
            if await self._places.lock(work.connection, request.place) is None:
                raise Refused("no_place")
            drafts = await self._places.close(work, [request.place], "left")
            await self._streams.append(work, [*drafts, *await self.seat_freed(work, [slot])])
            return Empty()

        return await self._commands.run(operations.LEAVE, caller, context, request, apply)

    async def answer(
        self, caller: Caller, context: Context, request: operations.AnswerPlace
    ) -> operations.PlaceAnswered:
        """Accepted, the held seat becomes a booking; declined, it goes to the next."""

        async def apply(work: Work, caller: Caller) -> operations.PlaceAnswered:
            slot = await self._own(work, caller, request.place)
            if request.accept:
                return await self._accept(work, caller, request.place, slot)
            await self._slots.lock(work.connection, [slot])
            await self._held(work, request.place)
            drafts = await self._places.close(work, [request.place], "declined")
            await self._streams.append(work, [*drafts, *await self.seat_freed(work, [slot])])
            return operations.PlaceAnswered()

        return await self._commands.run(operations.ANSWER_PLACE, caller, context, request, apply)

    async def _accept(self, work: Work, caller: Caller, place: UUID, slot_id: UUID) -> operations.PlaceAnswered:
        await self._slots.lock(work.connection, [slot_id])
        topic, card = await self._held(work, place)
        slot, paired = await self._entered(work, caller, slot_id)
        drafts = await self._places.close(work, [place], "accepted")
        new = NewBooking(
            id=uuid7(), buyer=caller, slot=slot, topic=topic, card=card, cid=uuid7(), fingerprint=b""
        )  # its cid is nobody's: the answer's own is kept with its result
        pairs = {} if paired is None else {(caller.account, slot.exhibitor): paired}
        made = await self._making.make(work, [new], pairs, drafts)
        return operations.PlaceAnswered(booking=new.id, conversation=made[new.id])

    async def _own(self, work: Work, caller: Caller, place: UUID) -> UUID:
        """The slot of an own place; somebody else's is as one that is not there (A1)."""
        where = await self._places.where(work.connection, place)
        if where is None or where[1] != caller.account:
            raise Refused("not_found")
        return where[0]

    async def _held(self, work: Work, place: UUID) -> tuple[str, bytes | None]:
        """Topic and card of a place that a seat is held for right now."""
        held = await self._places.lock(work.connection, place)
        if held is None or held.expires_at is None or held.expires_at <= work.now:
            raise Refused("no_place")
        return held.topic, None if held.card is None else held.card.encode()

    async def seat_freed(self, work: Work, slots: Collection[UUID]) -> Sequence[Draft]:
        """Offer what is free in these slots, whose rows the caller has locked, to those in line; answers what they are told.

        Who stands before them and cannot take a seat (suspended, blocked, in another meeting then) is out of the line.
        """
        line = await self._places.line(work.connection, slots)
        if not line:
            return ()
        capacities = await self._places.capacities(work.connection, slots, work.now)
        seats = await self._slots.seats(work.connection, slots, work.now)
        free = {slot: capacity - seats[slot].taken for slot, capacity in capacities.items()}
        offered, passed_over = [], []
        for one in line:
            if free.get(one.slot, 0) <= 0:
                continue
            if one.able:
                free[one.slot] -= 1
                offered.append(one.id)
            else:
                passed_over.append(one.id)
        drafts: list[Draft] = []
        if offered:
            places, drafts = await self._places.offer(work, offered, work.now + self._hold)
            await self._noticing.places_offered(work, places)
        return [*drafts, *(await self._places.close(work, passed_over, "over") if passed_over else ())]

    async def expire(self) -> None:
        """Offers nobody answered pass on; lines of slots that begin are over."""
        async with self._works.begin() as work:
            due = await self._places.due(work.connection, work.now)
            if not due:
                return
            await self._slots.lock(work.connection, {slot for _, slot in due})
            outcomes = await self._places.lock_due(work.connection, [place for place, _ in due], work.now)
            drafts: list[Draft] = []
            for outcome in ("expired", "over"):
                if ended := [place for place, what in outcomes.items() if what == outcome]:
                    drafts += await self._places.close(work, ended, outcome)
            drafts += await self.seat_freed(work, {slot for place, slot in due if place in outcomes})
            await self._streams.append(work, drafts)

    async def grow(self) -> None:
        """M2: an account that was added or came back makes another seat; offer it where somebody waits."""
        after = FIRST
        while True:
            async with self._works.read() as work:
                slots = await self._places.slots_with_a_line(work.connection, work.now, after)
                capacities = await self._places.capacities(work.connection, slots, work.now)
                seats = await self._slots.seats(work.connection, slots, work.now)
            if not slots:
                return
            after = slots[-1]
            if grown := [slot for slot, capacity in capacities.items() if capacity > seats[slot].taken]:
                async with self._works.begin() as work:
                    await self._slots.lock(work.connection, grown)
                    await self._streams.append(work, await self.seat_freed(work, grown))
