"""A small fair to test on: every kind of account that the permission matrix knows, with a token for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from uuid import UUID

from uuid_utils.compat import uuid7

from fairwire_server.chat.search_tokens import SearchTokens
from fairwire_server.compose import Node
from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import parse_queries
from fairwire_server.folding import Folding

__all__ = ["Fairground", "Somebody", "build_fairground"]

# name → (kind, exhibitor, fair, state)
CAST: dict[str, tuple[str, str | None, str, str]] = {
    "organiser": ("organiser", None, "one", "active"),
    "buyer": ("buyer", None, "one", "active"),
    "buyer2": ("buyer", None, "one", "active"),
    "visitor": ("buyer", None, "one", "active"),
    "main": ("main", "acme", "one", "active"),
    "manager": ("manager", "acme", "one", "active"),
    "sales": ("business", "acme", "one", "active"),
    "sales2": ("business", "acme", "one", "active"),
    "exhibit": ("exhibit", "acme", "one", "active"),
    "suspended": ("business", "acme", "one", "suspended"),
    "rival": ("main", "rival", "one", "active"),
    "rival_sales": ("business", "rival", "one", "active"),
    "far_buyer": ("buyer", None, "two", "active"),
    "far_main": ("main", "far", "two", "active"),
    "far_organiser": ("organiser", None, "two", "active"),
}


@dataclass(frozen=True, slots=True)
class Somebody:
    """An account of the cast, and a token that speaks for it."""

    name: str
    id: UUID
    session: UUID
    fair: UUID
    exhibitor: UUID | None
    token: str


@dataclass(slots=True)
class Fairground:
    """Who and what there is, by the names used in tests."""

    fairs: dict[str, UUID] = field(default_factory=dict)
    exhibitors: dict[str, UUID] = field(default_factory=dict)
    exhibits: dict[str, UUID] = field(default_factory=dict)
    cast: dict[str, Somebody] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Somebody:
        return self.cast[name]


async def build_fairground(node: Node) -> Fairground:
    """Seed the node's database. Two fairs, so that leaks between them would show (A1)."""
    sql = parse_queries(files("tests.harness").joinpath("fairground.sql").read_text("utf-8"), "fairground.sql")
    ground = Fairground()
    now = node.clock.now()
    async with node.works.begin() as work:
        for code in ("one", "two"):
            ground.fairs[code] = uuid7()
            await work.connection.execute(sql["fair"], ground.fairs[code], code, now)
        for name, fair in (("acme", "one"), ("rival", "one"), ("far", "two")):
            ground.exhibitors[name] = uuid7()
            args = (ground.exhibitors[name], ground.fairs[fair], name, f"{name}公司", f"{name.title()} Ltd")
            await work.connection.execute(sql["exhibitor"], *args)
        tokens = SearchTokens(Folding())
        for name in CAST:
            ground.cast[name] = await _account(work.connection, node, sql, ground, tokens, name, now)
        for name, owner in (("acme", "sales"), ("rival", None), ("far", None)):
            ground.exhibits[name] = uuid7()
            await work.connection.execute(
                sql["exhibit"],
                ground.exhibits[name],
                ground.fairs["two" if name == "far" else "one"],
                ground.exhibitors[name],
                ground.cast[owner].id if owner else None,
                name,
                now,
            )
    return ground


async def _account(
    connection: Connection,
    node: Node,
    sql: dict[str, str],
    ground: Fairground,
    tokens: SearchTokens,
    name: str,
    now: datetime,
) -> Somebody:
    kind, exhibitor, fair, state = CAST[name]
    id_, session, fair_id = uuid7(), uuid7(), ground.fairs[fair]
    exhibitor_id = ground.exhibitors[exhibitor] if exhibitor else None
    shown = f"{name.title()} 先生"
    await connection.execute(
        sql["account"], id_, fair_id, exhibitor_id, kind, name, shown, state, now, session, tokens.index_tokens(shown)
    )
    if kind == "buyer":
        profile = b"{}" if name == "visitor" else b'{"full_name": "Secret Name", "company": "Secret Company"}'
        await connection.execute(sql["buyer"], id_, profile, name != "visitor")
    token = node.ground.tokens.mint(session, id_, fair_id, now, now.replace(year=now.year + 1))
    return Somebody(name, id_, session, fair_id, exhibitor_id, token.token)
