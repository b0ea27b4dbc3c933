"""Everything that a fair runs on, killed, frozen and restarted in turn while people talk and book: two nodes, the worker, the bus and
PostgreSQL. What was acknowledged is there, once, in order (W6, W7); bookings stand as they were told (M2, M4); every mail of theirs
ends in a named state, and one that left twice says so (N4)."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from fairwire_server.database.engine import EmbeddedEngine
from fairwire_server.database.migrate import migrate_database
from fairwire_server.database.queries import parse_queries
from tests.cluster.test_processes import nodes
from tests.faults.crew import Crew, crew, seed
from tests.faults.diary import Diary
from tests.faults.test_database import frozen, postmaster
from tests.harness.server import ServerProcess
from tests.harness.smtp import SmtpSink, smtp_sink
from tests.harness.until import until
from tests.harness.valkey import Valkey

SETTLED_S: Final = 60.0
"""A lease, the grace after it and the tries of a mail, with room."""
SQL: Final = parse_queries(files("tests.faults").joinpath("combined.sql").read_text("utf-8"), "combined.sql")


@dataclass(frozen=True, slots=True)
class Fair:
    """What runs, and may break."""

    engine: EmbeddedEngine
    valkey: Valkey
    servers: Sequence[ServerProcess]
    worker: ServerProcess
    them: Crew
    diary: Diary
    sink: SmtpSink

    async def node_killed(self) -> None:
        """One of the two nodes."""
        server = random.choice(self.servers)
        await server.kill()
        await self.them.more(20)
        await server.start()

    async def worker_killed(self) -> None:
        """With mails in its hands, as likely as not."""
        await self.worker.kill()
        await self.diary.more(2)
        await self.worker.start()

    async def bus_killed(self) -> None:
        """It comes back empty."""
        await self.valkey.kill()
        await self.them.more(20)
        await self.valkey.start()

    async def database_stopped(self) -> None:
        """At once, and started again."""
        victim = postmaster(self.engine)
        victim.send_signal(signal.SIGQUIT)
        await asyncio.to_thread(victim.wait, 30)
        await self.engine.start()

    async def database_frozen(self) -> None:
        """For two seconds."""
        async with frozen(self.engine):
            await asyncio.sleep(2)  # the fault itself lasts this long

    async def node_frozen(self) -> None:
        """For three seconds, in which the other one goes on."""
        server = random.choice(self.servers)
        server.send(signal.SIGSTOP)
        await asyncio.sleep(3)  # the fault itself lasts this long
        server.send(signal.SIGCONT)

    async def everything_killed(self) -> None:
        """Both nodes, the worker and the bus."""
        await asyncio.gather(self.valkey.kill(), self.worker.kill(), *(server.kill() for server in self.servers))
        await self.valkey.start()
        for server in (*self.servers, self.worker):
            await server.start()

    @property
    def faults(self) -> list[Callable[[], Awaitable[None]]]:
        """All of them."""
        return [
            self.node_killed,
            self.worker_killed,
            self.bus_killed,
            self.database_stopped,
            self.database_frozen,
            self.node_frozen,
            self.everything_killed,
        ]


async def _broken(folder: Path, choose: Callable[[Fair], list[Callable[[], Awaitable[None]]]]) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        engine = await enter(EmbeddedEngine(folder / "pg", durable=False, tuning={"shared_buffers": "32MB"}))
        await migrate_database(engine.dsn())
        ground = await seed(engine.dsn(), data_dir=folder)
        valkey, sink = await enter(Valkey()), await enter(smtp_sink())
        settings = {
            "database_url": engine.dsn(),
            "redis_url": valkey.url,
            "background": "worker",
            "smtp_host": "127.0.0.1",
            "smtp_port": sink.port,
            "smtp_from": "fair@example.test",
            "smtp_starttls": "false",
        }
        servers = await enter(nodes(folder, 2, **settings))
        worker = ServerProcess(folder, "worker", **settings)
        stack.push_async_callback(worker.stop)
        await worker.start()
        them = await enter(crew(servers[0].url, ground))
        fair = Fair(engine, valkey, servers, worker, them, Diary(them, _tomorrow_ms()), sink)
        async with them.talking(), fair.diary.kept():
            await fair.diary.more(2)
            for fault in choose(fair):
                print(fault.__name__)
                await fault()
                await them.more(30)
                await fair.diary.more(2)
        report = them.report()
        print(report)
        report.assert_clean()
        await fair.diary.assert_true()
        await _assert_told(fair)
        for server in (*servers, worker):
            assert '"level": "error"' not in server.said, server.said


async def _assert_told(fair: Fair) -> None:
    """Every mail has ended, those that are said to have been sent have arrived, and what arrived twice says so."""
    connection = await asyncpg.connect(fair.engine.dsn())
    try:

        async def settled() -> bool:
            return not await connection.fetchval(SQL["unsettled"])

        await until(settled, SETTLED_S)
        assert not await connection.fetch(SQL["broken"])
        mails = {row["id"].hex: row for row in await connection.fetch(SQL["mails"])}
    finally:
        await connection.close()
    arrived = Counter(str(mail.message["Message-ID"])[1:].split("@")[0] for mail in fair.sink.mails)
    states = Counter(mail["state"] for mail in mails.values())
    print(f"{len(fair.diary.acked)} bookings, mails {dict(states)}, {sum(arrived.values())} arrived")
    assert states["sent"] >= len(fair.diary.acked), "nearly all of them were told of"
    assert not [mail for mail, row in mails.items() if row["state"] == "sent" and not arrived[mail]], "said, not sent"
    assert not [mail for mail, count in arrived.items() if count > 1 and not mails[mail]["maybe_duplicate"]], (
        "unflagged"
    )


def _tomorrow_ms() -> int:
    return (int(time.time()) // 86_400 + 1) * 86_400_000


async def test_everything_is_killed_while_people_talk_and_book_w6_w7_m2_n4(tmp_path: Path) -> None:
    await _broken(tmp_path, lambda fair: [fair.everything_killed, fair.database_stopped])


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_forty_faults_in_any_order_w6_w7_m2_n4(tmp_path: Path) -> None:
    await _broken(tmp_path, lambda fair: random.choices(fair.faults, k=40))
