"""Limits that all nodes count together (W12), and the sign-in throttle, whose steps every node takes (A9)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairwire_protocol.errors import Unavailable
from tests.cluster.conftest import Pair, two_nodes
from tests.cluster.test_two_nodes import settled
from tests.harness.peer import Peer, peer
from tests.harness.until import until
from tests.harness.valkey import Valkey

BURST = 30  # of `search`, at a factor of 1


@pytest.fixture
async def limited(database_url: str, tmp_path: Path) -> AsyncIterator[Pair]:
    """Two nodes with limits."""
    async with (
        Valkey() as valkey,
        two_nodes(database_url, tmp_path, (valkey.url, valkey.url), rate_factor=1.0) as (one, two),
    ):
        yield Pair(one, two, valkey)


async def searches(one: Peer, count: int) -> int:
    """How many of so many searches were let through."""
    codes = [(await one.call("chat.search", query="a")).get("code") for _ in range(count)]
    assert set(codes) <= {None, "rate_limited"}
    return codes.count(None)


async def test_an_accounts_searches_are_counted_over_nodes_w12(limited: Pair) -> None:
    token = limited.ground["main"].token
    async with peer(limited.one.url, token) as here, peer(limited.two.url, token) as there:
        assert await searches(here, BURST - 5) == BURST - 5
        # The first node has let through nearly all; a few are refilled, five a second, while the calls are made.
        assert await searches(there, 25) < 20


async def test_without_the_bus_each_node_counts_for_itself_w12(limited: Pair) -> None:
    token = limited.ground["main"].token
    async with peer(limited.one.url, token) as here, peer(limited.two.url, token) as there:
        assert await searches(here, BURST - 5) == BURST - 5
        await limited.valkey.kill()
        await until(lambda: not limited.two.node.bus.connected)
        assert await searches(there, BURST) == BURST


async def test_wrong_passwords_at_one_node_slow_the_next_try_at_another_a9(limited: Pair) -> None:
    one, two = limited.one.node.services.throttle, limited.two.node.services.throttle
    for _ in range(10):
        one.failed(one.enter("password", "main", "192.0.2.7", None))
    await settled(limited.one, limited.two)
    with pytest.raises(Unavailable, match="rate_limited"):
        two.enter("password", "main", "192.0.2.7", None)
    two.enter("password", "main", "198.51.100.9", None)  # from elsewhere the owner is not kept out
