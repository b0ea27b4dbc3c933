"""What falls due is done by a worker where nodes leave it to one, and heard of by sockets at every node (C8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from fairwire_server.compose import open_node
from fairwire_server.database.pool import Database
from tests.cluster.conftest import two_nodes
from tests.harness.clock import ManualClock
from tests.harness.node import Running, running_node
from tests.harness.peer import peer
from tests.harness.valkey import Valkey
from tests.hub.wire import chat, passes


async def _an_offer_expires(node: Running, url: str, clock: ManualClock) -> None:
    """Somebody is asked to take a chat over and says nothing; the worker gives it back, and the holder is told."""
    ground = node.ground
    settings = msgspec.structs.replace(node.node.settings, database_url=url)
    async with (
        peer(node.url, ground["buyer"].token) as buyer,
        peer(node.url, ground["main"].token) as main,
        await Database.open(url, min_size=1, max_size=4) as database,
    ):
        conversation = await chat(node, buyer)
        if (await main.ok("chat.show", conversation=conversation))["entry"]["holder"]["id"] != str(ground["main"].id):
            await main.ok("chat.take_over", conversation=conversation)
        await main.ok("chat.transfer", conversation=conversation, to=str(ground["sales"].id), ask_first=True)
        await passes(clock, 125.0, step=5.0)
        assert not [f for f in main.heard if f["t"] == "event" and f["body"]["type"] == "offer_closed"], "nobody did it"
        async with open_node(settings, database, clock, worker=True):
            await passes(clock, 2.0)
            closed = await main.event("offer_closed")
        assert closed["outcome"] == "expired"


@pytest.fixture
def options() -> dict[str, Any]:
    """Nodes that leave it to a worker, and hardly ever beat."""
    return {"background": "worker", "beat_interval_s": 36_000.0, "beat_answer_s": 30_000.0}


async def test_a_worker_beside_a_node_without_redis_c8(
    database_url: str, tmp_path: Path, clock: ManualClock, options: dict[str, Any]
) -> None:
    async with running_node(database_url, tmp_path, clock, **options) as node:
        await _an_offer_expires(node, database_url, clock)


async def test_a_worker_beside_two_nodes_c8(
    database_url: str, tmp_path: Path, clock: ManualClock, valkey: Valkey, options: dict[str, Any]
) -> None:
    async with two_nodes(database_url, tmp_path, (valkey.url, valkey.url), clock, **options) as (_, two):
        await _an_offer_expires(two, database_url, clock)
