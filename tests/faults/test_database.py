"""PostgreSQL dies or freezes below a running server: no restart of the node, nothing acknowledged lost, errors that say retry."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import aiohttp
import psutil
import pytest

from fairwire_server.chat.records import Accepted
from fairwire_server.chat.search_store import SearchStore
from fairwire_server.clock import SystemClock
from fairwire_server.database.engine import EmbeddedEngine
from fairwire_server.database.migrate import migrate_database
from fairwire_server.database.pool import Database
from fairwire_server.database.work import Works
from fairwire_server.notices.claiming import LEASE_S
from tests.faults.crew import Crew, crew, seed
from tests.faults.office import office
from tests.harness.server import ServerProcess, server_process
from tests.harness.until import until


def postmaster(engine: EmbeddedEngine) -> psutil.Process:
    """The first process of `engine`'s server."""
    return psutil.Process(int((engine.log.parent / "cluster" / "postmaster.pid").read_text().split("\n", 1)[0]))


@asynccontextmanager
async def migrated(folder: Path, **tuning: str) -> AsyncIterator[EmbeddedEngine]:
    """A PostgreSQL of this test's own."""
    async with EmbeddedEngine(folder / "pg", durable=False, tuning={"shared_buffers": "32MB", **tuning}) as engine:
        await migrate_database(engine.dsn())
        yield engine


async def stop_at_once(engine: EmbeddedEngine) -> None:
    """As a power cut, for whoever is connected."""
    victim = postmaster(engine)
    victim.send_signal(signal.SIGQUIT)
    await asyncio.to_thread(victim.wait, 30)


@asynccontextmanager
async def everything(folder: Path, **settings: object) -> AsyncIterator[tuple[EmbeddedEngine, ServerProcess, Crew]]:
    """A PostgreSQL of this test's own, the server on it, and people who talk."""
    async with migrated(folder) as engine:
        ground = await seed(engine.dsn(), data_dir=folder)
        async with (
            server_process(folder, database_url=engine.dsn(), **settings) as server,
            crew(server.url, ground) as them,
        ):
            yield engine, server, them


async def _stops(folder: Path, times: int) -> list[float]:
    """Immediate stops under load; how long after it accepts again the next message was acknowledged."""
    waits = []
    async with everything(folder) as (engine, server, them):
        async with them.talking():
            for _ in range(times):
                await stop_at_once(engine)
                await engine.start()
                accepts = time.monotonic()
                await them.more(1)
                waits.append(time.monotonic() - accepts)
                await them.more(40)
        report = them.report()
        print(f"{report}; first ack after {[f'{wait:.2f}' for wait in waits]} s")
        report.assert_clean()
        assert '"level": "error"' not in server.said, server.said
        assert {device.snapshots for device in them.devices.values()} <= {1}
    return waits


async def test_immediate_stops_of_postgres_lose_nothing_w7(tmp_path: Path) -> None:
    await _stops(tmp_path, times=2)


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_ten_immediate_stops_and_the_first_ack_within_two_seconds_w7(tmp_path: Path) -> None:
    assert max(await _stops(tmp_path, times=10)) <= 2


async def test_a_power_cut_takes_no_text_from_the_index_that_is_known_to_be_there_c15(tmp_path: Path) -> None:
    """Texts are indexed without waiting for the disk; the mark from which they are looked for again does wait, for them too."""
    store, at = SearchStore(), datetime.now(UTC)

    async def index(works: Works, text: str) -> None:
        async with works.alone() as work:
            await store.index(work.connection, [Accepted(uuid4(), 1, uuid4(), at, text)], [f"'{text}':1"])

    async with migrated(tmp_path, wal_writer_delay="10s") as engine:
        async with await Database.open(engine.dsn(), min_size=1, max_size=1) as database:
            works = Works(database, SystemClock())
            await index(works, "marked")
            async with works.begin() as work:
                await store.set_done_to(work.connection, at)
            await index(works, "unmarked")
            await stop_at_once(engine)
        await engine.start()
        async with await Database.open(engine.dsn(), min_size=1, max_size=1) as database, database.reader() as reader:
            rows = await reader.fetch("SELECT tokens::text FROM message_search")
            assert [row["tokens"] for row in rows] == ["'marked':1"], (
                "what a power cut takes nothing from proves nothing"
            )
            assert await store.done_to(reader) == at


@asynccontextmanager
async def frozen(engine: EmbeddedEngine) -> AsyncIterator[None]:
    """Every process of PostgreSQL stands still."""
    victim = postmaster(engine)
    processes = [victim, *victim.children(recursive=True)]
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGCONT)


async def _frozen(folder: Path, seconds: float, **settings: object) -> tuple[float, list[float], list[float]]:
    """A freeze under load: seconds until the next ack after it, what refusals took, and what the server's own page took."""
    refusals, pings = list[float](), list[float]()

    async def ask(server: ServerProcess, them: Crew) -> None:
        """What an HTTP client is told meanwhile: an answer in time, and one that says retry."""
        headers = {"Authorization": f"Bearer {them.ground['main'].token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            while True:
                began = time.monotonic()
                async with session.get(server.url + "/v1/contacts/recent") as response:
                    if response.status != 200:
                        body = await response.json()
                        assert body["error"]["retry_after_ms"] > 0, body
                        refusals.append(time.monotonic() - began)

    async def ping(server: ServerProcess) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                began = time.monotonic()
                async with session.get(server.url + "/healthz") as response:
                    assert response.status == 200
                pings.append(time.monotonic() - began)
                await asyncio.sleep(0.05)  # a steady pulse is what is measured

    async with everything(folder, **settings) as (engine, server, them):
        async with them.talking():
            asking = [asyncio.create_task(ask(server, them)), asyncio.create_task(ping(server))]
            async with frozen(engine):
                await asyncio.sleep(seconds)  # the fault itself lasts this long
            thawed = time.monotonic()
            await them.more(1)
            normal = time.monotonic() - thawed
            await them.more(40)
            for task in asking:
                task.cancel()
            ends = await asyncio.gather(*asking, return_exceptions=True)
            assert {type(end) for end in ends} == {asyncio.CancelledError}, ends
        report = them.report()
        print(f"{report}; first ack {normal:.2f} s after the thaw, refusals at most {max(refusals):.2f} s")
        print(f"pulse p99 {sorted(pings)[int(len(pings) * 0.99)] * 1000:.0f} ms of {len(pings)}")
        report.assert_clean()
        assert '"level": "error"' not in server.said, server.said
    return normal, refusals, pings


async def test_a_frozen_postgres_is_told_of_and_nothing_is_lost_w7(tmp_path: Path) -> None:
    _, refusals, _ = await _frozen(tmp_path, 1.5, command_timeout_s=0.5)
    assert refusals, "a freeze that nobody notices proves nothing"


@pytest.mark.soak
async def test_a_postgres_frozen_for_ten_seconds_stalls_nobody_w7(tmp_path: Path) -> None:
    normal, refusals, pings = await _frozen(tmp_path, 10)
    assert max(refusals) <= 3
    assert normal <= 5
    assert sorted(pings)[int(len(pings) * 0.99)] <= 0.25


@pytest.mark.parametrize(
    "seconds",
    [1.5, pytest.param(LEASE_S + 2, marks=[pytest.mark.soak, pytest.mark.timeout(600)])],
    ids=["short", "lease"],
)
async def test_notices_outlive_a_postgres_that_stops_and_freezes_in_mid_burst_n4(
    tmp_path: Path, seconds: float
) -> None:
    """Two worker processes are sending when it happens; they go on by themselves, and what may have been sent twice says so."""
    async with (
        migrated(tmp_path) as engine,
        office(engine.dsn(), tmp_path / "node", smtp_rate=3, sms_rate=3, command_timeout_s=0.5) as fair,
    ):
        workers = [await fair.worker(), await fair.worker()]
        await fair.book(12)
        await until(lambda: len(fair.sink.mails) >= 2, 30)
        await stop_at_once(engine)
        await engine.start()
        seen = len(fair.sink.mails)
        assert seen < 12, "nothing was left of the burst"
        await until(lambda: len(fair.sink.mails) > seen, 30)
        async with frozen(engine):
            await asyncio.sleep(seconds)  # the fault itself lasts this long
        await fair.claimed()
        assert [await worker.end() for worker in workers] == [0, 0], "what they held has ended"
        await fair.a_lease_passes()
        await fair.worker()
        await fair.settled()
        told = await fair.judge()
        print(dict(told))
        assert told["sent", "assigned"] == 24
