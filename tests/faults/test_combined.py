"""Everything that a fair runs on, killed, frozen and restarted in turn while people talk and book: two nodes, the worker, the bus and
PostgreSQL. What was acknowledged is there, once, in order (W6, W7); bookings stand as they were told (M2, M4); every mail of theirs
ends in a named state, and one that left twice says so (N4).

Faults that meet by chance seldom meet where it hurts. What only two of them together can break is brought about step by step in the
first tests; in the others the worker dies with a mail that has left and is not written down.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest

from fairwire_protocol.errors import Close, FairwireError
from fairwire_server.database.engine import EmbeddedEngine
from fairwire_server.database.queries import parse_queries
from fairwire_server.hub.reconcile import POLL_S
from fairwire_server.streams.standing import Standing
from tests.cluster.conftest import Pair, two_nodes
from tests.cluster.test_bus_faults import talking
from tests.cluster.test_processes import nodes
from tests.cluster.test_two_nodes import seqs
from tests.faults.crew import Crew, crew, seed
from tests.faults.diary import Diary
from tests.faults.office import LEASE_PASSES
from tests.faults.test_database import frozen, migrated, stop_at_once
from tests.harness.clock import ManualClock
from tests.harness.lapse import Lapse
from tests.harness.peer import peer
from tests.harness.proxy import FaultProxy, fault_proxy
from tests.harness.server import ServerProcess
from tests.harness.smtp import SmtpSink, smtp_sink
from tests.harness.until import until
from tests.harness.valkey import Valkey

SETTLED_S: Final = 60.0
"""The tries of a mail, with room."""
SQL: Final = parse_queries(files("tests.faults").joinpath("combined.sql").read_text("utf-8"), "combined.sql")


@dataclass(frozen=True, slots=True)
class Apart:
    """Two nodes, the second of which the bus cannot reach, on a PostgreSQL of their own. Time moves by hand: nobody looks by himself."""

    engine: EmbeddedEngine
    pair: Pair
    line: FaultProxy
    clock: ManualClock


@asynccontextmanager
async def apart(folder: Path) -> AsyncIterator[Apart]:
    """In process."""
    clock = ManualClock()
    async with migrated(folder) as engine, Valkey() as valkey, fault_proxy(valkey.socket) as line:
        urls = valkey.url, f"redis://127.0.0.1:{line.port}"
        settings = {"command_timeout_s": 0.5, "beat_interval_s": 36_000.0, "beat_answer_s": 30_000.0}
        async with two_nodes(engine.dsn(), folder, urls, clock, **settings) as (one, two):
            yield Apart(engine, Pair(one, two, valkey), line, clock)


async def _cut_off(them: Apart) -> None:
    them.line.refuse()
    them.line.reset()
    await until(lambda: not them.pair.two.node.bus.connected)


async def test_what_was_missed_is_compared_once_postgres_answers_too_w4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bus is back while PostgreSQL stands still: the comparison fails, and nobody says another word that would show the hole."""
    async with apart(tmp_path) as them, talking(them.pair) as (buyer, main, conversation):
        two = them.pair.two.node
        read, failed = two.reconciler._read, asyncio.Event()

        async def noted(accounts: Collection[UUID], fairs: Collection[UUID]) -> list[Standing]:
            try:
                return await read(accounts, fairs)
            except FairwireError:
                failed.set()
                raise

        monkeypatch.setattr(two.reconciler, "_read", noted)
        await _cut_off(them)
        seq = (await buyer.ok("chat.send", conversation=conversation, text="unheard"))["seq"]
        async with frozen(them.engine):
            them.line.refuse(False)
            await until(lambda: two.bus.connected)
            await failed.wait()
        assert seq not in seqs(main, conversation)
        them.clock.advance(POLL_S)
        await until(lambda: seq in seqs(main, conversation))


async def test_a_hole_that_cannot_be_read_ends_the_socket_and_coming_back_fills_it_w4_w12(tmp_path: Path) -> None:
    """What the bus has lost is known, and PostgreSQL stands still when it is to be read: the client is told to come again."""
    async with apart(tmp_path) as them, talking(them.pair) as (buyer, main, conversation):
        two, who = them.pair.two, them.pair.ground["main"]
        await _cut_off(them)
        seq = (await buyer.ok("chat.send", conversation=conversation, text="unheard"))["seq"]
        positions = {
            name: dict(zip(("epoch", "pos"), getattr(main, name), strict=True)) for name in ("account", "fair")
        }
        async with frozen(them.engine):
            two.node.ground.hub.stands(who.id, positions["account"]["epoch"], positions["account"]["pos"] + 1)
            assert await main.closed() == Close.OVERLOADED
        async with peer(two.url, who.token, resume=positions) as again:
            await until(lambda: seqs(again, conversation) == [seq])


@dataclass(frozen=True, slots=True)
class Fair:
    """What runs, and may break."""

    engine: EmbeddedEngine
    clock: Lapse
    valkey: Valkey
    servers: Sequence[ServerProcess]
    worker: ServerProcess
    mortal: ServerProcess
    """A worker that dies by itself when the mail server has taken a mail from it, before it can write that down."""
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
        await stop_at_once(self.engine)
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
        """The worker with a mail that has left, both nodes and the bus."""
        await self.worker.kill()
        with suppress(AssertionError):  # it may be dead before it has said that it is ready
            await self.mortal.start()
        assert await self.mortal.ended() == -signal.SIGKILL
        await asyncio.gather(self.valkey.kill(), *(server.kill() for server in self.servers))
        await self.valkey.start()
        await asyncio.gather(*(server.start() for server in (*self.servers, self.worker)))

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
        engine = await enter(migrated(folder))
        ground = await seed(engine.dsn(), data_dir=folder)
        clock = Lapse(engine.dsn())
        await clock.begin()
        valkey, sink = await enter(Valkey()), await enter(smtp_sink())
        settings: dict[str, Any] = {
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
        mortal = ServerProcess(folder, "taken:1", "tests.harness.mortal", **settings)
        for one in (worker, mortal):
            stack.push_async_callback(one.stop)
        await worker.start()
        them = await enter(crew(servers[0].url, ground))
        fair = Fair(engine, clock, valkey, servers, worker, mortal, them, Diary(them, _tomorrow_ms()), sink)
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
        for server in (*servers, worker, mortal):
            assert '"level": "error"' not in server.said, server.said


async def _assert_told(fair: Fair) -> None:
    """Every mail has ended, those that are said to have been sent have arrived, and what arrived twice says so. What the dead have
    held is somebody else's once its lease has passed."""
    await fair.clock.pass_(LEASE_PASSES)
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


@pytest.mark.timeout(240)
async def test_everything_is_killed_while_people_talk_and_book_w6_w7_m2_n4(tmp_path: Path) -> None:
    await _broken(tmp_path, lambda fair: [fair.everything_killed, fair.database_stopped])


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_forty_faults_in_any_order_w6_w7_m2_n4(tmp_path: Path) -> None:
    await _broken(tmp_path, lambda fair: random.choices(fair.faults, k=40))
