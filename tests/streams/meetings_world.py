"""The part of the world in which anything may happen that is about meetings: slots, bookings, proposals, waiting lists (M1–M13, W5)."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from tests.streams.crowd import BUYERS, TEAM

__all__ = ["MEETINGS", "Meetings"]

HALF_HOUR: Final = 1_800_000
RECEIVERS: Final = ("main", "manager", "sales", "sales2")
MEETINGS: Final = (
    "slot", "request", "assign", "reject", "cancel", "propose", "answer_proposal", "withdraw_proposal", "queue", "answer_place",
    "leave_place", "withdraw_slot", "invite", "attend",
)  # fmt: skip


class Meetings:
    """Operations on meetings; False means that there was nothing to do it to."""

    def __init__(self) -> None:
        self.slots: list[tuple[UUID, str]] = []
        """With the account that made it, of one of two exhibitors."""
        self.bookings: list[tuple[UUID, str, str]] = []
        """With its buyer, and the account that made the slot."""
        self.proposals: list[tuple[UUID, str, str]] = []
        """With who may answer, and who made it."""
        self.places: list[tuple[UUID, str]] = []

    async def slot(self: Any, ahead: int, who: int, _: int) -> bool:
        """Most of them begin soon, so that they also begin and end while we look."""
        name = ("main", "manager", "main", "rival_main")[who % 4]
        now = int(self.clock.now().timestamp() * 1000)
        starts_at = (now // HALF_HOUR + 1 + ahead % 6) * HALF_HOUR
        reply = await self.call(name, "slots.create", starts_at=starts_at)
        self.slots.append((reply.slot.id, name))
        return True

    async def request(self: Any, which: int, who: int, how: int) -> bool:
        """A buyer books; there is a slot soon enough."""
        if not self.slots:
            return bool(await self.slot(which, who, how))
        slot, maker = self.slots[which % len(self.slots)]
        buyer = BUYERS[who % 4]
        reply = await self.call(buyer, "bookings.request", slot=slot, topic="" if how % 2 else f"topic {how}")
        self.bookings.append((reply.booking, buyer, maker))
        return True

    async def assign(self: Any, which: int, to: int, how: int) -> bool:
        """By main or a manager, once in a while by somebody who may not."""
        if (booking := self._booking(which)) is None:
            return False
        receiver = "rival_main" if booking[2] == "rival_main" else (*RECEIVERS, *RECEIVERS, "exhibit")[to % 9]
        who = booking[2] if booking[2] == "rival_main" else ("main", "manager", "main", "sales")[how % 4]
        args = {"booking": booking[0], "receiver": self.crowd.ids[receiver], "confirm_unreachable": True}
        await self.call(who, "bookings.assign", **args)
        return True

    async def reject(self: Any, which: int, _: int, __: int) -> bool:
        if (booking := self._booking(which)) is None:
            return False
        await self.call(booking[2], "bookings.reject", booking=booking[0], reason="没有时间")
        return True

    async def cancel(self: Any, which: int, who: int, _: int) -> bool:
        if (booking := self._booking(which)) is None:
            return False
        await self.call(booking[1 + who % 2], "bookings.cancel", booking=booking[0], reason="ill")
        return True

    async def propose(self: Any, which: int, where: int, how: int) -> bool:
        if (booking := self._booking(which)) is None:
            return False
        who, other = (booking[1], booking[2]) if how % 2 else (booking[2], booking[1])
        if how % 5 == 0:
            who = TEAM[how % len(TEAM)]
        theirs = booking[2] == "rival_main"
        slots = [slot for slot, maker in self.slots if (maker == "rival_main") == theirs]
        slot = slots[where % len(slots)]
        reply = await self.call(
            who, "bookings.propose", booking=booking[0], slot=slot, note="" if how % 3 else "later?"
        )
        self.proposals.append((reply.booking.proposal.id, other, who))
        return True

    async def answer_proposal(self: Any, back: int, yes: int, _: int) -> bool:
        if not self.proposals:
            return False
        proposal, other, _who = self.proposals[-1 - back % min(3, len(self.proposals))]
        await self.call(other, "bookings.answer_proposal", proposal=proposal, accept=yes % 3 > 0)
        return True

    async def withdraw_proposal(self: Any, back: int, _: int, __: int) -> bool:
        if not self.proposals:
            return False
        proposal, _other, who = self.proposals[-1 - back % min(3, len(self.proposals))]
        await self.call(who, "bookings.withdraw_proposal", proposal=proposal)
        return True

    async def queue(self: Any, which: int, who: int, _: int) -> bool:
        """Rival's slots are full with one booking, so these are the ones waited for."""
        mine = [slot for slot, maker in self.slots if maker == "rival_main"] or [slot for slot, _ in self.slots]
        if not mine:
            return False
        buyer = BUYERS[who % 4]
        reply = await self.call(buyer, "bookings.wait", slot=mine[which % len(mine)])
        self.places.append((reply.place.id, buyer))
        return True

    async def answer_place(self: Any, which: int, yes: int, _: int) -> bool:
        if not self.places:
            return False
        place, buyer = self.places[which % len(self.places)]
        reply = await self.call(buyer, "bookings.answer_place", place=place, accept=yes % 3 > 0)
        if reply.booking is not None:
            self.bookings.append((reply.booking, buyer, "rival_main"))
        return True

    async def leave_place(self: Any, which: int, _: int, __: int) -> bool:
        if not self.places:
            return False
        place, buyer = self.places[which % len(self.places)]
        await self.call(buyer, "bookings.leave", place=place)
        return True

    async def withdraw_slot(self: Any, which: int, _: int, __: int) -> bool:
        if not self.slots:
            return False
        slot, maker = self.slots[which % len(self.slots)]
        await self.call(maker, "slots.withdraw", slot=slot)
        return True

    async def invite(self: Any, which: int, who: int, how: int) -> bool:
        """By the receiving account or main, a colleague who may see it or may not."""
        if (booking := self._booking(which)) is None:
            return False
        args = {"booking": booking[0], "account": self.crowd.ids[TEAM[who % len(TEAM)]]}
        await self.call(RECEIVERS[how % 4], "meetings.uninvite" if how % 3 == 0 else "meetings.invite", **args)
        return True

    async def attend(self: Any, which: int, who: int, how: int) -> bool:
        """What happened is said by whoever may say it, once it has happened."""
        if (booking := self._booking(which)) is None:
            return False
        args = {
            "booking": booking[0],
            "side": ("buyer", "team")[how % 2],
            "attendance": ("attended", "no_show")[how % 3 % 2],
        }
        await self.call((booking[1], booking[2])[who % 2], "meetings.attendance", **args)
        return True

    def _booking(self, which: int) -> tuple[UUID, str, str] | None:
        """One of the bookings, the newer ones most."""
        return self.bookings[-1 - which % min(6, len(self.bookings))] if self.bookings else None
