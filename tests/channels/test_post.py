"""The post: off the request path, a few at a time, trying again until a letter is useless, and silent about addresses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from fairwire_protocol.errors import Unavailable
from fairwire_server.accounts.letters import Letter
from fairwire_server.channels.email import EmailChannel
from fairwire_server.channels.post import Post
from fairwire_server.channels.rules import USELESS_AFTER_S, next_try
from fairwire_server.channels.smtp_pool import SmtpServer
from fairwire_server.jobs.errands import Errands
from tests.harness.clock import ManualClock
from tests.harness.smtp import Behaviour, SmtpSink, smtp_sink

CODE = Letter(
    kind="email",
    to="wang@example.com",
    subject="Your code: 123456",
    text="123456",
    language="en",
    code="123456",
    minutes=5,
)


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    async with smtp_sink() as sink:
        yield sink


@asynccontextmanager
async def running(errands: Errands) -> AsyncIterator[None]:
    task = asyncio.create_task(errands.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def post(sink: SmtpSink, errands: Errands, clock: ManualClock) -> Post:
    server = SmtpServer(host="127.0.0.1", port=sink.port, starttls=False, timeout_s=5)
    return Post({"email": EmailChannel(server, clock, sender="fair@example.com")}, errands.defer, clock)


async def test_a_temporary_failure_is_tried_again_until_it_leaves(sink: SmtpSink) -> None:
    errands, clock = Errands(), ManualClock()
    sink.behave(at_data=Behaviour.TEMPFAIL)
    with capture_logs() as logs:
        async with running(errands), asyncio.timeout(10):
            post(sink, errands, clock).send(CODE)
            await clock.until_sleeping()
            assert sink.attempts == 1
            sink.behave()
            clock.advance(2)
            await errands.idle()
    assert [mail.recipients for mail in sink.mails] == [(CODE.to,)]
    assert [log["event"] for log in logs] == ["letter_delayed"]


async def test_a_letter_is_given_up_when_it_is_useless(sink: SmtpSink) -> None:
    errands, clock = Errands(), ManualClock(jumps=True)
    sink.behave(at_data=Behaviour.TEMPFAIL)
    with capture_logs() as logs:
        async with running(errands), asyncio.timeout(10):
            post(sink, errands, clock).send(CODE)
            await errands.idle()
    assert logs[-1]["event"] == "letter_given_up"
    assert sink.attempts == len(logs) > 5
    assert clock.monotonic() <= USELESS_AFTER_S


async def test_a_refused_letter_is_not_tried_again_and_no_log_names_address_or_code(sink: SmtpSink) -> None:
    errands = Errands()
    sink.behave(at_recipient=Behaviour.REJECT)
    with capture_logs() as logs:
        async with running(errands), asyncio.timeout(10):
            post(sink, errands, ManualClock()).send(CODE)
            await errands.idle()
    assert [(log["event"], log["reason"], log["tries"]) for log in logs] == [("letter_refused", "recipient_550", 1)]
    assert "wang" not in str(logs)
    assert "123456" not in str(logs)


async def test_a_full_queue_drops_the_letter_with_a_line_in_the_log(sink: SmtpSink) -> None:
    errands = Errands(most=1)
    with capture_logs() as logs:
        for _ in range(2):
            post(sink, errands, ManualClock()).send(CODE)
    assert [log["event"] for log in logs] == ["letter_dropped"]


@given(st.integers(1, 50), st.floats(0, 2 * USELESS_AFTER_S), st.floats(0, 1))
def test_tries_grow_apart_and_end(tries: int, waited: float, jitter: float) -> None:
    pause = next_try(tries, waited, jitter)
    if pause is not None:
        assert 1 <= pause <= 120
        assert waited + pause <= USELESS_AFTER_S
    assert next_try(tries, USELESS_AFTER_S, jitter) is None


async def test_one_failing_errand_harms_no_other() -> None:
    done: list[int] = []
    errands = Errands(most=3)

    async def fail() -> None:
        raise RuntimeError("wang@example.com")

    async def work(n: int) -> None:
        done.append(n)

    errands.defer(fail)
    errands.defer(lambda: work(1))
    errands.defer(lambda: work(2))
    with pytest.raises(Unavailable):
        errands.defer(lambda: work(3))
    with capture_logs() as logs:
        async with running(errands), asyncio.timeout(5):
            await errands.idle()
            errands.defer(lambda: work(4))
            await errands.idle()
    assert done == [1, 2, 4]
    assert [(log["event"], log["error"]) for log in logs] == [("errand_failed", "RuntimeError")]
    assert "wang" not in str(logs)


async def test_stopping_cancels_and_awaits_what_is_under_way() -> None:
    ended: list[str] = []
    errands = Errands()
    started = asyncio.Event()

    async def long() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            ended.append("long")

    errands.defer(long)
    async with running(errands), asyncio.timeout(5):
        await started.wait()
    assert ended == ["long"]
