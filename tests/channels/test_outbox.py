"""The outbox page's rows: the newest of each kind, whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fairwire_server.channels.outbox import KEPT, Outbox, OutboxMailChannel, OutboxSmsChannel
from fairwire_server.database.pool import Database
from fairwire_server.database.work import Planned, Work, Works
from fairwire_server.notices.parcels import TryLater
from tests.channels.peers import CATALOGUE, mail, sms
from tests.harness.clock import ManualClock

LATIN = {"time": "25 Nov 14:30", "room": "123456789"}


async def test_the_outbox_keeps_the_newest(database: Database) -> None:
    outbox = Outbox(Works(database, ManualClock()))
    async with database.transaction() as tx:
        await tx.executemany(
            "INSERT INTO outbox_mail (id, recipient, subject, text, at) VALUES (gen_random_uuid(), 'x', '', '', $1)",
            [(ManualClock().now(),)] * (KEPT + 20),
        )
        await tx.execute("UPDATE outbox_mail SET id = ('00' || substr(id::text, 3))::uuid")  # older than any UUIDv7
    await OutboxMailChannel(outbox).send(mail("wang@example.com"))
    async with database.reader() as reader:
        assert await reader.fetchval("SELECT count(*) FROM outbox_mail") == KEPT
    assert (await outbox.newest(1))[0].recipient == "wang@example.com"


class Counted(Works):
    """Knows how many units of work were open at once."""

    open = most = 0

    @asynccontextmanager
    async def begin(self, *, planned: Planned = "once") -> AsyncIterator[Work]:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            async with super().begin(planned=planned) as work:
                yield work
        finally:
            self.open -= 1


async def test_a_burst_holds_one_connection_for_each_kind_n5(database: Database) -> None:
    """Chats share the pool with it: sixty-four senders that each took a connection made them `busy`."""
    works = Counted(database, ManualClock())
    outbox = Outbox(works)
    channel = OutboxMailChannel(outbox)
    await asyncio.gather(*(channel.send(mail(f"wang{number}@example.com")) for number in range(64)))
    assert works.most == 1
    assert {one.recipient for one in await outbox.newest(100)} == {f"wang{number}@example.com" for number in range(64)}


async def test_it_shows_all_of_a_mail_and_the_segments_of_a_short_message_n7(database: Database) -> None:
    outbox = Outbox(Works(database, ManualClock()))
    whole = mail(
        "a@b.example", html="<p>您好</p>", calendar=b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", calendar_method="CANCEL"
    )
    await OutboxMailChannel(outbox).send(whole)
    await OutboxSmsChannel(outbox, CATALOGUE).send(sms("+8613800138000", "changed", "en-GB", **LATIN))
    short, shown = await outbox.newest()
    assert (shown.html, shown.calendar, shown.calendar_method) == (
        "<p>您好</p>",
        "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        "CANCEL",
    )
    assert (short.kind, short.template, short.encoding) == ("sms", "changed.en", "gsm7")
    assert short.segments == (short.text,)
    assert short.text.startswith("[Fair] ")
    assert await outbox.find(short.id) == short
    assert await outbox.find(whole.reference) is None


async def test_a_database_that_is_away_is_try_later(database: Database) -> None:
    outbox = Outbox(Works(database, ManualClock()))
    await database.close()
    with pytest.raises(TryLater, match="database"):
        await OutboxMailChannel(outbox).send(mail("wang@example.com"))
