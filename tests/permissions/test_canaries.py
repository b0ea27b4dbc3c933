"""Words that must not travel: planted where one column must not look, searched for in all that it ever got.

Every column reads whatever it can reach, asks by both doors for every id of the table, has sockets open while others write,
and resumes afterwards. All of it, bodies, headers, errors, snapshots, events, replays and images' addresses, is kept as text.
Then each canary is looked for: only who is named here may have met it, and somebody must have, or it was planted for nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from fairwire_protocol.operations import CATALOGUE
from tests.harness.peer import Peer, peer
from tests.harness.postgres import Cluster
from tests.permissions.requests import request_of, upload_of
from tests.permissions.table import COLUMNS, ROWS
from tests.permissions.world import CAST, World, open_world, say, upload

TEAM = {"main", "manager", "holder"}
"""acme's accounts that read the chat `held` as it is now (C9)."""
READERS = TEAM | {"former", "buyer"}

MAY_MEET: dict[str, set[str]] = {
    # texts (C9): each chat's own people; the organiser what a report names (A4)
    "held first text": READERS | {"organiser"},
    "held early text": READERS,
    "held late text": TEAM | {"buyer"},
    "held live text": TEAM | {"buyer"},
    "held handed text": {"main", "manager", "buyer"},
    "colleague first text": {"other_buyer", "main", "manager"},
    "colleague live text": {"other_buyer", "main", "manager"},
    "rival first text": {"other_buyer", "other_exhibitor"},
    "rival live text": {"other_buyer", "other_exhibitor"},
    "far first text": {"other_fair"},
    "far live text": {"other_fair"},
    "recalled text": set(),
    # notes (C8): the team within its scope, never a buyer; of an offer its parties and the holder
    "held early note": TEAM | {"former"},
    "held given note": TEAM | {"former"},
    "held late note": TEAM,
    "held back note": TEAM,
    "held live note": TEAM,
    "held offer note": {"holder", "manager"},
    "colleague offer note": {"main", "former"},
    "rival offer note": {"other_exhibitor"},
    "far offer note": {"other_fair"},
    # a buyer's basic data (K2): `buyer` is in acme's base from the start, `other_buyer` comes into the rival's while we look
    **{f"buyer {what}": READERS for what in ("full name", "company", "position", "email", "mobile")},
    **{
        f"other_buyer {what}": {"other_buyer", "other_exhibitor"}
        for what in ("full name", "company", "position", "email", "mobile")
    },
    **{f"visitor {what}": {"visitor"} for what in ("full name", "company", "position", "email", "mobile")},
    **{f"far_buyer {what}": set() for what in ("full name", "company", "position", "email", "mobile")},
    # addresses of exhibitor accounts: their own, and who manages them (A9)
    **{f"{column} email": {column, "main"} for column in ("main", "manager", "holder", "former", "exhibit")},
    **{f"{column} mobile": {column, "main"} for column in ("main", "manager", "holder", "former", "exhibit")},
    **{f"suspended {what}": {"main"} for what in ("email", "mobile")},
    **{f"{column} {what}": {column} for column in ("other_exhibitor", "other_fair", "organiser") for what in ("email", "mobile")},
    # sessions are everybody's own (A5)
    **{f"{column} device": {column} for column in CAST if column != "suspended"},
    "suspended device": set(),
    # moderation is the organiser's (C18)
    "acme report reason": {"organiser"},
    "far report reason": set(),
    "organiser keyword": {"organiser"},
    "far_organiser keyword": set(),
    # what a buyer waits for is its own business until it has a booking (M13)
    "buyer place topic": {"buyer"},
    "other_buyer place topic": {"other_buyer"},
    "far place topic": set(),
    # announcements stay in their fair (A1)
    "announcement one": set(COLUMNS) - {"anonymous", "other_fair", "suspended"},
    "announcement two": {"other_fair"},
    # topics of bookings and notes of proposals (A7): who sees the booking, and who is in the chat of its card
    "held topic": READERS,
    "by_buyer note": READERS,
    "pending topic": {"buyer", "main", "manager"},
    "colleague topic": {"other_buyer", "main", "manager"},
    "by_team note": {"other_buyer", "main", "manager"},
    "rival topic": {"other_buyer", "other_exhibitor"},
    "rival note": {"other_buyer", "other_exhibitor"},
    "far topic": {"other_fair"},
    "far note": {"other_fair"},
    # ids of images (C4, C9)
    "image early": READERS | {"organiser"},
    "image late": TEAM | {"buyer"},
    "image live": TEAM | {"buyer"},
    "image colleague": {"other_buyer", "main", "manager"},
    "image sent_rival": {"other_buyer", "other_exhibitor"},
    "image sent_far": {"other_fair"},
    "image recalled": set(),
    **{f"image own {column}": set() for column in COLUMNS if column not in {"anonymous", "exhibit", "suspended", "organiser"}},
    # ids of chats: who may not see one does not even learn that there is one
    "chat held": READERS | {"organiser"},
    "chat colleague": {"other_buyer", "main", "manager", "former"},
    "chat rival": {"other_buyer", "other_exhibitor"},
    "chat far": {"other_fair"},
}  # fmt: skip
"""`former` learns the id of `colleague` by the offer made to it (C8); own unsent images are named by nobody, not even to their owner."""
NEVER_SHOWN = {name for name, columns in MAY_MEET.items() if not columns}


class Seen:
    """Everything a column got, as text."""

    def __init__(self) -> None:
        self.texts: dict[str, list[tuple[str, str]]] = defaultdict(list)

    def note(self, column: str, where: str, text: str) -> None:
        self.texts[column].append((where, text))

    def meets(self, canary: str) -> dict[str, str]:
        """Who met it, and where first."""
        found: dict[str, str] = {}
        for column, texts in self.texts.items():
            where = next((where for where, text in texts if canary in text), None)
            if where is not None:
                found[column] = where
        return found


async def test_no_canary_appears_where_it_must_not_a1_a4_c8_c9_c12_k2(postgres: Cluster, tmp_path: Path) -> None:
    seen = Seen()
    async with postgres.database() as url, open_world(url, tmp_path) as world:
        async with AsyncExitStack() as stack:
            peers = await open_sockets(world, stack)
            before = {column: resume_of(one) for column, one in peers.items()}
            await ask_for_everything(world, peers, seen)
            await live(world, peers)
            await ask_for_everything(world, peers, seen, reads_only=True)
            for column, one in peers.items():
                note_frames(seen, column, "socket", one)
        await replay(world, before, seen)
        planted = world.canaries | ids_of(world)
    assert set(planted) == set(MAY_MEET), set(planted) ^ set(MAY_MEET)
    wrong, unmet = [], []
    for name, canary in planted.items():
        met = seen.meets(canary)
        wrong += [f"{column} met {name} in {where}" for column, where in met.items() if column not in MAY_MEET[name]]
        if not met and name not in NEVER_SHOWN:
            unmet.append(name)
    assert not wrong, "\n".join(wrong)
    assert not unmet, f"nobody met {unmet}: they prove nothing"


def ids_of(world: World) -> dict[str, str]:
    """Ids that are canaries themselves."""
    images = ("early", "late", "live", "colleague", "sent_rival", "sent_far", "recalled")
    own = {f"image own {column}": id_ for (kind, column), id_ in world.own.items() if kind == "image"}
    chats = {f"chat {place}": world.ids["conversation", place] for place in ("held", "colleague", "rival", "far")}
    return {f"image {place}": world.ids["image", place] for place in images} | own | chats


async def open_sockets(world: World, stack: AsyncExitStack) -> dict[str, Peer]:
    """A live socket for every column that gets one, the codecs by turns."""
    return {
        column: await stack.enter_async_context(
            peer(world.running.url, world.tokens[column], codec=("msgpack", "json")[number % 2])
        )
        for number, column in enumerate(COLUMNS)
        if column not in {"anonymous", "suspended"}
    }


def resume_of(one: Peer) -> dict[str, Any]:
    """Where a peer stands."""
    return {
        "account": {"epoch": one.account[0], "pos": one.account[1]},
        "fair": {"epoch": one.fair[0], "pos": one.fair[1]},
    }


def note_frames(seen: Seen, column: str, where: str, one: Peer) -> None:
    for frame in one.heard:
        body = frame.get("body")
        kind = f"{frame['t']} {body['type']}" if isinstance(body, dict) else frame["t"]
        seen.note(column, f"{where}: {kind}", json.dumps(frame, ensure_ascii=False))


async def ask_for_everything(world: World, peers: dict[str, Peer], seen: Seen, *, reads_only: bool = False) -> None:
    """Every cell of the table that changes nothing: what reads by both doors, and, while the table holds, what is refused."""
    for row in ROWS:
        operation = CATALOGUE[row.operation]
        reads = operation.effect == "read"
        for column in COLUMNS:
            if not reads and (reads_only or row.expected[column] in {"ok", "nothing"} or column not in peers):
                continue
            if operation.anonymous and operation.rate == "sign_in":
                continue
            args = request_of(world, row, column)
            if operation.http is not None and not (reads_only and operation.socket):
                answer = await world.http.call(
                    world.tokens.get(column), row.operation, args, body=upload_of(row.operation)
                )
                seen.note(column, f"http {row.operation} {row.name}", answer.seen)
            if reads and operation.socket and column in peers:
                await peers[column].call(row.operation, **args)
    for column in COLUMNS:
        for query in ("motorcycle", "canary", "Secret", "先"):
            answer = await world.http.call(world.tokens.get(column), "chat.search", {"query": query, "limit": 100})
            seen.note(column, f"search {query}", answer.seen)


async def live(world: World, peers: dict[str, Peer]) -> None:
    """Everybody is connected while things happen."""
    http, tokens = world.http, world.tokens
    conversation = world.ids["conversation", "held"]
    await say(world, "buyer", "held", text=f"motorcycle {world.plant('held live text')}")
    world.ids["image", "live"] = image = await upload(world, "buyer")
    await say(world, "buyer", "held", image=image)
    for place, who in (("colleague", "other_buyer"), ("rival", "other_buyer"), ("far", "far_buyer")):
        await say(world, who, place, text=f"motorcycle {world.plant(f'{place} live text')}")
    await http.ok(tokens["other_exhibitor"], "customers.add", buyer=world.ids["account", "other_buyer"])
    note = world.plant("held live note")
    await http.ok(
        tokens["holder"], "chat.transfer", conversation=conversation, to=world.ids["account", "manager"], note=note
    )
    await say(world, "buyer", "held", text=f"motorcycle {world.plant('held handed text')}")
    await http.ok(tokens["buyer"], "account.update", name="Renamed 先生")
    await http.ok(tokens["manager"], "chat.handle", conversation=conversation)
    await http.ok(tokens["buyer"], "chat.recall", conversation=conversation, seq=1)
    for organiser, fair in (("organiser", "one"), ("far_organiser", "two")):
        await http.ok(tokens[organiser], "fair.announce", title=world.plant(f"announcement {fair}"))
    async with asyncio.timeout(10):
        for one in peers.values():
            await one.event("announcement")  # each account's own events were pushed before


async def replay(world: World, before: dict[str, Any], seen: Seen) -> None:
    """What was missed since, once more from the log (W6); and what a stranger's position gives."""
    recalled = world.canaries["held first text"]
    for column, position in before.items():
        async with peer(world.running.url, world.tokens[column], resume=position) as one:
            assert one.heard[1]["resumed"] is True, column
            note_frames(seen, column, "replay", one)
            assert recalled not in json.dumps(one.heard), "a recalled text was replayed (C12)"
        async with peer(world.running.url, world.tokens[column], resume=before["main"]) as one:
            note_frames(seen, column, "resume at main's position", one)
