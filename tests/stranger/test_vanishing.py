"""Clients that vanish in the middle of something, on the event loop of production: nothing is left behind, nothing is a fault (W12)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvloop
from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.chat.desk import until
from tests.harness.node import Running, running_node

TIMES = 30


def on_uvloop(database_url: str, tmp_path: Path, scene: Callable[[Running], Awaitable[None]]) -> list[Any]:
    """Runs a scene on a node under uvloop, whose closed transports refuse to write; what was logged above info."""

    async def play() -> None:
        async with running_node(database_url, tmp_path) as running:
            await scene(running)
            async with asyncio.timeout(5):  # half of the time that a slow reader is waited for
                await until(partial(_alone, running))

    with capture_logs() as logs, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())
    return [entry for entry in logs if entry["log_level"] not in {"debug", "info"}]


async def _alone(running: Running) -> bool:
    """Whether no socket is left, nor a task of one."""
    names = {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}
    return not running.node.ground.hub.sockets and "Hub._guarded" not in names


async def _greeted(running: Running) -> ClientConnection:
    address = running.url.replace("http", "ws", 1) + "/v1/socket"
    connection = await connect(address, subprotocols=[Subprotocol("fairwire.v1.json")], compression=None, proxy=None)
    hello = {"t": "hello", "protocol": [1, 1], "token": running.ground["buyer"].token, "device": {"id": uuid4().hex}}
    await connection.send(json.dumps(hello))
    assert json.loads(await connection.recv())["t"] == "welcome"
    return connection


def test_a_first_state_ends_with_its_client_w5_w12(database_url: str, tmp_path: Path) -> None:
    """It was waited for as for a slow reader, ten seconds long, and then counted as one."""

    async def scene(running: Running) -> None:
        for _ in range(TIMES):
            (await _greeted(running)).transport.abort()

    assert on_uvloop(database_url, tmp_path, scene) == []


def test_a_client_that_pings_and_goes_is_no_fault_w12(database_url: str, tmp_path: Path) -> None:
    async def scene(running: Running) -> None:
        for _ in range(TIMES):
            connection = await _greeted(running)
            await connection.ping()
            connection.transport.abort()

    assert on_uvloop(database_url, tmp_path, scene) == []
