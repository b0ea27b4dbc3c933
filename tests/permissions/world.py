"""The world that the permission table speaks of: two fairs, three exhibitors, a chat in each state, and ids to ask for.

`held` is a chat of `buyer` with acme: main had it, then `former`, now `holder`. `colleague` is one of `other_buyer` with acme
that main holds; `rival` and `far` are chats of another exhibitor and of another fair. Everything is made by real operations
over HTTP; what no operation makes (a fair's sections, a second session) is written to the database.

`acme`, `rival`, `far` as the place of an account, session or image mean somebody there who is no column of the table.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from aiohttp import ClientSession

from fairwire_server.database.queries import parse_queries
from tests.harness.node import Running, running_node
from tests.images.samples import picture, saved
from tests.permissions.caller import HttpDoor
from tests.permissions.table import COLUMNS

__all__ = ["CAST", "World", "build_world", "open_world"]

CAST = {
    "visitor": "visitor",
    "buyer": "buyer",
    "other_buyer": "buyer2",
    "main": "main",
    "manager": "manager",
    "holder": "sales",
    "former": "sales2",
    "exhibit": "exhibit",
    "other_exhibitor": "rival",
    "other_fair": "far_main",
    "suspended": "suspended",
    "organiser": "organiser",
}
"""Column → account of `tests/harness/fairground.py`."""
PASSWORD = "a password for tests"


@dataclass(slots=True)
class World:
    """Ids by (kind, place), tokens by column or account, and a way to put the database back as it was."""

    running: Running
    http: HttpDoor
    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    own: dict[tuple[str, str], str] = field(default_factory=dict)
    """Ids by (kind, column): a second session, an image not yet sent."""
    seqs: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    canaries: dict[str, str] = field(default_factory=dict)
    """Unique words by what they stand for; `test_canaries.py` says who may meet them."""
    refresh_token: str = ""
    _tables: Sequence[str] = ()
    _connection: asyncpg.Connection[asyncpg.Record] | None = None

    def id(self, kind: str, place: str, column: str = "") -> str:
        """The id that stands at a place, as the column asks for it."""
        if place == "own":
            return self.own.get((kind, column), str(UUID(int=7)))
        return self.ids[kind, place]

    def half_hour(self, *, days: int) -> int:
        """A half hour some days ahead, as it travels; whole hours in any zone of the test's fairs."""
        return (int(self.running.node.clock.now().timestamp()) // 86_400 + days) * 86_400_000

    def plant(self, name: str) -> str:
        """A word that occurs nowhere else."""
        return self.canaries.setdefault(name, f"canary{uuid4().hex[:16]}")

    def plant_number(self, name: str) -> str:
        """Digits that occur nowhere else."""
        return self.canaries.setdefault(name, f"{uuid4().int % 10**7:07}")

    async def save(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Remember every row."""
        self._connection = connection
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        self._tables = [row["tablename"] for row in rows]
        copies = [f"CREATE TABLE saved.{table} AS TABLE public.{table};" for table in self._tables]
        await connection.execute("CREATE SCHEMA saved;" + "".join(copies))
        await connection.execute("SET session_replication_role = replica")

    async def restore(self) -> None:
        """Every row as it was when it was saved."""
        assert self._connection is not None
        back = [
            f"DELETE FROM public.{table}; INSERT INTO public.{table} SELECT * FROM saved.{table};"
            for table in self._tables
        ]
        await self._connection.execute("BEGIN;" + "".join(back) + "COMMIT")


@asynccontextmanager
async def open_world(database_url: str, data_dir: Path, **settings: Any) -> AsyncIterator[World]:
    """A running node with the world in it, saved."""
    async with (
        running_node(
            database_url, data_dir, sub_account_limit=20, beat_interval_s=600.0, background="worker", **settings
        ) as running,
        ClientSession() as session,
    ):
        world = World(running, HttpDoor(running.url, session))
        connection = await asyncpg.connect(database_url)
        try:
            await build_world(world, connection)
            await world.save(connection)
            yield world
        finally:
            await connection.close()


async def build_world(world: World, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Make everything that the table names."""
    ground = world.running.ground
    world.tokens |= {column: ground[name].token for column, name in CAST.items()}
    world.tokens |= {name: ground[name].token for name in ("rival_sales", "far_buyer", "far_organiser")}
    world.ids |= {("exhibitor", name): str(id_) for name, id_ in ground.exhibitors.items()}
    world.ids |= {("exhibit", name): str(id_) for name, id_ in ground.exhibits.items()}
    world.ids |= {("account", column): str(ground[name].id) for column, name in CAST.items()}
    world.ids |= {
        ("account", "far_buyer"): str(ground["far_buyer"].id),
        ("account", "rival"): str(ground["rival_sales"].id),
    }
    world.ids |= {(kind, "unknown"): str(uuid4()) for kind in KINDS}
    await _colleagues(world)
    await _sections(world, connection)
    await _chats(world)
    await _private(world, connection)
    await _sessions(world, connection)
    await _notices(world, connection)
    await _slots(world, connection)
    await _bookings(world, connection)
    await _rooms(world, connection)
    for column in COLUMNS:
        if column not in {"anonymous", "exhibit", "suspended", "organiser"}:
            world.own["image", column] = await upload(world, column)
    for place in ("acme", "rival", "far"):
        world.ids["image", place] = await upload(world, {"rival": "rival_sales"}.get(place, f"spare_{place}"))
    await _flush(world)


KINDS = (
    "conversation",
    "account",
    "exhibitor",
    "exhibit",
    "image",
    "offer",
    "report",
    "notice",
    "session",
    "section",
    "slot",
    "place",
    "booking",
    "proposal",
    "invitation",
    "guest",
)


async def upload(world: World, who: str) -> str:
    """The id of an image that `who` has uploaded."""
    reply = await world.http.ok(world.tokens[who], "chat.upload_image", body=saved(picture(20, 20), "png"))
    return str(reply["id"])


async def _colleagues(world: World) -> None:
    """A business account in acme and one in far that are no column."""
    for place, main in (("acme", "main"), ("far", "other_fair")):
        new: dict[str, Any] = {
            "kind": "business",
            "login": f"spare.{place}",
            "name": f"Spare {place}",
            "password": PASSWORD,
        }
        reply = await world.http.ok(world.tokens[main], "team.create", **new)
        world.ids["account", place] = reply["account"]["id"]
        signed_in = await world.http.ok(
            None,
            "auth.sign_in",
            fair="one" if place == "acme" else "two",
            login=new["login"],
            password=PASSWORD,
            device="d",
        )
        world.tokens[f"spare_{place}"] = signed_in["access_token"]
        world.ids["session", place] = signed_in["session"]
        if place == "acme":
            world.refresh_token = signed_in["refresh_token"]
    world.ids["session", "rival"] = str(world.running.ground["rival_sales"].session)


async def _sections(world: World, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    for code, exhibitor in (("one", "acme"), ("two", "far")):
        section = uuid4()
        world.ids["section", code] = str(section)
        await connection.execute(
            "INSERT INTO section (id, fair_id, external_id, name_zh, name_en) VALUES ($1, $2, 's', '机械', 'Machinery')",
            section,
            world.running.ground.fairs[code],
        )
        await connection.execute(
            "INSERT INTO exhibitor_section (exhibitor_id, section_id) VALUES ($1, $2)",
            world.running.ground.exhibitors[exhibitor],
            section,
        )


async def _chats(world: World) -> None:
    http, tokens = world.http, world.tokens
    for place, buyer, exhibitor in (
        ("held", "buyer", "acme"),
        ("colleague", "other_buyer", "acme"),
        ("rival", "other_buyer", "rival"),
        ("far", "far_buyer", "far"),
    ):
        opened = await http.ok(tokens[buyer], "chat.open", exhibitor=world.ids["exhibitor", exhibitor])
        world.ids["conversation", place] = opened["entry"]["conversation"]
        world.seqs[place] = await say(world, buyer, place, text=f"motorcycle {world.plant(f'{place} first text')}")
    await _move(world, "main", "former", world.plant("held early note"))
    await say(world, "former", "held", text=f"motorcycle {world.plant('held early text')}")
    await _recalled(world)
    world.ids["image", "early"] = image = await upload(world, "buyer")
    early = await say(world, "buyer", "held", image=image)
    await _move(world, "former", "holder", world.plant("held given note"))
    await _move(world, "holder", "manager", world.plant("held late note"))
    await _move(world, "manager", "holder", world.plant("held back note"))
    world.ids["image", "late"] = image = await upload(world, "buyer")
    await say(world, "buyer", "held", image=image)
    world.seqs["held_late"] = await say(world, "buyer", "held", text=f"motorcycle {world.plant('held late text')}")
    world.ids["conversation", "held_late"] = world.ids["conversation", "held"]
    for place, who, chat in (
        ("colleague", "main", "colleague"),
        ("sent_rival", "other_exhibitor", "rival"),
        ("sent_far", "other_fair", "far"),
    ):
        world.ids["image", place] = image = await upload(world, who)
        await say(world, who, chat, image=image)
    await http.ok(tokens["main"], "customers.add", buyer=world.ids["account", "buyer"])
    for place, who, to in (
        ("held", "holder", world.ids["account", "manager"]),
        ("colleague", "main", world.ids["account", "former"]),
        ("rival", "other_exhibitor", world.ids["account", "rival"]),
        ("far", "other_fair", world.ids["account", "far"]),
    ):
        conversation = world.ids["conversation", place]
        note = world.plant(f"{place} offer note")
        reply = await http.ok(tokens[who], "chat.transfer", conversation=conversation, to=to, ask_first=True, note=note)
        world.ids["offer", place] = reply["offer"]["id"]
    for place, who, chat, seqs in (("acme", "buyer", "held", [1, early]), ("far", "far_buyer", "far", [1])):
        conversation = world.ids["conversation", chat]
        reason = world.plant(f"{place} report reason")
        reply = await http.ok(tokens[who], "chat.report", conversation=conversation, seqs=seqs, reason=reason)
        world.ids["report", place] = reply["report"]


async def say(world: World, who: str, place: str, *, text: str | None = None, image: str | None = None) -> int:
    """The seq of a message."""
    said: dict[str, Any] = {"text": text} if image is None else {"kind": "image", "image": image}
    conversation = world.ids["conversation", place]
    reply = await world.http.ok(world.tokens[who], "chat.send", conversation=conversation, **said)
    return int(reply["seq"])


async def _move(world: World, source: str, to: str, note: str) -> None:
    target = world.ids["account", to]
    conversation = world.ids["conversation", "held"]
    await world.http.ok(world.tokens[source], "chat.transfer", conversation=conversation, to=target, note=note)


async def _recalled(world: World) -> None:
    """C12: a text and an image that were taken back."""
    world.ids["image", "recalled"] = image = await upload(world, "buyer")
    text = await say(world, "buyer", "held", text=f"motorcycle {world.plant('recalled text')}")
    for seq in (text, await say(world, "buyer", "held", image=image)):
        conversation = world.ids["conversation", "held"]
        await world.http.ok(world.tokens["buyer"], "chat.recall", conversation=conversation, seq=seq)


async def _private(world: World, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """What a buyer shows only to who has it in the base (K2), everybody's address, and the fairs' keyword lists."""
    for column in ("buyer", "other_buyer", "far_buyer", "visitor"):
        words = [world.plant(f"{column} {what}") for what in ("full name", "company", "position")]
        await connection.execute(
            "UPDATE buyer SET profile = json_build_object('full_name', $2::text, 'company', $3::text, 'position', $4::text)::jsonb "
            "WHERE account_id = $1::uuid",
            world.ids["account", column],
            *words,
        )
    for number, column in enumerate([*CAST, "far_buyer"]):
        email, mobile = (
            f"{world.plant(f'{column} email')}@example.test",
            f"+8613{number:02}{world.plant_number(f'{column} mobile')}",
        )
        await connection.execute(
            "UPDATE account SET email = $2, mobile = $3, mobile_verified_at = email_verified_at WHERE id = $1::uuid",
            world.ids["account", column],
            email,
            mobile,
        )
    for organiser in ("organiser", "far_organiser"):
        keywords = [{"word": world.plant(f"{organiser} keyword"), "action": "flag"}]
        await world.http.ok(world.tokens[organiser], "organiser.set_keywords", keywords=keywords)


async def _sessions(world: World, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """A second session for every column that has an account."""
    for column, name in CAST.items():
        session = uuid4()
        world.own["session", column] = str(session)
        await connection.execute(
            "INSERT INTO session (id, account_id, device_id, created_at, used_at, expires_at) "
            "VALUES ($1, $2, $3, now(), now(), now() + interval '1 day')",
            session,
            world.running.ground[name].id,
            world.plant(f"{column} device"),
        )
    world.own["account", "organiser"] = world.ids["account", "organiser"]


async def _notices(world: World, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """A notice that has failed and is still of use, in each fair (N3)."""
    for place, recipient in (("acme", "holder"), ("far", "other_fair")):
        world.ids["notice", place] = str(notice := uuid4())
        await connection.execute(
            "INSERT INTO notice (id, fair_id, subject, subject_id, kind, recipient_id, side, channel, priority, due_at, wanted_at,"
            " useless_at, state, reason, created_at, ended_at) SELECT $1, fair_id, 'booking', $1, 'assigned', id, 'team', 'sms', 1, now(),"
            " now(), now() + interval '1 day', 'failed', 'refused', now(), now() FROM account WHERE id = $2::uuid",
            notice,
            world.ids["account", recipient],
        )


async def _slots(world: World, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """A slot of each exhibitor, ten days ahead, and places in line for whom a seat is held."""
    for place, main in (("acme", "main"), ("rival", "other_exhibitor"), ("far", "other_fair")):
        for name, ahead in ((place, 10), (f"waited {place}", 11)):
            reply = await world.http.ok(world.tokens[main], "slots.create", starts_at=world.half_hour(days=ahead))
            world.ids["slot", name] = reply["slot"]["id"]
    for place, buyer, slot in (
        ("buyer", "buyer", "acme"),
        ("other_buyer", "other_buyer", "acme"),
        ("far", "far_buyer", "far"),
    ):
        world.ids["place", place] = str(uuid4())
        await connection.execute(
            "INSERT INTO place (id, slot_id, buyer_id, topic, at, offered_at, expires_at) "
            "VALUES ($1::uuid, $2::uuid, $3::uuid, $4, now(), now(), now() + interval '1 day')",
            world.ids["place", place],
            world.ids["slot", f"waited {slot}"],
            world.ids["account", buyer],
            world.plant(f"{place} place topic"),
        )


async def _bookings(world: World, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """A meeting of each chat, `held` received by former and then by holder; one that is pending; proposals of either side."""
    sql = parse_queries(files("tests.meetings").joinpath("booth.sql").read_text("utf-8"), "booth.sql")
    http, tokens, ids = world.http, world.tokens, world.ids
    now = world.running.node.clock.now()
    for number, (place, buyer, main, receivers) in enumerate(
        (
            ("held", "buyer", "main", ("former", "holder")),
            ("pending", "buyer", "main", ()),
            ("colleague", "other_buyer", "main", ("main",)),
            ("rival", "other_buyer", "other_exhibitor", ("other_exhibitor",)),
            ("far", "far_buyer", "other_fair", ("other_fair",)),
        )
    ):
        slot = await http.ok(tokens[main], "slots.create", starts_at=world.half_hour(days=70 + number))
        ids["booking", place] = booking = str(uuid4())
        facts = (slot["slot"]["id"], ids["account", buyer], world.plant(f"{place} topic"), now)
        await connection.execute(sql["booking"], booking, *facts)
        for receiver in receivers:
            args: dict[str, Any] = {
                "booking": booking,
                "receiver": ids["account", receiver],
                "confirm_unreachable": True,
            }
            await http.ok(tokens[main], "bookings.assign", **args)
    for number, (place, booking, who, main) in enumerate(
        (
            ("by_buyer", "held", "buyer", "main"),
            ("by_team", "colleague", "main", "main"),
            ("rival", "rival", "other_exhibitor", "other_exhibitor"),
            ("far", "far", "other_fair", "other_fair"),
        )
    ):
        slot = await http.ok(tokens[main], "slots.create", starts_at=world.half_hour(days=80 + number))
        wanted: dict[str, Any] = {
            "booking": ids["booking", booking],
            "slot": slot["slot"]["id"],
            "note": world.plant(f"{place} note"),
        }
        reply = await http.ok(tokens[who], "bookings.propose", **wanted)
        ids["proposal", place] = reply["booking"]["proposal"]["id"]
    for column in ("buyer", "far_buyer"):
        await connection.execute(
            "UPDATE buyer SET interests = interests || ARRAY['Machinery'] WHERE account_id = $1::uuid",
            ids["account", column],
        )


async def _rooms(world: World, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """A meeting that can be entered and one that is over, received as `held` is; links, a colleague invited to `held`, guests."""
    sql = parse_queries(files("tests.meetings").joinpath("booth.sql").read_text("utf-8"), "booth.sql")
    http, tokens, ids = world.http, world.tokens, world.ids
    now = world.running.node.clock.now()
    for place, hours in (("soon", 2), ("over", -3)):
        slot, ids["booking", place] = str(uuid4()), str(uuid4())
        starts_at = now + timedelta(hours=hours)
        await connection.execute(
            sql["slot"], slot, ids["exhibitor", "acme"], starts_at, starts_at + timedelta(minutes=30), now
        )
        await connection.execute(sql["booking"], ids["booking", place], slot, ids["account", "buyer"], "", now)
        for number, receiver in enumerate(("former", "holder")):
            await connection.execute(sql["receiver"], ids["booking", place], number + 1, ids["account", receiver], now)
        await connection.execute(sql["assigned"], ids["booking", place], ids["account", "holder"])
    held, colleague = ids["booking", "held"], ids["account", "acme"]
    await http.ok(tokens["holder"], "meetings.invite", booking=held, account=colleague)
    for place, who, booking in (
        ("buyer", "buyer", "held"),
        ("team", "holder", "held"),
        ("rival", "other_exhibitor", "rival"),
        ("far", "other_fair", "far"),
    ):
        made = await http.ok(tokens[who], "meetings.invite", booking=ids["booking", booking])
        ids["invitation", place], ids["guest", place] = made["id"], str(uuid4())
        where = ids["booking", "soon" if booking == "held" else booking]
        side = "buyer" if place == "buyer" else "team"
        await connection.execute(sql["guest"], ids["guest", place], where, side, now)


async def _flush(world: World) -> None:
    """Searches find what was said."""
    async with asyncio.timeout(10):
        while True:
            token = world.tokens["main"]
            found = await world.http.ok(token, "chat.search", query="motorcycle")
            if len(found.get("hits", ())) >= 4:
                return
