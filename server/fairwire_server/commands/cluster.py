"""`cluster`: several nodes, a worker, PostgreSQL and Valkey on this machine behind one address, to try things on.

The nodes listen on the same port (SO_REUSEPORT), so that the system spreads connections over them as a balancer would. One that
ends is started again.
"""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import click
import msgspec

from fairwire_server.bus.embedded import embedded_valkey
from fairwire_server.clock import SystemClock
from fairwire_server.commands.common import database_url, run
from fairwire_server.database.migrate import migrate_database
from fairwire_server.database.pool import Database
from fairwire_server.importing.demo.install import DemoAccounts, ensure_demo
from fairwire_server.settings import Settings, environment_with, from_environment

__all__ = ["command"]

READY_S: Final = 90.0
STOP_S: Final = 35.0
AGAIN_S: Final = 1.0
ADMIN: Final = re.compile(r"health and metrics (http://\S+)")


@click.command()
@click.option("--nodes", type=click.IntRange(1, 64), default=2, show_default=True, help="How many nodes.")
def command(nodes: int) -> None:
    """Run several nodes and a worker on this machine until SIGTERM or Ctrl-C.

    PostgreSQL and Valkey are started beside them, unless FAIRWIRE_DATABASE_URL and FAIRWIRE_REDIS_URL name others. All nodes take
    connections on FAIRWIRE_HOST:FAIRWIRE_PORT; their health and metrics stand on ports of their own, from FAIRWIRE_ADMIN_PORT on,
    and the worker's on the one after.

    \b
    Example:
      FAIRWIRE_DEMO=1 python -m fairwire_server cluster --nodes 2
    """
    run(_cluster(from_environment(), nodes))


@dataclass
class _Part:
    """One process of the cluster, kept running until `stopping`."""

    name: str
    command: str
    environment: dict[str, str]
    stopping: asyncio.Event
    admin: str = ""
    pid: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Start it, and again whenever it ends by itself; at the end tell it to stop and wait for that."""
        while not self.stopping.is_set():
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "fairwire_server", self.command,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env=self.environment,
                start_new_session=True,
            )  # fmt: skip
            self.pid = process.pid
            listening = asyncio.create_task(self._listen(process))
            try:
                await _either(listening, self.stopping)
                if self.stopping.is_set():
                    await _end(process, listening)
                    return
            except asyncio.CancelledError:
                await _end(process, listening)
                raise
            code = await process.wait()
            if not self.ready.is_set():
                raise click.ClickException(f"{self.name} did not start (code {code}).")
            click.echo(f"{self.name} ended with code {code}; starting it again", err=True)
            await asyncio.sleep(AGAIN_S)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """What it says goes on with its name in front; its greeting is the cluster's business."""
        assert process.stderr is not None
        greeting = True
        async for line in process.stderr:
            text = line.decode(errors="replace").rstrip()
            if (found := ADMIN.search(text)) is not None:
                self.admin = found[1]
                self.ready.set()
            elif text and (not greeting or text.startswith(("{", "Error", "20"))):
                click.echo(f"{self.name} | {text}", err=True)
            greeting = greeting and "Ctrl-C stops it" not in text and self.command == "serve"


async def _either(task: asyncio.Task[None], event: asyncio.Event) -> None:
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def _end(process: asyncio.subprocess.Process, listening: asyncio.Task[None]) -> None:
    """SIGTERM, and SIGKILL for one that does not mind."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    await listening


async def _cluster(settings: Settings, nodes: int) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database_url(settings))
        await migrate_database(url)
        demo = await _demo(settings, url)
        bus = settings.redis_url or await stack.enter_async_context(embedded_valkey())
        port = stack.enter_context(_reserved(settings.host, settings.port)).getsockname()[1]
        public = settings.public_url or f"http://{settings.host}:{port}"
        common = {
            "database_url": url, "redis_url": bus, "data_dir": settings.data_dir.absolute(), "port": port, "reuse_port": True,
            "public_url": public, "background": "worker",
        }  # fmt: skip
        settings = msgspec.structs.replace(settings, port=port, public_url=public)
        parts = [
            _Part(
                name,
                "serve" if number < nodes else "worker",
                environment_with(**common, admin_port=settings.admin_port + number if settings.admin_port else 0),
                stopping,
            )
            for number, name in enumerate([*(f"node {number + 1}" for number in range(nodes)), "worker"])
        ]
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        async with _all_running(parts):
            _tell(settings, parts, demo)
            await stopping.wait()
            click.echo("Stopping: telling every socket, finishing what is under way …", err=True)


@asynccontextmanager
async def _all_running(parts: list[_Part]) -> AsyncIterator[None]:
    """The body runs once all are ready; afterwards all are told to stop together and waited for."""
    tasks = [asyncio.create_task(part.run()) for part in parts]
    ready = asyncio.create_task(asyncio.wait_for(asyncio.gather(*(part.ready.wait() for part in parts)), READY_S))
    try:
        await asyncio.wait({ready, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                await task  # it could not start, and says why
        await ready
        yield
    finally:
        ready.cancel()
        for part in parts:
            part.stopping.set()
        await asyncio.gather(*tasks, return_exceptions=True)


def _reserved(host: str, port: int) -> socket.socket:
    """The port all nodes will share, kept from others by a socket that is bound and never listens."""
    one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        one.bind((host, port))
    except OSError as error:
        one.close()
        raise click.ClickException(f"Port {port} of {host} is not free ({error.strerror}).") from error
    return one


async def _demo(settings: Settings, url: str) -> DemoAccounts | None:
    """Before the nodes start, so that they do not make it side by side."""
    if not settings.demo:
        return None
    async with await Database.open(url, min_size=1, max_size=4, command_timeout=60) as database:
        return await ensure_demo(database, SystemClock())


def _tell(settings: Settings, parts: list[_Part], demo: DemoAccounts | None) -> None:
    click.echo(f"\n  Fairwire is running at {settings.public_url} on {len(parts) - 1} nodes", err=True)
    for part in parts:
        click.echo(f"  {part.name:<8} pid {part.pid:<8} health and metrics {part.admin}", err=True)
    if demo is not None:
        one = demo.accounts[0]
        click.echo(f"  Demo sign-ins are on the start page, for example {one.login} / {demo.password}", err=True)
    click.echo("  Ctrl-C stops all of it.\n", err=True)
