"""A fair of its own for one example: a team of every kind, rivals, and enough buyers and exhibitors to fill small lists.

Several of them live in one database and never meet (A1), so that an example starts from nothing without a node of its own.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.resources import files
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
from uuid_utils.compat import uuid7

from fairwire_protocol.codec import JSON
from fairwire_protocol.errors import Unavailable
from fairwire_protocol.operations import CATALOGUE
from fairwire_server.accounts.rules import Caller
from fairwire_server.compose import Node
from fairwire_server.context import Context
from fairwire_server.database.queries import parse_queries

__all__ = ["BUYERS", "EXHIBITORS", "TEAM", "Crowd", "gather", "run"]

TEAM: Final = ("main", "manager", "sales", "sales2", "exhibit")
BUYERS: Final = ("buyer", "buyer2", "b3", "b4", "b5", "b6", "b7", "b8")
EXHIBITORS: Final = ("acme", "rival", "e3", "e4", "e5", "e6", "e7")
AGAIN: Final = 4
_NUMBERS = itertools.count(1)
_EMPTY_PROFILE: Final = b'{"full_name": "Secret Name"}'


@dataclass(slots=True)
class Crowd:
    """Who there is, by name. `callers` are what the doors would make of their tokens."""

    node: Node
    fair: UUID
    sql: dict[str, str]
    exhibitors: dict[str, UUID] = field(default_factory=dict)
    exhibits: dict[str, UUID] = field(default_factory=dict)
    ids: dict[str, UUID] = field(default_factory=dict)
    callers: dict[str, Caller] = field(default_factory=dict)

    def name_of(self, account: UUID) -> str:
        """The name used in tests."""
        return next(name for name, id_ in self.ids.items() if id_ == account)

    async def sign_in(self, name: str) -> None:
        """A new session: the first, or the one after all were revoked."""
        now, session = self.node.clock.now(), uuid7()
        async with self.node.works.begin() as work:
            await work.connection.execute(self.sql["session"], session, self.ids[name], now)
        await self.refresh(name, session)

    async def refresh(self, name: str, session: UUID) -> None:
        """What a door makes of the session now."""
        async with self.node.works.read() as work:
            self.callers[name] = await self.node.ground.callers.find(work, session)

    def token(self, name: str) -> str:
        """A token that is good for the next quarter of an hour, as a refresh would give it."""
        now, session = self.node.clock.now(), self.callers[name].session
        return self.node.ground.tokens.mint(session, self.ids[name], self.fair, now, now + timedelta(days=300)).token


async def gather(node: Node, more: int = 0) -> Crowd:
    """A new fair with everybody in it, and `more` buyers named x0, x1 …"""
    sql = {
        **parse_queries(files("tests.harness").joinpath("fairground.sql").read_text("utf-8"), "fairground.sql"),
        **parse_queries(files("tests.streams").joinpath("crowd.sql").read_text("utf-8"), "crowd.sql"),
    }
    crowd, now = Crowd(node, uuid7(), sql), node.clock.now()
    sessions: dict[str, UUID] = {}
    async with node.works.begin() as work:
        execute = work.connection.execute
        await execute(sql["fair"], crowd.fair, f"crowd{next(_NUMBERS)}", now)
        for name in EXHIBITORS:
            crowd.exhibitors[name] = uuid7()
            await execute(sql["exhibitor"], crowd.exhibitors[name], crowd.fair, name, f"{name}公司", f"{name} Ltd")
        members = [(name, "acme", name if name in {"main", "manager", "exhibit"} else "business") for name in TEAM]
        members += [(f"{name}_main", name, "main") for name in EXHIBITORS[1:]]
        buyers = (*BUYERS, *(f"x{number}" for number in range(more)))
        people = [*members, *((name, None, "buyer") for name in buyers), ("organiser", None, "organiser")]
        for name, exhibitor, kind in people:
            crowd.ids[name], sessions[name] = uuid7(), uuid7()
            home = crowd.exhibitors[exhibitor] if exhibitor else None
            facts = (crowd.ids[name], crowd.fair, home, kind, name, f"{name} 先生", "active", now, sessions[name], "")
            await execute(sql["account"], *facts)
            if kind == "buyer":
                await execute(sql["buyer"], crowd.ids[name], _EMPTY_PROFILE, True)
        for name in ("acme", "rival"):
            crowd.exhibits[name] = uuid7()
            owner = crowd.ids["sales"] if name == "acme" else None
            await execute(sql["exhibit"], crowd.exhibits[name], crowd.fair, crowd.exhibitors[name], owner, name, now)
    for name, session in sessions.items():
        await crowd.refresh(name, session)
    return crowd


async def run(node: Node, caller: Caller, op: str, /, *, cid: UUID | None = None, **args: Any) -> Any:
    """An operation as the socket door runs it, sent again as clients do when the server says so. Raises `FairwireError`."""
    assert op in CATALOGUE, op
    body, cid = msgspec.json.encode(args), cid or uuid4()

    async def call() -> Any:
        context = Context(cid=cid, correlation=op, address="127.0.0.1")
        return await node.dispatch.call(op, caller, context, lambda type_: JSON.decode(body, type_), door="socket")

    for _ in range(AGAIN):
        try:
            return await call()
        except Unavailable as error:
            await asyncio.sleep((error.retry_after_ms or 0) / 1000)  # as long as the server asks for
    return await call()
