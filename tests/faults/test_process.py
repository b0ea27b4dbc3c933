"""The server's process dies, or is told to end, in the middle of everything: what was acknowledged is there, once, in order."""

from __future__ import annotations

import asyncio
import resource
import signal
import time
from pathlib import Path

import aiohttp
import pytest

from tests.faults.crew import crew, seed
from tests.harness.server import server_process


async def _killed(database_url: str, folder: Path, times: int) -> None:
    ground = await seed(database_url, data_dir=folder)
    async with server_process(folder, database_url=database_url) as server, crew(server.url, ground) as them:
        async with them.talking():
            for _ in range(times):
                await server.kill()
                ready = await server.start()
                await them.more(60)
                print(f"killed, ready again after {ready:.1f} s")
        report = them.report()
        print(report)
        report.assert_clean()
        assert sum(device.snapshots for device in them.devices.values()) == len(them.devices), (
            "resumed, not started over"
        )


async def test_kill_9_of_the_server_under_load_loses_nothing_w6_w7(database_url: str, tmp_path: Path) -> None:
    await _killed(database_url, tmp_path, times=2)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_kill_9_twenty_times_w6_w7(database_url: str, tmp_path: Path) -> None:
    await _killed(database_url, tmp_path, times=20)


async def test_sigterm_under_load_drains_and_loses_nothing_w14(database_url: str, tmp_path: Path) -> None:
    ground = await seed(database_url, data_dir=tmp_path)
    async with server_process(tmp_path, database_url=database_url) as server, crew(server.url, ground) as them:
        async with them.talking():
            began = time.monotonic()
            code = await server.end(signal.SIGTERM)
            took = time.monotonic() - began
            await server.start()
            await them.more(60)
        report = them.report()
        print(f"drained in {took:.1f} s; {report}")
        report.assert_clean()
        assert code == 0, server.said
        assert "Traceback" not in server.said, server.said
        assert took <= 30
        codes = {event for device in them.devices.values() for event in device.ends}
        assert "the node is going away" in codes, codes


async def test_a_node_takes_more_sockets_than_its_shell_allows_files(database_url: str, tmp_path: Path) -> None:
    """A login shell and many engines of containers give a process 1,024 open files, and a node is made for 15,000 sockets."""
    await seed(database_url, data_dir=tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    try:
        starting = server_process(tmp_path, database_url=database_url)
        server = await starting.__aenter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            sockets = await asyncio.gather(*(client.ws_connect(f"{server.url}/v1/socket") for _ in range(200)))
            assert len(sockets) == 200
    finally:
        await starting.__aexit__(None, None, None)
