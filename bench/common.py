"""What the benches share: the real server as a process on its own core, references, and what the processor did.

A bench alternates between ours and its reference in one session. Server and reference share one core, the load generator has
the other; PostgreSQL is where the bench says. `bench.report` has the form of the figures.
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fairwire_server.database.engine import EmbeddedEngine
from fairwire_server.database.migrate import migrate_database

__all__ = [
    "SECRET", "SERVE", "Cores", "Meter", "Served", "database", "fairwire", "logged", "more_files", "nodes", "on_core", "postmaster",
    "process_tree", "resident_kib", "serving", "spent",
]  # fmt: skip

SECRET: Final = "the secret of a bench installation, known to its load generator"
SERVE: Final = ("-m", "fairwire_server", "serve")
START_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core serves and which one loads; the same one where there is only one."""

    server: int
    load: int

    @classmethod
    def of_machine(cls) -> Cores:
        """The first and the last core that this process may use."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[0], usable[-1])


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started inside runs on `core` and stays there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def more_files(wanted: int = 65_536) -> None:
    """As many open files as the system allows, up to `wanted`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if limit > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


# processes


@asynccontextmanager
async def database(core: int, tuning: Mapping[str, str] | None = None) -> AsyncIterator[tuple[EmbeddedEngine, Path]]:
    """A migrated, durable PostgreSQL of the bench's own on that core, in a folder that is removed."""
    folder = Path(tempfile.mkdtemp(prefix="fairwire-bench-"))
    engine = EmbeddedEngine(folder, tuning=tuning)
    try:
        with on_core(core):
            await engine.start()
        await migrate_database(engine.dsn())
        yield engine, folder
    finally:
        await engine.stop()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Served:
    """A process that serves."""

    pid: int
    host: str
    port: int


@asynccontextmanager
async def serving(
    cores: Cores, command: Sequence[str], ready: str, folder: Path, **environment: str
) -> AsyncIterator[Served]:
    """`python COMMAND` on the server's core, once it has written a line with `ready` and its address to its standard error."""
    log = new_log(folder)
    with log.open("wb") as out, on_core(cores.server):
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdout=out, stderr=out, env={**os.environ, **environment}
        )
    try:
        yield await _until_ready(process, log, ready)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def nodes(cores: Cores, count: int, folder: Path, environment: Mapping[str, str]) -> AsyncIterator[list[Served]]:
    """Fairwire in `count` processes: the first on the server's core, the others on the generator's."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                serving(
                    Cores(server=cores.load if number else cores.server, load=cores.load),
                    SERVE,
                    "running at",
                    folder,
                    **environment,
                )
            )
            for number in range(count)
        ]


def new_log(folder: Path) -> Path:
    """Where the next process of a bench writes; the last one is its newest."""
    return folder / f"{len(list(folder.glob('*.err')))}.err"


def logged(folder: Path) -> str:
    """What the process started last has written."""
    return (folder / f"{len(list(folder.glob('*.err'))) - 1}.err").read_text("utf-8", "replace")


async def _until_ready(process: asyncio.subprocess.Process, log: Path, ready: str) -> Served:
    async with asyncio.timeout(START_S):
        while process.returncode is None:
            found = re.search(rf"{ready}\D*([\d.]+):(\d+)", logged(log.parent))
            if found is not None:
                return Served(process.pid, found[1], int(found[2]))
            await asyncio.sleep(0.05)
    raise RuntimeError(f"It did not start:\n{logged(log.parent)}")


def fairwire(engine: EmbeddedEngine, folder: Path, **settings: object) -> dict[str, str]:
    """The environment of a server on that database: no rate limits, free ports, warnings only."""
    chosen: dict[str, object] = {
        "database_url": engine.dsn(),
        "data_dir": folder,
        "port": 0,
        "admin_port": 0,
        "secret": SECRET,
        "rate_factor": 0,
        "log_level": "warning",
        **settings,
    }
    return {f"FAIRWIRE_{name.upper()}": str(value) for name, value in chosen.items()}


# what the processor did


def spent(*pids: int) -> float:
    """Seconds of CPU that these processes, with all their threads, have used so far."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0])
            except (OSError, ValueError):  # a thread or process that has just ended
                continue
    return total / 1e9


def process_tree(root: int) -> list[int]:
    """A process and all below it, as PostgreSQL's postmaster and its backends."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def postmaster(folder: Path) -> int:
    """The first process of the PostgreSQL in that folder."""
    return int(next(folder.rglob("postmaster.pid")).read_text().split()[0])


def resident_kib(pid: int) -> int:
    """The process's resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


class Meter:
    """Seconds of wall clock and CPU since it was made or read last: of a server or several, of a PostgreSQL, and of this process."""

    def __init__(self, server: int, postmaster: int | None = None, *more_servers: int) -> None:
        self._servers = (server, *more_servers)
        self._postmaster = postmaster
        self._before = self._now()

    def _now(self) -> tuple[float, float, float, float]:
        backends = () if self._postmaster is None else process_tree(self._postmaster)
        return time.perf_counter(), spent(*self._servers), spent(*backends), time.process_time()

    def read(self) -> Spent:
        """What was used since, and begin anew."""
        now = self._now()
        used = Spent(*(one - other for one, other in zip(now, self._before, strict=True)))
        self._before = now
        return used


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds."""

    wall: float
    server: float
    database: float
    own: float

    @property
    def generator(self) -> float:
        """This process's share of its core."""
        return self.own / self.wall
