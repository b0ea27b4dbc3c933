"""A link to one server of the bus, by itself: what it was told and could not deliver is named, whenever its server dies (W4)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
import uvloop

from fairwire_server.bus.link import FAILURES, Link
from fairwire_server.bus.shards import read_url
from tests.harness.valkey import Valkey


def test_what_is_told_between_the_servers_end_and_the_links_is_lost_by_name_and_no_fault_w4() -> None:
    """On the server's own loop: there a transport that has ended raises when it is written to."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_told_too_late())


async def _told_too_late() -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    lost: list[UUID] = []

    def note(keys: Sequence[UUID]) -> None:
        lost.extend(keys)

    key = uuid4()
    async with Valkey() as valkey:
        server = read_url(valkey.url)
        link = Link(server.client(), server.alone(), bytes(16), lambda _: None, note)
        try:
            await link.open([b"channel"])
            await valkey.kill()
            with pytest.raises(FAILURES):
                await link.kept()
            assert link.tell(b"message", key)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        finally:
            await link.close()
    assert lost == [key]
    assert not faults
