"""Making bookings that have been granted: the one way by which one comes into being, by request or from a waiting list (M4, M13).

The caller holds the locks of slots and buyers and has decided; here the conversations are found or created, the rows written, and
everybody is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from fairwire_server.chat.pairing import Pair, Paired, Pairing, Want
from fairwire_server.database.work import Work
from fairwire_server.meetings.members import Teams
from fairwire_server.meetings.records import BookingFact, Change
from fairwire_server.meetings.request_store import NewBooking, RequestStore
from fairwire_server.meetings.telling import Known, Telling
from fairwire_server.streams.told import Draft

__all__ = ["Making"]


class Making:
    """For a whole list at once, in as many statements however long it is."""

    def __init__(self, store: RequestStore, pairing: Pairing, telling: Telling) -> None:
        self._store = store
        self._pairing = pairing
        self._telling = telling

    async def make(
        self,
        work: Work,
        granted: Sequence[NewBooking],
        paired: Mapping[Pair, Paired],
        more: Sequence[Draft] = (),
        *,
        teams: Teams | None = None,
    ) -> dict[UUID, UUID]:
        """Write and tell bookings, and `more` events; answers their conversations. `paired`: those that are there already; `teams`:
        of the exhibitors, where the caller has read them.

        Raises `ConstraintViolated` where the exclusion constraint knows better.
        """
        wants = {
            (new.buyer.account, new.slot.exhibitor): Want(new.buyer, new.slot.exhibitor, new.exhibit_owner)
            for new in granted
            if (new.buyer.account, new.slot.exhibitor) not in paired
        }
        if wants:
            paired = {**paired, **await self._pairing.create(work, list(wants.values()))}
        made = [(new, paired[new.buyer.account, new.slot.exhibitor].conversation) for new in granted]
        locked, shown = await self._store.make(work.connection, made, work.now)
        changes = [_change(new, conversation) for new, conversation in made]
        await self._telling.tell(work, changes, more, known=Known(locked, shown, teams))
        return {new.id: conversation for new, conversation in made}


def _change(new: NewBooking, conversation: UUID) -> Change:
    after = BookingFact(
        id=new.id,
        fair=new.slot.fair,
        exhibitor=new.slot.exhibitor,
        buyer=new.buyer.account,
        slot=new.slot.id,
        conversation=conversation,
        starts_at=new.slot.starts_at,
        ends_at=new.slot.ends_at,
        state="pending",
        topic=new.topic,
    )
    buyer = new.buyer
    return Change(kind="requested", before=None, after=after, by=buyer.account, by_name=buyer.name, side="buyer")
