"""Mutated frames: a typed error or the documented close, never an exception, and the node is as well as before (W13, issue: bad input).

Three nets: the protocol core alone takes very many frames of any kind; a real node takes thousands that are readable and wrong
behind the frame; and every field of every operation takes every wrong type by both doors. `make soak` runs the first with a
million frames.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from fairwire_protocol.codec import CODECS
from fairwire_protocol.errors import CODES, Close
from fairwire_protocol.operations import CATALOGUE
from fairwire_protocol.session import FrameRefused, ServerSession, Violation
from tests.harness.peer import peer
from tests.harness.postgres import Cluster
from tests.hub.mutation import FEW, WRONG, mutated_bytes, mutated_frame, packed
from tests.hub.wire import chat, hello, raw
from tests.permissions.requests import request_of
from tests.permissions.table import COLUMNS, OPERATIONS, Row
from tests.permissions.world import World, open_world

CALM = {"auth.sign_out", "auth.revoke", "organiser.suspend", "team.remove", "team.update", "organiser.set_capabilities"}
"""Operations that, right by chance, would end a session that goes on being used."""
OUTCOMES = {"malformed", "invalid", "closed 4503", "closed 4504", "Hello", "Call", "Ack", "Refresh"}
TURNED_AWAY = {"forbidden", "unauthenticated", "suspended"}
DOCUMENTED = {1007, 1009, *map(int, Close)}


@pytest.fixture(scope="module")
async def world(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with postgres.database() as url, open_world(url, Path(tmp_path_factory.mktemp("fuzz"))) as world:
        yield world


def permitted(world: World) -> list[tuple[Row, str, dict[str, Any]]]:
    """For each operation a row, a column that it is done for, and the request."""
    found = []
    for entry in OPERATIONS:
        cells = [
            (row, column) for row in entry.rows for column in COLUMNS[1:] if row.expected[column] not in TURNED_AWAY
        ]
        row, column = min(cells, key=lambda cell: cell[0].expected[cell[1]] != "ok")
        found.append((row, column, request_of(world, row, column)))
    return found


async def is_healthy(world: World) -> None:
    """The node answers as on its first day."""
    async with ClientSession() as session:
        for path in ("/healthz", "/readyz"):
            async with session.get(world.running.url + path) as response:
                assert response.status == 200
    ground = world.running.ground
    async with (
        peer(world.running.url, ground["rival"].token) as rival,
        peer(world.running.url, ground["visitor"].token) as visitor,
    ):
        await visitor.ok("buyer.update_profile", profile={"full_name": "Ana"}, country="BR")
        conversation = await chat(world.running, visitor, "rival")
        await visitor.ok("chat.send", conversation=conversation, text="still well")
        while (await rival.event("message"))["message"].get("text") != "still well":
            pass


def seeds() -> list[dict[str, Any]]:
    """Valid frames of every kind."""
    cid, id_ = str(uuid4()), str(uuid4())
    positions = {"account": {"epoch": 1, "pos": 2}, "fair": {"epoch": 3, "pos": 4}}
    args = {"conversation": id_, "seq": 1, "text": "你好", "subjects": [{"kind": "account", "id": id_}], "note": "x"}
    return [
        hello("token", resume=positions, capabilities=["a"], language="zh"),
        {"t": "call", "cid": cid, "op": "chat.send", "args": args},
        {"t": "call", "cid": cid, "op": "account.show"},
        {"t": "ack", "pos": 5, "fair_pos": 6},
        {"t": "refresh", "token": "x"},
    ]


def batter(session: ServerSession, data: bytes) -> str:
    """What the core makes of the bytes; anything but its three answers is an exception, and the test's end."""
    try:
        frame = session.receive(data if session.codec.binary else data.decode("utf-8", "surrogateescape"))
    except FrameRefused as error:
        return error.code
    except Violation as violation:
        return f"closed {int(violation.close)}"
    return type(frame).__name__


def many(frames: int, seed: int) -> Counter[str]:
    """That many mutated frames through the core, half of them changed as bytes."""
    chance, outcomes = random.Random(seed), Counter[str]()
    kinds = seeds()
    greeting = {name: packed(kinds[0], codec.name) for name, codec in CODECS.items()}
    sessions: dict[str, ServerSession] = {}
    for number in range(frames):
        name = chance.choice(list(CODECS))
        session = sessions.get(name)
        if session is None:
            session = sessions[name] = ServerSession(CODECS[name])
            if chance.random() < 0.9:
                batter(session, greeting[name])
        frame = chance.choice(kinds)
        codec = session.codec.name
        data = (
            packed(mutated_frame(chance, frame), codec) if number % 2 else mutated_bytes(chance, packed(frame, codec))
        )
        outcome = batter(session, data)
        outcomes[outcome] += 1
        assert outcome in OUTCOMES
        if outcome.startswith("closed"):
            del sessions[name]
    return outcomes


def test_thirty_thousand_mutated_frames_through_the_core() -> None:
    outcomes = many(30_000, seed=11)
    print(outcomes)
    assert {"malformed", "invalid", "closed 4504", "Call", "Ack"} <= set(outcomes)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_million_mutated_frames_through_the_core() -> None:
    print(sum((many(100_000, seed) for seed in range(10)), Counter()))


@given(data=st.binary(max_size=300), name=st.sampled_from(list(CODECS)))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_at_all_through_the_core(data: bytes, name: str) -> None:
    session = ServerSession(CODECS[name])
    batter(session, packed(seeds()[0], session.codec.name))
    assert batter(session, data) in OUTCOMES


async def battered_socket(
    world: World, codec: str, frames: list[bytes], who: str, *, answers: int = 0
) -> tuple[Counter[str], int | None]:
    """Send frames, read everything; what came back and how it ended. A socket that lives is asked something at the end, and read
    until that and so many answers have come."""
    seen: Counter[str] = Counter()
    async with raw(world.running, codec) as one:
        await one.send(hello(world.tokens[who]))
        await one.until("live")

        async def read() -> None:
            ended = False
            while not ended or sum(seen.values()) < answers:
                frame = await one.receive()
                if frame["t"] == "error":
                    assert frame["code"] in CODES, frame
                    seen[frame["code"]] += 1
                elif frame["t"] == "reply":
                    seen["reply"] += 1
                    ended = ended or frame["cid"] == last

        last = str(uuid4())
        reader = asyncio.create_task(read())
        with suppress(ConnectionClosed):
            for data in frames:
                await one.send(data if codec == "msgpack" else data.decode())
            await one.send({"t": "call", "cid": last, "op": "account.show"})
        with suppress(ConnectionClosed):
            await reader
        return seen, one.connection.close_code


@pytest.mark.parametrize("codec", ["msgpack", "json"])
async def test_mutated_calls_reach_their_operations_and_are_answered(world: World, codec: str, log: list[str]) -> None:
    """Readable frames: thousands of calls with something wrong inside; an error each, nothing worse."""
    chance, seen, closes = random.Random(codec), Counter[str](), Counter[int | None]()
    rows = [one for one in permitted(world) if CATALOGUE[one[0].operation].socket and one[0].operation not in CALM]
    for row, column, args in rows:
        frames = []
        for _ in range(25):
            wrong = mutated_frame(chance, {"args": args})
            frames.append(packed({"t": "call", "cid": str(uuid4()), "op": row.operation, **wrong}, codec))
        answers, code = await battered_socket(world, codec, frames, column)
        seen += answers
        closes[code] += 1
    print(seen, closes)
    assert "internal" not in seen, log
    assert set(closes) <= {None, 1000} | DOCUMENTED
    await is_healthy(world)


async def test_bytes_gone_wrong_on_real_sockets(world: World, log: list[str]) -> None:
    chance, closes = random.Random(5), Counter[int | None]()
    for number in range(60):
        codec = ("msgpack", "json")[number % 2]
        frames = [mutated_bytes(chance, packed(chance.choice(seeds()), codec)) for _ in range(25)]
        if codec == "json":
            frames = [data.decode("utf-8", "replace").encode()[:65_536] for data in frames]
            frames = [data.decode("utf-8", "ignore").encode() for data in frames]
        _, code = await battered_socket(world, codec, frames, "main")
        closes[code] += 1
    print(closes)
    assert set(closes) <= {None, 1000} | DOCUMENTED
    assert closes[4504] > 30
    await is_healthy(world)


def wrong_requests(world: World, values: Sequence[Any] = WRONG) -> list[tuple[Row, str, dict[str, Any]]]:
    """Each field of each operation × each wrong value."""
    found = []
    for row, column, args in permitted(world):
        fields = CATALOGUE[row.operation].request.__struct_fields__
        for name in fields:
            found += [(row, column, {**args, name: value}) for value in values]
    return found


async def test_every_field_of_every_operation_with_every_wrong_value_over_the_socket(
    world: World, log: list[str]
) -> None:
    seen: Counter[str] = Counter()
    by_column: dict[str, list[bytes]] = {}
    for row, column, args in wrong_requests(world):
        if CATALOGUE[row.operation].socket and row.operation not in CALM:
            frame = {"t": "call", "cid": str(uuid4()), "op": row.operation, "args": args}
            by_column.setdefault(column, []).append(packed(frame, "msgpack"))
    for column, frames in by_column.items():
        answers, code = await battered_socket(world, "msgpack", frames, column, answers=len(frames) + 1)
        assert code in {None, 1000}, (column, code)
        seen += answers
    print(seen)
    assert seen["internal"] == 0, log
    assert sum(seen.values()) == sum(map(len, by_column.values())) + len(by_column)
    await is_healthy(world)


async def test_every_field_of_every_operation_with_wrong_values_of_every_type_over_http(
    world: World, log: list[str]
) -> None:
    seen: Counter[str] = Counter()
    room = asyncio.Semaphore(16)

    async def one(row: Row, column: str, args: dict[str, Any]) -> None:
        async with room:
            path = (CATALOGUE[row.operation].http or ("", ""))[1]
            sent = {
                name: "-" if "{" + name + "}" in path and not str(value).strip("./ ") else value
                for name, value in args.items()
            }
            sent = {
                name: json.dumps(value) if isinstance(value, list | dict) and "{" + name + "}" in path else value
                for name, value in sent.items()
            }
            answer = await world.http.call(world.tokens[column], row.operation, sent)
            assert answer.outcome in CODES or answer.outcome == "ok", (row, args, answer)
            seen[answer.outcome] += 1

    requests = [
        (row, column, args)
        for row, column, args in wrong_requests(world, FEW)
        if CATALOGUE[row.operation].http is not None
        and row.operation not in CALM
        and not CATALOGUE[row.operation].anonymous
    ]
    async with asyncio.TaskGroup() as group:
        for row, column, args in requests:
            group.create_task(one(row, column, args))
    print(seen)
    assert seen["internal"] == 0, log
    await is_healthy(world)
