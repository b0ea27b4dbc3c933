"""A world in which anything may happen: operations on a crowd, drawn by number, refused or not (W5's property test).

An operation is a name and four small numbers. What they mean depends on what exists by then, so any list of operations can be
run, and a shorter one too: that is what lets hypothesis shrink. Refusals are part of life; what is not is a fault (`internal`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from fairwire_protocol.errors import FairwireError
from fairwire_server.accounts.rules import Caller
from fairwire_server.compose import Node
from tests.harness.clock import ManualClock
from tests.streams.crowd import BUYERS, EXHIBITORS, TEAM, Crowd, run
from tests.streams.meetings_world import MEETINGS, Meetings

__all__ = ["OPERATIONS", "Numbers", "World"]

Numbers = tuple[int, int, int]
WRITERS: Final = ("main", "manager", "sales", "sales2")
PAUSES: Final = (2.0, 2.0, 2.0, 130.0, 16 * 60.0)
FAULTS: Final = frozenset({"internal", "busy", "database"})


class World(Meetings):
    """Runs operations, and counts what came of them."""

    def __init__(self, node: Node, clock: ManualClock, crowd: Crowd) -> None:
        super().__init__()
        self.node = node
        self.clock = clock
        self.crowd = crowd
        self.chats: list[tuple[UUID, str, str]] = []
        """Conversation, its buyer and its exhibitor."""
        self.said: list[tuple[UUID, int, str]] = []
        self.offers: list[tuple[UUID, UUID]] = []
        self.away: set[str] = set()
        """Suspended or disabled."""
        self.left: set[str] = set()
        """Who ever was: their sessions are over, and so are the clients that had them."""
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.written = 0

    async def act(self, op: str, numbers: Numbers) -> None:
        """One operation, whatever comes of it."""
        try:
            happened = await OPERATIONS[op](self, *numbers)
        except FairwireError as error:
            if error.code in FAULTS:
                raise
            self.refused[f"{op}:{error.code}"] += 1
        else:
            self.done[op] += happened is not False

    async def call(self, who: str, op: str, /, **args: Any) -> Any:
        """As somebody of the crowd."""
        return await run(self.node, self.caller(who), op, **args)

    def caller(self, name: str) -> Caller:
        """Who asks."""
        return self.crowd.callers[name]

    async def holder(self, conversation: UUID) -> str:
        """Who holds it now."""
        async with self.node.works.read() as work:
            return self.crowd.name_of(await work.connection.fetchval(self.crowd.sql["holder"], conversation))

    def chat(self, number: int) -> tuple[UUID, str, str] | None:
        """One of the conversations; the exhibitor with a team comes up most."""
        return self.chats[number % len(self.chats)] if self.chats else None

    # operations: False means that there was nothing to do it to

    async def open(self, who: int, where: int, how: int) -> bool:
        buyer = BUYERS[who % len(BUYERS)]
        exhibitor = "acme" if how % 3 else EXHIBITORS[where % len(EXHIBITORS)]
        if how % 2 == 0:
            buyer, exhibitor = "buyer", EXHIBITORS[where % len(EXHIBITORS)]
        card = {"exhibit": self.crowd.exhibits[exhibitor]} if how % 5 == 1 and exhibitor in self.crowd.exhibits else {}
        reply = await self.call(buyer, "chat.open", exhibitor=self.crowd.exhibitors[exhibitor], **card)
        found = (reply.entry.conversation, buyer, exhibitor)
        if found not in self.chats:
            self.chats.append(found)
        return True

    async def buyer_says(self, which: int, where: int, how: int) -> bool:
        if (chat := self.chat(which)) is None:
            return await self.open(which, where, how)
        return await self.say(chat[0], chat[1])

    async def team_says(self, which: int, who: int, how: int) -> bool:
        if (chat := self.chat(which)) is None:
            return False
        return await self.say(chat[0], await self.holder(chat[0]))

    async def say(self, conversation: UUID, name: str) -> bool:
        self.written += 1
        sent = await self.call(name, "chat.send", conversation=conversation, text=f"第{self.written} word of {name}")
        self.said.append((conversation, sent.seq, name))
        return True

    async def recall(self, back: int, _: int, __: int) -> bool:
        if not self.said:
            return False
        conversation, seq, name = self.said[-1 - back % min(len(self.said), 6)]
        await self.call(name, "chat.recall", conversation=conversation, seq=seq)
        return True

    async def read(self, which: int, who: int, seq: int) -> bool:
        if (chat := self.chat(which)) is None:
            return False
        name = chat[1] if who % 2 else await self.holder(chat[0])
        if who % 5 == 0:
            name = WRITERS[seq % len(WRITERS)]
        await self.settled(self.call(name, "chat.read", conversation=chat[0], seq=seq % 12))
        return True

    async def receive(self, which: int, who: int, seq: int) -> bool:
        if (chat := self.chat(which)) is None:
            return False
        name = chat[1] if who % 2 else await self.holder(chat[0])
        self.node.services.receipts.received(self.crowd.ids[name], {chat[0]: seq % 12})
        await self.settled(self.node.services.receipts.flush())
        return True

    async def handle(self, which: int, who: int, _: int) -> bool:
        if (chat := self.chat(which)) is None:
            return False
        name = await self.holder(chat[0]) if who % 3 else "manager"
        await self.call(name, "chat.handle", conversation=chat[0])
        return True

    async def transfer(self, which: int, to: int, how: int) -> bool:
        return await self._transfer(which, to, how, ask=False)

    async def ask(self, which: int, to: int, how: int) -> bool:
        return await self._transfer(which, to, how, ask=True)

    async def _transfer(self, which: int, to: int, how: int, *, ask: bool) -> bool:
        if (chat := self.chat(which)) is None:
            return False
        name = "manager" if how % 4 == 0 else "main" if how % 4 == 1 else await self.holder(chat[0])
        target, note = TEAM[to % len(TEAM)], "" if how % 2 else "handle with care"
        args = {"conversation": chat[0], "to": self.crowd.ids[target], "note": note, "ask_first": ask}
        reply = await self.call(name, "chat.transfer", **args)
        if reply.offer is not None:
            self.offers.append((reply.offer.id, self.crowd.ids[target]))
        return True

    async def answer(self, back: int, yes: int, _: int) -> bool:
        if not self.offers:
            return False
        offer, to = self.offers[-1 - back % min(3, len(self.offers))]
        await self.call(self.crowd.name_of(to), "chat.answer_offer", offer=offer, accept=yes % 2 == 0)
        return True

    async def take_over(self, which: int, who: int, _: int) -> bool:
        if (chat := self.chat(which)) is None:
            return False
        await self.call(("main", "manager")[who % 2], "chat.take_over", conversation=chat[0])
        return True

    async def pin(self, which: int, who: int, how: int) -> bool:
        return await self._mark("contacts.pin", which, who, {"pinned": how % 2 == 0})

    async def star(self, which: int, who: int, how: int) -> bool:
        return await self._mark("contacts.star", which, who, {"starred": how % 3 != 0})

    async def _mark(self, op: str, which: int, who: int, mark: dict[str, bool]) -> bool:
        if (chat := self.chat(which)) is None:
            return False
        name = chat[1] if who % 3 == 0 else await self.holder(chat[0]) if who % 3 == 1 else WRITERS[who % len(WRITERS)]
        await self.call(name, op, conversation=chat[0], **mark)
        return True

    async def add_customer(self, who: int, by: int, _: int) -> bool:
        name = (*WRITERS, "rival_main")[by % 5]
        await self.call(name, "customers.add", buyer=self.crowd.ids[BUYERS[who % len(BUYERS)]])
        return True

    async def block(self, which: int, who: int, how: int) -> bool:
        if (chat := self.chat(which)) is None:
            return False
        name = chat[1] if who % 2 else await self.holder(chat[0])
        await self.call(name, "chat.block", conversation=chat[0], blocked=how % 3 == 0)
        return True

    async def rename(self, who: int, _: int, __: int) -> bool:
        names = (*TEAM, *BUYERS[:4], "rival_main")
        name = names[who % len(names)]
        self.written += 1
        await self.call(name, "account.update", name=f"{name} {self.written}")
        return True

    async def profile(self, who: int, how: int, _: int) -> bool:
        self.written += 1
        country = ("BR", "DE", "JP")[how % 3]
        await self.call(
            BUYERS[who % 3], "buyer.update_profile", country=country, profile={"full_name": f"N {self.written}"}
        )
        return True

    async def wait(self, how: int, _: int, __: int) -> bool:
        await self.passes(PAUSES[how % len(PAUSES)])
        return True

    async def suspend(self, who: int, _: int, __: int) -> bool:
        names = (*WRITERS, "buyer2", "rival_main")
        name = names[who % len(names)]
        back = name in self.away
        await self.call("organiser", "organiser.suspend", account=self.crowd.ids[name], suspended=not back)
        await self._returned(name) if back else self._leaves(name)
        return True

    async def disable(self, who: int, to: int, _: int) -> bool:
        name, heir = ("manager", "sales", "sales2")[who % 3], ("main", "manager", "sales", "sales2")[to % 4]
        back = name in self.away
        extra = {} if back else {"handover_to": self.crowd.ids[heir]}
        await self.call("main", "team.update", account=self.crowd.ids[name], enabled=back, **extra)
        await self._returned(name) if back else self._leaves(name)
        return True

    async def promote(self, who: int, kind: int, heir: int) -> bool:
        name = ("manager", "sales", "sales2", "exhibit")[who % 4]
        kinds = ("manager", "business", "business", "exhibit")
        extra = {"handover_to": self.crowd.ids[("main", "manager", "sales", "sales2")[heir % 4]]}
        await self.call("main", "team.update", account=self.crowd.ids[name], kind=kinds[kind % 4], **extra)
        if name not in self.away:
            await self.crowd.refresh(name, self.caller(name).session)
        return True

    def _leaves(self, name: str) -> None:
        self.away.add(name)
        self.left.add(name)

    async def _returned(self, name: str) -> None:
        self.away.discard(name)
        await self.crowd.sign_in(name)

    # time

    async def passes(self, seconds: float) -> None:
        """Time moves on, and whatever is due happens (C8, C11). The node's own loops wake up too and find it done."""
        self.clock.advance(seconds)
        await self.node.services.transfers.expire()
        await self.node.services.proposals.expire()
        await self.node.services.waiting.expire()
        await self.node.services.waiting.grow()
        await self.node.services.acts.sweep_waiting()
        await self.node.services.receipts.flush()

    async def settled(self, work: Awaitable[object]) -> None:
        """Wait for something that itself waits for time, a little of which passes meanwhile."""
        task = asyncio.ensure_future(work)
        async with asyncio.timeout(10):
            while not task.done():
                self.clock.advance(0.26)
                for _ in range(20):
                    await asyncio.sleep(0)
        await task


OPERATIONS: Final[dict[str, Callable[..., Awaitable[bool]]]] = {
    name: getattr(World, name)
    for name in (
        "buyer_says", "team_says", "open", "transfer", "ask", "answer", "take_over", "pin", "star", "recall", "read", "receive",
        "handle", "add_customer", "block", "rename", "profile", "wait", "suspend", "disable", "promote", *MEETINGS,
    )
}  # fmt: skip
