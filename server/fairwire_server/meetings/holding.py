"""Holding a booking while it is decided: every row that the decision needs, locked in the order of the house.

Slots, accounts and bookings come before conversations and streams (W4), and each kind by ascending id. Which slots and accounts a
booking needs is read before anything is locked; if it turns out to need others once it is, the decision begins anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fairwire_protocol.errors import Refused, Unavailable
from fairwire_protocol.models import Side
from fairwire_server.accounts.rules import Caller
from fairwire_server.database.work import Work
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.records import BookingFact
from fairwire_server.meetings.rules import Candidate, check_visible
from fairwire_server.meetings.slot_store import SlotFact

__all__ = ["Held", "OpenProposal", "hold", "hold_visible"]


@dataclass(frozen=True, slots=True)
class OpenProposal:
    """A proposal that waits for its answer."""

    id: UUID
    slot: UUID
    side: Side
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """A locked booking with what was locked before it."""

    booking: BookingFact
    proposal: OpenProposal | None
    slots: Mapping[UUID, SlotFact]
    accounts: Mapping[UUID, Candidate]


async def hold(
    store: BookingStore,
    work: Work,
    booking: UUID,
    *,
    slots: Collection[UUID] | None = None,
    accounts: Collection[UUID] = (),
    with_receiver: bool = False,
) -> Held:
    """Lock a booking. `slots`, if not None, together with its own and its proposal's; `accounts`, with its receiving one if asked.

    Raises `not_found`, and `busy` when it moved away between reading and locking.
    """
    around = await store.row(work.connection, "around", booking)
    if around is None:
        raise Refused("not_found")
    slot, receiver, proposed = around
    held_slots: Mapping[UUID, SlotFact] = {}
    if slots is not None:
        held_slots = await store.lock_slots(work.connection, {slot, *slots} | ({proposed} if proposed else set()))
    wanted = {*accounts} | ({receiver} if with_receiver and receiver else set())
    held_accounts = await store.lock_receivers(work.connection, wanted) if wanted else {}
    fact = (await store.lock(work.connection, [booking])).get(booking)
    if fact is None:
        raise Refused("not_found")
    row = await store.row(work.connection, "open_proposal", booking)
    proposal = None if row is None else OpenProposal(*row)
    needed = {fact.slot, *((proposal.slot,) if proposal else ())}
    lacks_slot = slots is not None and not needed <= held_slots.keys()
    if lacks_slot or (with_receiver and fact.receiver is not None and fact.receiver not in held_accounts):
        raise Unavailable(retry_after_ms=50)
    return Held(fact, proposal, held_slots, held_accounts)


async def hold_visible(
    store: BookingStore,
    work: Work,
    caller: Caller,
    booking: UUID,
    *,
    slots: Collection[UUID] | None = None,
    accounts: Collection[UUID] = (),
    with_receiver: bool = False,
) -> Held:
    """`hold`, for a caller who may see the booking; `not_found` for the others, who do not hold anything up for long."""
    held = await hold(store, work, booking, slots=slots, accounts=accounts, with_receiver=with_receiver)
    own = (await store.own(work.connection, [booking]))[booking]
    check_visible(caller, held.booking, own)
    return held
