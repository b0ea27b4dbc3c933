"""What the benches share: the real server as a process on its own core, references, figures and what the processor did.

A bench alternates between ours and its reference in one session and reports the median of the ratios: the speed of a machine
changes within minutes, and a ratio of two neighbouring seconds does not care. Server, PostgreSQL and reference share one core,
the load generator has the other; a run whose generator was busier than `BUSY` of its core does not count and says so.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
import resource
import shlex
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from fairwire_server.database.engine import EmbeddedEngine
from fairwire_server.database.migrate import migrate_database

__all__ = [
    "BUSY", "PAIRS", "SECRET", "Cores", "Served", "database", "headline", "more_files", "on_core", "process_tree", "ratio_line",
    "say", "serving", "spent",
]  # fmt: skip

PAIRS: Final = 7
BUSY: Final = 0.85
SECRET: Final = "the secret of a bench installation, known to its load generator"
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
async def database(cores: Cores) -> AsyncIterator[tuple[EmbeddedEngine, Path]]:
    """A migrated, durable PostgreSQL of the bench's own on the server's core, in a folder that is removed."""
    folder = Path(tempfile.mkdtemp(prefix="fairwire-bench-"))
    engine = EmbeddedEngine(folder)
    try:
        with on_core(cores.server):
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


# figures


def headline() -> None:
    """The machine and the command, above the figures."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    command = shlex.join(["python", "-m", f"bench.{Path(sys.argv[0]).stem}", *sys.argv[1:]])
    print(f"# {command}")
    print(
        f"# {cpu}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, CPython {platform.python_version()}"
    )


def say(name: str, value: float, unit: str, **more: object) -> None:
    """One figure, on one line."""
    rest = "".join(f" {key}={_short(one)}" for key, one in more.items())
    print(f"{name} {_short(value)} {unit}{rest}", flush=True)


def ratio_line(
    name: str,
    unit: str,
    ours: Sequence[float],
    reference: Sequence[float],
    against: str,
    target: float | None = None,
    **more: object,
) -> float:
    """A figure beside its reference, measured in alternating pairs: medians, and the median ratio with its spread."""
    ratios = [one / other for one, other in zip(ours, reference, strict=True)]
    middle = median(ratios)
    bound = {} if target is None else {"target": target}
    say(
        name,
        median(ours),
        unit,
        ratio=middle,
        against=against,
        reference=median(reference),
        min=min(ratios),
        max=max(ratios),
        pairs=len(ratios),
        **bound,
        **more,
    )
    return middle


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:,.0f}".replace(",", "_")
    return str(value)
