"""A fair whose notices are sent by worker processes: bookings by a node, time by the database's clock, parcels to real servers.

At the end `judge` compares what the database says of every notice with what mail server and message centre have received.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from fairwire_server.notices.claiming import LEASE_S
from fairwire_server.notices.outcomes import LOST_AFTER_S
from fairwire_server.notices.sms_catalogue import default_catalogue
from tests.harness.lapse import Lapse
from tests.harness.node import Running, running_node
from tests.harness.server import ServerProcess
from tests.harness.smsc import PASSWORD, SYSTEM_ID, Smsc, smsc
from tests.harness.smtp import SmtpSink, smtp_sink
from tests.harness.until import until
from tests.meetings.agenda import Agenda
from tests.meetings.booth import Booth

__all__ = ["LEASE_PASSES", "Office", "office"]

LEASE_PASSES: Final = timedelta(seconds=LEASE_S + LOST_AFTER_S + 1)
"""So much that what a dead worker held is somebody else's."""
WITHIN_S: Final = 60.0
AHEAD: Final = 54
"""Half hours from tomorrow's beginning to the first meeting: its reminder of the day before is still to come."""
PROMISED: Final = ("assigned", "reminder_soon")
FIRST_WORDS: Final = {
    template.text.partition("{")[0]: template.kind
    for template in default_catalogue("https://fair.example").templates.values()
}


class Office:
    """Names are those of `tests.harness.fairground`."""

    def __init__(
        self, running: Running, clock: Lapse, sink: SmtpSink, centre: Smsc, folder: Path, settings: dict[str, Any]
    ) -> None:
        self.running = running
        self.clock = clock
        self.sink = sink
        self.centre = centre
        self._agenda = Agenda(running)
        self._folder = folder
        self._settings = settings
        self._slots = 0
        self._workers: list[ServerProcess] = []
        self._dead = 0

    # bookings

    async def book(self, count: int) -> None:
        """So many meetings, requested and assigned by operations; their buyers and receivers are told at once."""
        began = self.running.node.clock.now()
        passed = (await self.clock.now() - began).total_seconds()
        self._slots = max(self._slots, int(passed // 1800))
        for _ in range(count):
            self._slots += 1
            slot = await self._agenda.slot(AHEAD + self._slots)
            made = await self._agenda.book("buyer2" if self._slots % 2 else "buyer", slot)
            receiver = self.running.ground["sales2" if self._slots % 2 else "sales"].id
            await self._agenda.call("main", "bookings.assign", booking=made.booking, receiver=receiver)

    async def something_falls_due(self, rng: random.Random) -> None:
        """New meetings, or time passes to the next reminder."""
        if rng.random() < 0.5 or not await self._until_next():
            await self.book(2)

    # time

    async def until_due(self, kind: str) -> None:
        """Time passes until the first notice of that kind falls due."""
        due = await self._value("SELECT min(due_at) FROM notice WHERE kind = $1 AND state = 'planned'", kind)
        await self.clock.pass_(due - await self.clock.now())

    async def a_lease_passes(self) -> None:
        """So much that what a dead worker held is somebody else's."""
        await self.clock.pass_(LEASE_PASSES)

    async def to_the_end(self) -> None:
        """Instant by instant until nothing is planned any more."""
        await self.settled()
        while await self._until_next():
            await self.settled()

    async def settled(self) -> None:
        """Nothing is due, and nothing is held."""
        await self._until_none("state = 'claimed' OR (state = 'planned' AND due_at <= $1)")

    async def claimed(self) -> None:
        """Nothing is due that nobody holds."""
        await self._until_none("state = 'planned' AND due_at <= $1")

    async def _until_none(self, condition: str) -> None:
        async def holds() -> bool:
            now = await self.clock.now()
            return not await self._value(f"SELECT count(*) FROM notice WHERE {condition}", now)

        await until(holds, WITHIN_S)

    async def _until_next(self) -> bool:
        due = await self._value("SELECT min(due_at) FROM notice WHERE state = 'planned'")
        if due is not None:
            await self.clock.pass_(max(timedelta(0), due - await self.clock.now()))
        return due is not None

    # workers

    async def worker(self) -> ServerProcess:
        """One more."""
        return await self._start(ServerProcess(self._folder, "worker", **self._settings))

    async def mortal(self, point: str, nth: int = 1) -> ServerProcess:
        """One that dies there."""
        mortal = ServerProcess(self._folder, f"{point}:{nth}", "tests.harness.mortal", **self._settings)
        return await self._start(mortal)

    async def stop(self) -> None:
        """All of them are gone."""
        for worker in self._workers:
            await worker.stop()

    async def _start(self, worker: ServerProcess) -> ServerProcess:
        self._workers.append(worker)
        await worker.start()
        return worker

    # what has become of it

    async def judge(self) -> Counter[tuple[str, str]]:
        """Every notice that has fallen due has ended, and the other sides have what is said of it.

        Answers (state or `flagged`, kind) of those that reach an address."""
        notices = {row["id"]: row for row in await self._rows(_NOTICES)}
        arrived = Counter(self._arrived(list(notices.values())))
        told: Counter[tuple[str, str]] = Counter()
        faults = []
        for notice, row in notices.items():
            fault = _fault(row, arrived[notice])
            if fault is not None:
                faults.append((fault, row["kind"], row["channel"], row["state"], row["reason"], arrived[notice]))
            if row["channel"] != "in_app":
                told[row["state"], row["kind"]] += 1
                told["flagged", row["kind"]] += row["maybe_duplicate"]
        assert not faults, faults
        shown = await self._value("SELECT count(*) FROM account_event WHERE type = 'notice'")
        assert shown == sum(row["channel"] == "in_app" and row["state"] == "sent" for row in notices.values())
        for worker in self._workers:
            assert '"level": "error"' not in worker.said, worker.said
        return told

    def _arrived(self, notices: list[Any]) -> Iterator[UUID]:
        """The notice of every parcel that has arrived: by the mail's id, or by number, room and first words."""
        for mail in self.sink.mails:
            yield UUID(mail.message["Message-ID"].strip("<>").partition("@")[0])
        by_words = {
            (row["mobile"], row["room_number"], row["kind"]): row["id"] for row in notices if row["channel"] == "sms"
        }
        for number, text in self.centre.messages():
            room = re.search(r"(?<!\d)\d{9}(?!\d)", text)
            assert room is not None
            kind = next(kind for words, kind in FIRST_WORDS.items() if text.startswith(words))
            yield by_words[number, room[0], kind]

    async def _value(self, sql: str, *args: object) -> Any:
        async with self.running.node.works.read() as work:
            return await work.connection.fetchval(sql, *args)

    async def _rows(self, sql: str) -> list[Any]:
        async with self.running.node.works.read() as work:
            return list(await work.connection.fetch(sql))


def _fault(row: Any, arrived: int) -> str | None:
    """What is wrong with one notice (N4)."""
    if row["state"] not in ("sent", "failed", "skipped", "unknown"):
        return "has not ended"
    if row["channel"] == "in_app":
        return None
    if arrived > 1 + row["maybe_duplicate"]:
        return "sent twice"
    if row["state"] == "sent" and not arrived:
        return "lost"
    if row["state"] in ("skipped", "failed") and arrived:
        return "sent all the same"
    if row["maybe_duplicate"] and not row["lost"]:
        return "flagged, and no attempt was lost"
    twice_lost = row["state"] == "unknown" and row["lost"] > 1  # once more is what is promised
    if row["kind"] in PROMISED and row["state"] != "sent" and row["reason"] != "budget" and not twice_lost:
        return "promised, and not sent"
    return None


_NOTICES: Final = """
SELECT n.id, n.kind, n.channel, n.state, n.reason, n.maybe_duplicate, b.room_number, a.mobile,
       (SELECT count(*) FROM notice_attempt t WHERE t.notice_id = n.id AND t.outcome = 'lost') AS lost
FROM notice n JOIN booking b ON b.id = n.subject_id JOIN account a ON a.id = n.recipient_id
WHERE NOT (n.state = 'planned' AND n.due_at > clock_timestamp())
"""


@asynccontextmanager
async def office(database_url: str, folder: Path, **more: Any) -> AsyncIterator[Office]:
    """Everything but workers. `more` are settings of theirs."""
    async with AsyncExitStack() as stack:
        clock = Lapse(database_url)
        await clock.begin()
        sink, centre = await stack.enter_async_context(smtp_sink()), await stack.enter_async_context(smsc())
        running = await stack.enter_async_context(running_node(database_url, folder, background="worker"))
        settings = {
            "database_url": database_url, "smtp_host": "127.0.0.1", "smtp_port": sink.port, "smtp_starttls": "false",
            "smtp_from": "fair@example.com", "sms_provider": "smpp", "sms_sender": "10690000", "smpp_host": "127.0.0.1",
            "smpp_port": centre.port, "smpp_system_id": SYSTEM_ID, "smpp_password": PASSWORD,
        }  # fmt: skip
        one = Office(running, clock, sink, centre, folder, {**settings, **more})
        stack.push_async_callback(one.stop)
        verify = Booth(running).sql["verify_mobile"]
        async with running.node.works.begin() as work:
            for name in ("sales", "sales2"):
                await work.connection.execute(verify, running.ground[name].id)
        yield one
