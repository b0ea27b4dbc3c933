"""The embedded PostgreSQL: starts anywhere, keeps its data through every kind of death, listens on its socket only."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psutil
import pytest

from fairwire_server.database.engine import EmbeddedEngine, EngineError
from fairwire_server.database.engine_host import SOCKET_PATH_MAX
from tests.database.test_outage import server_of
from tests.harness.until import until

SMALL = {"shared_buffers": "32MB"}


def has_ended(server: psutil.Process) -> bool:
    """PostgreSQL counts as stopped once its lock file is gone; its process ends a moment after that."""
    try:
        return not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


USER = """
import asyncio, sys
from pathlib import Path
from fairwire_server.database.engine import EmbeddedEngine

async def main():
    engine = EmbeddedEngine(Path(sys.argv[1]), durable=False, tuning={"shared_buffers": "32MB"})
    await engine.start()
    print(engine.dsn(), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await engine.stop()

asyncio.run(main())
"""


def other_process(folder: Path) -> subprocess.Popen[bytes]:
    """A process that uses the engine until it reads a line."""
    command = [sys.executable, "-c", USER, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def bystander(uid: int) -> subprocess.Popen[bytes]:
    """A process that has nothing to do with the engine, of the same user: PostgreSQL ignores those of others."""
    return subprocess.Popen(["sleep", "60"], user=uid if os.geteuid() == 0 else None)


def embedded(folder: Path, **tuning: str) -> EmbeddedEngine:
    return EmbeddedEngine(folder, durable=False, tuning={**SMALL, **tuning})


@asynccontextmanager
async def connected(engine: EmbeddedEngine) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(engine.dsn(), timeout=10, command_timeout=30)
    try:
        yield connection
    finally:
        await connection.close()


async def put(engine: EmbeddedEngine, word: str) -> None:
    async with connected(engine) as connection:
        await connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        await connection.execute("INSERT INTO words VALUES ($1)", word)


async def words(engine: EmbeddedEngine) -> list[str]:
    async with connected(engine) as connection:
        return [row["word"] for row in await connection.fetch("SELECT word FROM words ORDER BY word")]


async def ask(engine: EmbeddedEngine, sql: str) -> object:
    async with connected(engine) as connection:
        return await connection.fetchval(sql)


async def test_data_lasts_from_one_start_to_the_next(tmp_path: Path) -> None:
    async with embedded(tmp_path) as engine:
        await put(engine, "展会")
        server = server_of(engine)
    await until(lambda: has_ended(server))
    async with embedded(tmp_path) as engine:
        assert await words(engine) == ["展会"]


async def test_only_its_owner_reaches_it_and_only_by_the_socket(tmp_path: Path) -> None:
    async with embedded(tmp_path) as engine:
        assert await ask(engine, "SHOW listen_addresses") == ""
        server = server_of(engine)
        assert server.net_connections("inet") == []
        assert stat.S_IMODE((tmp_path / "postgres" / "run").stat().st_mode) == 0o700
        assert server.uids().real != 0
        # For one who starts it by hand with the file alone.
        written = (tmp_path / "postgres" / "cluster" / "postgresql.conf").read_text()
        assert "\nlisten_addresses = ''" in written


async def test_text_is_utf8_whatever_the_machine_speaks(tmp_path: Path) -> None:
    async with embedded(tmp_path) as engine:
        sql = "SELECT concat_ws(' ', pg_encoding_to_char(encoding), datlocprovider, datlocale) FROM pg_database"
        assert await ask(engine, f"{sql} WHERE datname = current_database()") == "UTF8 b C.UTF-8"
        assert await ask(engine, "SHOW timezone") == "UTC"


async def test_its_log_has_small_files_since_messages_wait_while_one_is_made(tmp_path: Path) -> None:
    async with embedded(tmp_path) as engine:
        assert await ask(engine, "SHOW wal_segment_size") == "4MB"


async def test_killed_server_starts_again_though_its_pid_file_stays(tmp_path: Path) -> None:
    engine = embedded(tmp_path)
    await engine.start()
    await put(engine, "acked")
    server_of(engine).kill()
    await engine.start()
    assert await words(engine) == ["acked"]
    await engine.stop()


async def test_a_pid_file_that_names_a_stranger_means_nothing(tmp_path: Path) -> None:
    """In a container numbers start again from 1, so a stale number is soon somebody else's."""
    async with embedded(tmp_path) as engine:
        await put(engine, "acked")
        file = tmp_path / "postgres" / "cluster" / "postmaster.pid"
        content = file.read_text()
    with bystander(file.parent.stat().st_uid) as stranger:
        file.write_text(content.replace(content.split("\n", 1)[0], str(stranger.pid), 1))
        file.chmod(0o600)
        os.chown(file, file.parent.stat().st_uid, -1)
        async with embedded(tmp_path) as engine:
            assert await words(engine) == ["acked"]
        assert stranger.poll() is None
        stranger.kill()


async def test_a_server_that_outlived_its_starter_is_joined_and_then_stopped(tmp_path: Path) -> None:
    with other_process(tmp_path) as starter:
        assert starter.stdout is not None
        await asyncio.to_thread(starter.stdout.readline)
        engine = embedded(tmp_path)
        server = server_of(engine)
        starter.send_signal(signal.SIGKILL)
    assert server.is_running()
    await engine.start()
    assert server_of(engine) == server
    await engine.stop()
    await until(lambda: has_ended(server))


async def test_the_last_one_out_stops_the_server(tmp_path: Path) -> None:
    first, second, third = (embedded(tmp_path) for _ in range(3))
    await asyncio.gather(first.start(), second.start(), third.start())
    server = server_of(first)
    for leaving in (first, third):
        await leaving.stop()
        assert await ask(second, "SELECT 1") == 1
    await second.stop()
    await until(lambda: has_ended(server))


async def test_two_processes_share_one_server(tmp_path: Path) -> None:
    with other_process(tmp_path) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        await asyncio.to_thread(other.stdout.readline)
        async with embedded(tmp_path) as engine:
            server = server_of(engine)
            other.stdin.write(b"leave\n")
            other.stdin.flush()
            assert await asyncio.to_thread(other.wait) == 0
            assert await ask(engine, "SELECT 1") == 1
    await until(lambda: has_ended(server))


def socket_folder(engine: EmbeddedEngine) -> Path:
    return Path(parse_qs(urlsplit(engine.dsn()).query)["host"][0])


async def test_a_long_folder_gets_a_short_private_socket_folder(tmp_path: Path) -> None:
    async with embedded(tmp_path / ("f" * SOCKET_PATH_MAX) / "a name with spaces & 展") as engine:
        assert await ask(engine, "SELECT 1") == 1
        assert len(str(socket_folder(engine))) < 60
        assert stat.S_IMODE(socket_folder(engine).stat().st_mode) == 0o700
    socket_folder(engine).rmdir()


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / ("f" * SOCKET_PATH_MAX)
    run = socket_folder(embedded(folder))
    run.rmdir()
    run.symlink_to(tmp_path)
    try:
        with pytest.raises(EngineError, match="is in the way"):
            embedded(folder)
    finally:
        run.unlink()


async def test_a_half_made_cluster_is_made_anew(tmp_path: Path) -> None:
    left = tmp_path / "postgres" / "cluster.new"
    left.mkdir(parents=True)
    (left / "PG_VERSION").write_text("18\n")
    async with embedded(tmp_path) as engine:
        assert await ask(engine, "SELECT 1") == 1
    assert not left.exists()


async def test_data_of_another_version_is_refused(tmp_path: Path) -> None:
    cluster = tmp_path / "postgres" / "cluster"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("15\n")
    with pytest.raises(EngineError, match="made by PostgreSQL 15"):
        await embedded(tmp_path).start()


async def test_a_failing_start_tells_why_and_leaves_nothing_running(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="shared_buffers"):
        await embedded(tmp_path, shared_buffers="-5").start()
    async with embedded(tmp_path) as engine:
        assert await ask(engine, "SELECT 1") == 1


async def test_the_log_holds_no_values(tmp_path: Path) -> None:
    """No message, name or number may reach a log."""
    async with embedded(tmp_path, log_min_duration_statement="0", deadlock_timeout="10ms") as engine:
        async with connected(engine) as connection:
            await connection.execute("CREATE TABLE logins (login text PRIMARY KEY)")
            await connection.execute("INSERT INTO logins VALUES ($1)", "canary")
            with pytest.raises(asyncpg.UniqueViolationError):
                await connection.execute("INSERT INTO logins VALUES ($1)", "canary")
        assert "INSERT INTO logins" in engine.log.read_text()
        assert "canary" not in engine.log.read_text()


async def test_progress_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    engine = embedded(tmp_path)
    await engine.start(told.append)
    await engine.stop()
    assert told[:2] == ["Creating the database files", "Starting PostgreSQL"]


NOBODY: Final[dict[str, Any]] = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}


def interpreter_for_anybody() -> str | None:
    """A Python that an ordinary user can start here: ours may lie below root's home."""
    for path in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with suppress(OSError):
            if (
                subprocess.run([path, "-c", "import asyncpg"], env=bare_environment(), check=False, **NOBODY).returncode
                == 0
            ):
                return path
    return None


def bare_environment() -> dict[str, str]:
    return {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@pytest.mark.skipif(
    os.geteuid() != 0, reason="root alone can become somebody else; otherwise every test here does this"
)
def test_an_ordinary_user_runs_it_as_itself() -> None:
    if (interpreter := interpreter_for_anybody()) is None:
        pytest.skip("no Python here that an ordinary user could start")
    folder = Path(tempfile.mkdtemp(prefix="fairwire-ordinary-", dir="/tmp"))
    os.chown(folder, 65534, 65534)
    command = [interpreter, "-c", USER, str(folder / "data")]
    try:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=bare_environment(), **NOBODY
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline().startswith(b"postgresql://")
            assert (folder / "data/postgres/cluster").stat().st_uid == 65534
            assert other.communicate(b"leave\n")[0] == b""
        assert other.returncode == 0
    finally:
        shutil.rmtree(folder)


async def test_nothing_is_left_open(tmp_path: Path) -> None:
    """Descriptors: what a start opens, a stop closes."""

    async def cycle() -> None:
        async with embedded(tmp_path):
            pass

    await cycle()
    before = psutil.Process().num_fds()
    await cycle()
    assert psutil.Process().num_fds() == before
