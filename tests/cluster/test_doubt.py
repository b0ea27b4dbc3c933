"""COMMIT without an answer: what was written and told to nobody is found by whoever it concerns, and soon (W4, W7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from fairwire_server.database.queries import parse_queries
from tests.cluster.test_two_nodes import seqs
from tests.harness.node import Running, running_node
from tests.harness.peer import peer
from tests.harness.proxy import FaultProxy, fault_proxy
from tests.harness.until import until
from tests.harness.valkey import Valkey
from tests.hub.wire import chat

SQL = parse_queries(files("tests.faults").joinpath("commit.sql").read_text("utf-8"), "commit.sql")
PROMPT_S = 10.0
"""Well below a beat, which would find it too (W11)."""


@asynccontextmanager
async def line_to(database_url: str) -> AsyncIterator[tuple[FaultProxy, str]]:
    """A line to the database that can fail, and the database's address by it."""
    parts = urlsplit(database_url)
    where = parse_qs(parts.query)
    path = Path(where["host"][0], f".s.PGSQL.{where['port'][0]}")
    async with fault_proxy(path) as line:
        yield line, f"postgresql://{parts.username}@127.0.0.1:{line.port}{parts.path}?sslmode=disable"


@asynccontextmanager
async def two(database_url: str, folder: Path, valkey: Valkey) -> AsyncIterator[tuple[Running, Running, FaultProxy]]:
    """Two nodes; the first reaches the database by a line that can fail, and is impatient."""
    async with (
        line_to(database_url) as (line, by_line),
        running_node(by_line, folder, redis_url=valkey.url, command_timeout_s=1.0) as one,
        running_node(database_url, folder, ground=one.ground, redis_url=valkey.url) as other,
    ):
        yield one, other, line


async def test_a_message_whose_commit_was_never_answered_reaches_everybody_w4_w7(
    database_url: str, tmp_path: Path, valkey: Valkey
) -> None:
    """The sender does not try again: nobody else would tell. Its receiver is at both nodes."""
    async with two(database_url, tmp_path, valkey) as (one, other, line):
        ground, hand = one.ground, await asyncpg.connect(database_url)
        try:
            await hand.execute(SQL["wait_for_lock"])
            await hand.execute(SQL["wait_for_lock_at_commit"])
            async with (
                peer(one.url, ground["buyer"].token) as buyer,
                peer(one.url, ground["main"].token, device="near") as near,
                peer(other.url, ground["main"].token, device="far") as far,
            ):
                conversation = await chat(one, buyer)
                before = (await buyer.ok("chat.send", conversation=conversation, text="before"))["seq"]
                for receiver in (near, far):
                    await until(lambda r=receiver: before in seqs(r, conversation))  # type: ignore[misc]
                await hand.execute(SQL["hold_lock"])
                call = {"conversation": conversation, "text": "wait", "kind": "text"}
                cid = "00000000-0000-4000-8000-0000000000a1"
                await buyer.send({"t": "call", "cid": cid, "op": "chat.send", "args": call})

                async def committing() -> bool:
                    return bool(await hand.fetchval(SQL["waits_for_lock"]))

                await until(committing)
                line.up.set(blackhole=True)
                line.down.set(blackhole=True)
                await hand.execute(SQL["let_lock_go"])
                answer = await buyer.wait(t="error", cid=cid)
                assert answer["retry_after_ms"] > 0, "what became of it is not known"
                line.up.heal()
                line.down.heal()
                for receiver in (near, far):
                    await until(lambda r=receiver: before + 1 in seqs(r, conversation), PROMPT_S)  # type: ignore[misc]
                    assert seqs(receiver, conversation) == sorted(set(seqs(receiver, conversation)))
                again = await buyer.call("chat.send", cid=cid, **call)
                assert again["result"]["seq"] == before + 1, "one effect, the same reply"
        finally:
            await hand.close()
