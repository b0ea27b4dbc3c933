"""Nodes as processes behind one address: killed under load one after the other, and the command that runs all of it (W6, W7, W14)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.faults.crew import crew, seed
from tests.harness.server import ServerProcess
from tests.harness.until import until
from tests.harness.valkey import Valkey


@asynccontextmanager
async def nodes(
    folder: Path, count: int, module: str = "fairwire_server", /, **settings: object
) -> AsyncIterator[list[ServerProcess]]:
    """Processes that share a port, kept from others by a socket that never listens."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        servers = [ServerProcess(folder, "serve", module, reuse_port=True, **settings) for _ in range(count)]
        try:
            for server in servers:
                server.port = reserved.getsockname()[1]
                await server.start()
            yield servers
        finally:
            for server in servers:
                await server.stop()


async def _killed(database_url: str, folder: Path, valkey: Valkey, times: int, *, bus_too: bool = False) -> None:
    ground = await seed(database_url, data_dir=folder)
    settings = {"database_url": database_url, "redis_url": valkey.url}
    async with nodes(folder, 2, **settings) as servers, crew(servers[0].url, ground) as them:
        async with them.talking():
            for number in range(times):
                server = servers[number % 2]
                await server.kill()
                await them.more(40)  # the other node serves everybody meanwhile
                if bus_too and number % 4 == 1:
                    await valkey.kill()
                    await them.more(20)
                    await valkey.start()
                await server.start()
                await them.more(40)
        report = them.report()
        print(report)
        report.assert_clean()


async def test_kill_9_of_one_of_two_nodes_under_load_loses_nothing_w6_w7(database_url: str, tmp_path: Path) -> None:
    async with Valkey() as valkey:
        await _killed(database_url, tmp_path, valkey, times=2)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_kill_9_of_nodes_and_of_the_bus_twenty_times_w6_w7(database_url: str, tmp_path: Path) -> None:
    async with Valkey() as valkey:
        await _killed(database_url, tmp_path, valkey, times=20, bus_too=True)


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_a_node_frozen_for_ten_seconds_loses_nothing_and_is_not_forgotten_w4(
    database_url: str, tmp_path: Path
) -> None:
    ground = await seed(database_url, data_dir=tmp_path)
    async with Valkey() as valkey:
        settings = {"database_url": database_url, "redis_url": valkey.url}
        async with nodes(tmp_path, 2, **settings) as servers, crew(servers[0].url, ground) as them:
            async with them.talking():
                servers[0].send(signal.SIGSTOP)
                await asyncio.sleep(10)  # the fault itself lasts this long
                servers[0].send(signal.SIGCONT)
                await them.more(60)
            report = them.report()
            print(report)
            report.assert_clean()


async def test_one_of_two_nodes_drains_and_the_other_takes_its_people_over_w14(
    database_url: str, tmp_path: Path
) -> None:
    ground = await seed(database_url, data_dir=tmp_path)
    async with Valkey() as valkey:
        settings = {"database_url": database_url, "redis_url": valkey.url}
        async with nodes(tmp_path, 2, **settings) as servers, crew(servers[0].url, ground) as them:
            async with them.talking():
                code = await servers[0].end(signal.SIGTERM)
                await them.more(60)
            report = them.report()
            print(report)
            report.assert_clean()
            assert code == 0, servers[0].said
            assert "Traceback" not in servers[0].said, servers[0].said
            assert sum(device.snapshots for device in them.devices.values()) == len(them.devices), "resumed elsewhere"


async def test_a_second_server_without_redis_says_why_it_does_not_start(database_url: str, tmp_path: Path) -> None:
    await seed(database_url, data_dir=tmp_path)
    settings = {"database_url": database_url}
    async with nodes(tmp_path, 1, **settings):
        second = ServerProcess(tmp_path, **settings)
        with pytest.raises(AssertionError, match="Another server already runs on this database"):
            await second.start()
        assert "Traceback" not in second.said, second.said


class _Cluster:
    """The `cluster` command, and what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.said += line.decode()

    def pids(self) -> list[int]:
        return [int(pid) for pid in re.findall(r"node \d +pid (\d+)", self.said)]

    def admins(self) -> list[str]:
        return re.findall(r"health and metrics (http://[\d.:]+)", self.said)


async def test_the_cluster_command_runs_nodes_a_worker_and_what_they_need(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FAIRWIRE_")}
    environment |= {"FAIRWIRE_DATA_DIR": str(tmp_path), "FAIRWIRE_PORT": "0", "FAIRWIRE_ADMIN_PORT": "0"}
    async with AsyncExitStack() as stack:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fairwire_server", "cluster", "--nodes", "2",
            stderr=asyncio.subprocess.PIPE, env=environment,
        )  # fmt: skip
        cluster = _Cluster(process)
        stack.callback(cluster.reading.cancel)
        try:
            await until(lambda: "Ctrl-C stops" in cluster.said or process.returncode is not None, 60)
            found = re.search(r"running at (http://[\d.]+:\d+) on 2 nodes", cluster.said)
            assert found, cluster.said
            assert len(cluster.admins()) == 3, "two nodes and a worker"
            for admin in cluster.admins():
                assert json.loads(await asyncio.to_thread(_get, f"{admin}/readyz"))["ok"]
            metrics = await asyncio.to_thread(_get, f"{cluster.admins()[0]}/metrics")
            assert "fairwire_bus_connected 1.0" in metrics
            assert "Fairwire" in await asyncio.to_thread(_get, found[1])
            os.kill(cluster.pids()[0], signal.SIGKILL)
            await until(
                lambda: asyncio.to_thread(_serves, found[1]), 5
            )  # the other node; what the dead one had taken is reset
            await until(lambda: "node 1 ended with code -9; starting it again" in cluster.said)
        finally:
            if process.returncode is None:
                process.terminate()
            code = await process.wait()
            await cluster.reading
        assert code == 0, cluster.said
        assert "Traceback" not in cluster.said, cluster.said


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


def _serves(url: str) -> bool:
    try:
        return "Fairwire" in _get(url)
    except OSError:
        return False
