"""The indexer: nothing that was committed stays unfindable, nothing recalled becomes findable, and nobody waits for it (C12, C15)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest

from fairwire_server.chat import indexing
from fairwire_server.chat.indexing import Indexer
from fairwire_server.chat.records import Accepted
from fairwire_server.chat.search_store import SearchStore
from fairwire_server.chat.store import ChatStore
from fairwire_server.database.pool import Database
from fairwire_server.database.work import Works
from tests.chat.desk import QUERIES, Desk, until
from tests.harness.clock import ManualClock


def texts_of(desk: Desk, conversation: UUID, seqs: Sequence[int]) -> list[Accepted]:
    """What sending would feed."""
    acme = desk.running.ground.exhibitors["acme"]
    at = desk.running.node.clock.now()
    return [Accepted(conversation, seq, acme, at, f"text {seq}") for seq in seqs]


@asynccontextmanager
async def indexer(desk: Desk, clock: ManualClock, *, run: bool = True, **bounds: int) -> AsyncIterator[Indexer]:
    """An indexer of the test's own beside the node's, on the test's clock. The node's own recovery is a minute away."""
    works = desk.running.node.works
    made = Indexer(Works(works.database, clock), SearchStore(), desk.running.node.ground.search_tokens, **bounds)
    task = asyncio.create_task(made.run()) if run else None
    try:
        yield made
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until_indexed(desk: Desk, conversation: UUID, count: int) -> None:
    """Returns when so many texts of the conversation are indexed."""

    async def so_many() -> bool:
        return bool(await desk.value("indexed", conversation) == count)

    await until(so_many)


async def until_asleep(clock: ManualClock, sleepers: int) -> None:
    """Returns when so many of the indexer's two loops wait for the clock."""

    async def asleep() -> bool:
        return clock.sleeping == sleepers

    await until(asleep)


@pytest.fixture
async def said(desk: Desk) -> tuple[UUID, list[int]]:
    """A conversation with five texts, none of them indexed: what a crash leaves."""
    conversation = await desk.open("buyer")
    seqs = [await desk.say("buyer", conversation, f"text {number}") for number in range(5)]
    await until_indexed(desk, conversation, 5)  # by the node's own indexer, which then has nothing left to do
    await desk.value("forget_index")
    return conversation, seqs


async def test_c15_a_sent_text_is_found_within_two_seconds(desk: Desk) -> None:
    conversation = await desk.open("buyer")
    async with asyncio.timeout(2):
        await desk.say("buyer", conversation, "hello")
        await until_indexed(desk, conversation, 1)
    assert await desk.value("is_indexed", conversation, 1)
    assert await desk.value("indexed_when_said", conversation)


async def test_c15_what_is_fed_is_written_after_its_gathering_time(desk: Desk, said: tuple[UUID, list[int]]) -> None:
    conversation, seqs = said
    clock = ManualClock(
        desk.running.node.clock.now() - timedelta(days=1)
    )  # its recovery sees nothing: only the feed counts
    async with indexer(desk, clock) as made:
        made.feed(texts_of(desk, conversation, seqs))
        assert made.waiting == 5
        await until_asleep(clock, 2)
        assert await desk.value("indexed", conversation) == 0
        clock.advance(indexing.GATHER_S)
        await until_indexed(desk, conversation, 5)
        made.feed(texts_of(desk, conversation, seqs))  # twice changes nothing
        while made.waiting:
            clock.advance(indexing.GATHER_S)
            await asyncio.sleep(0)
        assert await desk.value("indexed", conversation) == 5


async def test_c15_what_a_crash_left_is_recovered_at_the_start(desk: Desk, said: tuple[UUID, list[int]]) -> None:
    conversation, _ = said
    async with indexer(desk, ManualClock(desk.running.node.clock.now())):
        await until_indexed(desk, conversation, 5)
    assert await desk.value("indexed", conversation) == 5


async def test_c15_a_full_queue_is_made_good_by_recovery(desk: Desk, said: tuple[UUID, list[int]]) -> None:
    conversation, seqs = said
    clock = ManualClock(desk.running.node.clock.now(), jumps=True)
    async with indexer(desk, clock, waiting_max=2) as made:
        made.feed(texts_of(desk, conversation, seqs))
        assert made.waiting == 2
        await until_indexed(desk, conversation, 5)
    assert await desk.value("indexed", conversation) == 5


async def test_c15_recovery_in_many_small_pages_finds_everything_once(desk: Desk, said: tuple[UUID, list[int]]) -> None:
    conversation, _ = said
    async with indexer(desk, ManualClock(desk.running.node.clock.now()), run=False, batch=1) as made:
        assert await made.recover() == 5
        assert await desk.value("indexed", conversation) == 5
        assert await made.recover() == 0


async def test_c15_recovery_rests_for_as_long_as_it_writes(
    desk: Desk, said: tuple[UUID, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be a million texts to recover, and messages come first."""
    conversation, _ = said
    clock = ManualClock(desk.running.node.clock.now())
    async with indexer(desk, clock, run=False, batch=1) as made:
        write = made.write

        async def taking_time(texts: Sequence[Accepted]) -> None:
            await write(texts)
            if texts:
                clock.advance(3.0)

        monkeypatch.setattr(made, "write", taking_time)
        recovering = asyncio.create_task(made.recover())
        for written in range(1, 6):
            await clock.until_sleeping()
            assert await desk.value("indexed", conversation) == written
            clock.advance(2.9)
            assert clock.sleeping == 1
            clock.advance(0.1)
        assert await recovering == 5


async def test_c15_what_takes_long_to_look_through_is_looked_at_in_short_stretches_with_rests(
    desk: Desk, said: tuple[UUID, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute of a busy fair holds a hundred thousand messages, and who talks meanwhile must not be late for it."""
    now = desk.running.node.clock.now()
    clock = ManualClock(now)
    async with indexer(desk, clock, run=False) as made:
        looks: list[timedelta] = []
        slow = False

        async def looked(start: datetime, end: datetime) -> list[Accepted]:
            looks.append(end - start)
            if slow:
                clock.advance(0.5)
            return []

        async with desk.running.node.works.begin() as work:
            await SearchStore().set_done_to(work.connection, now - timedelta(minutes=3))
        monkeypatch.setattr(made, "_unindexed", looked)
        assert await made.recover() == 0
        assert [look.total_seconds() for look in looks[:4]] == [5, 10, 20, 40]
        looks.clear()
        slow = True
        recovering = asyncio.create_task(made.recover())
        for stretch in range(1, 4):
            await clock.until_sleeping()
            assert len(looks) == stretch
            clock.advance(0.25)
            assert clock.sleeping == 1
            clock.advance(0.25)
        assert {look.total_seconds() for look in looks} == {5}
        recovering.cancel()
        await asyncio.gather(recovering, return_exceptions=True)


async def test_c15_texts_are_written_few_at_a_time_with_rests_as_long(
    desk: Desk, said: tuple[UUID, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In between, the processor is for who talks."""
    conversation, seqs = said
    monkeypatch.setattr(indexing, "FEW", 2)
    clock = ManualClock(desk.running.node.clock.now() - timedelta(days=1))
    async with indexer(desk, clock, run=False) as made:
        write = made.write

        async def taking_time(texts: Sequence[Accepted]) -> None:
            await write(texts)
            clock.advance(0.03)

        monkeypatch.setattr(made, "write", taking_time)
        task = asyncio.create_task(made.run(recover=False))
        made.feed(texts_of(desk, conversation, seqs))
        await clock.until_sleeping()
        clock.advance(indexing.GATHER_S)
        for written in (2, 4, 5):
            await clock.until_sleeping()
            assert await desk.value("indexed", conversation) == written
            clock.advance(0.02)
            assert clock.sleeping == 1
            clock.advance(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_c15_what_is_too_much_for_rests_is_written_without(
    desk: Desk, said: tuple[UUID, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation, seqs = said
    monkeypatch.setattr(indexing, "MANY", 4)
    monkeypatch.setattr(indexing, "FEW", 1)
    clock = ManualClock(desk.running.node.clock.now() - timedelta(days=1))
    async with indexer(desk, clock, run=False, batch=3) as made:
        sizes: list[int] = []
        write = made.write

        async def noted(texts: Sequence[Accepted]) -> None:
            await write(texts)
            sizes.append(len(texts))
            clock.advance(0.03)

        monkeypatch.setattr(made, "write", noted)
        task = asyncio.create_task(made.run(recover=False))
        made.feed(texts_of(desk, conversation, seqs))
        await clock.until_sleeping()
        clock.advance(indexing.GATHER_S)
        await until_indexed(desk, conversation, 5)
        assert sizes == [3, 2]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_c15_progress_stays_behind_what_may_still_commit(desk: Desk, said: tuple[UUID, list[int]]) -> None:
    now = desk.running.node.clock.now()
    async with indexer(desk, ManualClock(now), run=False) as made:
        await made.recover()
    assert await desk.value("done_to") <= now - indexing.MARGIN
    async with indexer(desk, ManualClock(now + timedelta(days=30)), run=False) as made:
        await made.recover()
    later: object = await desk.value("done_to")
    async with indexer(desk, ManualClock(now), run=False) as made:
        await made.recover()
    assert await desk.value("done_to") == later  # never backwards


async def test_c15_a_text_that_cannot_be_written_does_not_stop_the_others(
    desk: Desk, said: tuple[UUID, list[int]]
) -> None:
    conversation, seqs = said
    batch = texts_of(desk, conversation, seqs)
    batch[2] = msgspec.structs.replace(batch[2], exhibitor=None)  # what no row may hold
    async with indexer(desk, ManualClock(), run=False) as made:
        await made.write(batch)
    assert await desk.value("indexed", conversation) == 4


async def test_c15_while_the_database_refuses_the_batch_waits(
    desk: Desk, said: tuple[UUID, list[int]], database: Database, database_url: str
) -> None:
    """The index is locked for longer than the lock time limit; the batch is written once it is free."""
    conversation, seqs = said
    clock = ManualClock(desk.running.node.clock.now() - timedelta(days=1))
    impatient = await Database.open(database_url, min_size=1, max_size=2, lock_timeout_ms=50)
    made = Indexer(Works(impatient, clock), SearchStore(), desk.running.node.ground.search_tokens)
    async with impatient:
        task = asyncio.create_task(made.run())
        async with database.transaction() as connection:
            await connection.execute(QUERIES["lock_index"])
            made.feed(texts_of(desk, conversation, seqs))
            await until_asleep(clock, 2)
            clock.advance(indexing.GATHER_S)
            await until_asleep(clock, 1)
            await until_asleep(clock, 2)  # refused, and waiting for its next attempt
        clock.advance(indexing.RETRY_S[0])
        await until_indexed(desk, conversation, 5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await desk.value("indexed", conversation) == 5


async def test_c12_a_recall_between_feed_and_write_leaves_nothing_in_the_index(
    desk: Desk, said: tuple[UUID, list[int]]
) -> None:
    conversation, seqs = said
    async with indexer(desk, ManualClock(), run=False) as made:
        await desk.call("buyer", "chat.recall", conversation=conversation, seq=seqs[0])
        await made.write(texts_of(desk, conversation, seqs))
    assert not await desk.value("is_indexed", conversation, seqs[0])
    assert await desk.value("indexed", conversation) == 4


async def test_c12_a_recall_while_the_indexer_writes_waits_and_finds_the_row(
    desk: Desk, said: tuple[UUID, list[int]]
) -> None:
    """Whichever comes first: the words of a recalled message are not in the index afterwards."""
    conversation, seqs = said
    tokens = desk.running.node.ground.search_tokens
    text = texts_of(desk, conversation, seqs)[0]

    async def waiting() -> bool:
        return recall.done() or bool(await desk.value("locks_waited_for"))

    async with desk.running.node.works.begin() as work:
        await SearchStore().index(work.connection, [text], [tokens.index_tokens(text.text)])
        recall = asyncio.create_task(
            desk.call("buyer", "chat.recall", conversation=conversation, seq=seqs[0], cid=uuid4())
        )
        async with asyncio.timeout(1.5):
            await until(waiting)
    await recall
    assert not await desk.value("is_indexed", conversation, seqs[0])


async def test_c12_the_indexer_waits_for_a_recall_and_writes_nothing(desk: Desk, said: tuple[UUID, list[int]]) -> None:
    conversation, seqs = said
    async with indexer(desk, ManualClock(), run=False) as made:
        async with desk.running.node.works.begin() as work:
            await ChatStore().run(work.connection, "recall", conversation, seqs[0], work.now)
            writing = asyncio.create_task(made.write(texts_of(desk, conversation, seqs)))

            async def waiting() -> bool:
                return writing.done() or bool(await desk.value("locks_waited_for"))

            async with asyncio.timeout(1.5):
                await until(waiting)
            assert not writing.done()
        await writing
    assert not await desk.value("is_indexed", conversation, seqs[0])
    assert await desk.value("indexed", conversation) == 4
