"""What `Channel` promises, over both implementations: email on a real SMTP server, and the outbox page's table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from fairwire_server.accounts.letters import Letter
from fairwire_server.channels.channel import Channel, TryLater, Undeliverable
from fairwire_server.channels.email import EmailChannel
from fairwire_server.channels.outbox import KEPT, OutboxChannel
from fairwire_server.clock import SystemClock
from fairwire_server.database.pool import Database
from fairwire_server.database.work import Works
from tests.harness.clock import ManualClock
from tests.harness.smtp import Behaviour, SmtpSink, smtp_sink

CODE = Letter(kind="email", to="wang@example.com", subject="验证码：123456", text="您的验证码是 123456。\n.\nEnd")


@dataclass
class Case:
    """A channel, how to see what arrived there, and how to make the other side fail for now."""

    channel: Channel
    arrived: Callable[[], Awaitable[list[tuple[str, str, str]]]]
    fail: Callable[[], Awaitable[None]]


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    async with smtp_sink() as sink:
        yield sink


def email(sink: SmtpSink, timeout_s: float = 5.0) -> EmailChannel:
    return EmailChannel(
        host="127.0.0.1", port=sink.port, sender="Fair <fair@example.com>", starttls=False, timeout_s=timeout_s
    )


@pytest.fixture(params=["email", "outbox"])
async def case(request: pytest.FixtureRequest, sink: SmtpSink, database: Database) -> Case:
    if request.param == "email":

        async def mails() -> list[tuple[str, str, str]]:
            return [
                (mail.recipients[0], mail.message["Subject"], mail.text.replace("\r\n", "\n").strip())
                for mail in sink.mails
            ]

        async def refuse() -> None:
            sink.behave(at_data=Behaviour.TEMPFAIL)

        return Case(email(sink), mails, refuse)
    outbox = OutboxChannel(Works(database, SystemClock()))

    async def letters() -> list[tuple[str, str, str]]:
        return [(letter.recipient, letter.subject, letter.text.strip()) for letter in reversed(await outbox.newest())]

    return Case(outbox, letters, database.close)


async def test_a_letter_arrives_as_it_was_written(case: Case) -> None:
    await case.channel.send(CODE)
    assert await case.arrived() == [(CODE.to, CODE.subject, CODE.text)]


async def test_letters_may_leave_at_once(case: Case) -> None:
    letters = [Letter(kind="email", to=f"{n}@example.com", subject="S", text="T") for n in range(12)]
    await asyncio.gather(*map(case.channel.send, letters))
    assert sorted(to for to, _, _ in await case.arrived()) == sorted(letter.to for letter in letters)


async def test_a_failure_of_the_other_side_is_try_later_and_names_nobody(case: Case) -> None:
    await case.fail()
    with pytest.raises(TryLater) as caught:
        await case.channel.send(CODE)
    assert caught.value.__cause__ is None
    for text in (CODE.to, "123456"):
        assert text not in repr(caught.value)


async def test_what_it_does_not_reach_is_undeliverable(case: Case) -> None:
    assert case.channel.reaches("email")
    text = Letter(kind="mobile", to="+8613700137000", subject="S", text="T")
    if case.channel.reaches("mobile"):
        await case.channel.send(text)
        assert [to for to, _, _ in await case.arrived()] == [text.to]
    else:
        with pytest.raises(Undeliverable):
            await case.channel.send(text)
        assert not await case.arrived()


# what only SMTP can do


@pytest.mark.parametrize("stage", ["at_recipient", "at_data"])
@pytest.mark.parametrize(("behaviour", "error"), [(Behaviour.REJECT, Undeliverable), (Behaviour.TEMPFAIL, TryLater)])
async def test_a_reply_of_class_5_is_final_and_of_class_4_is_not(
    sink: SmtpSink, stage: str, behaviour: Behaviour, error: type[Exception]
) -> None:
    sink.behave(**{stage: behaviour})
    with pytest.raises(error) as caught:
        await email(sink).send(CODE)
    assert behaviour.value[:3] in str(caught.value)
    assert CODE.to not in str(caught.value)


async def test_a_server_that_goes_silent_costs_the_time_out_and_no_more(sink: SmtpSink) -> None:
    sink.behave(at_data=Behaviour.HANG)
    with pytest.raises(TryLater, match="timeout"):
        await email(sink, timeout_s=0.2).send(CODE)


async def test_no_server_at_all_is_try_later(sink: SmtpSink) -> None:
    channel = email(sink)
    await sink.close()
    await sink.start()
    with pytest.raises(TryLater, match="connection"):
        await channel.send(CODE)


async def test_starttls_is_demanded_where_it_is_set(sink: SmtpSink) -> None:
    """The sink does not offer it: nothing is sent in the clear."""
    channel = EmailChannel(host="127.0.0.1", port=sink.port, sender="fair@example.com", starttls=True, timeout_s=5)
    with pytest.raises(TryLater, match="protocol"):
        await channel.send(CODE)
    assert not sink.attempts


async def test_a_mail_says_that_a_machine_wrote_it(sink: SmtpSink) -> None:
    await email(sink).send(CODE)
    message = (await sink.next_mail(CODE.to)).message
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.com>")
    assert message["Date"]


async def test_an_address_cannot_add_a_header(sink: SmtpSink) -> None:
    evil = Letter(kind="email", to="a@example.com\nBcc: all@example.com", subject="S", text="T")
    with pytest.raises(Undeliverable, match="address"):
        await email(sink).send(evil)
    assert not sink.mails


async def test_the_outbox_keeps_the_newest(database: Database) -> None:
    outbox = OutboxChannel(Works(database, ManualClock()))
    async with database.transaction() as tx:
        await tx.executemany(
            "INSERT INTO outbox_mail (id, recipient, subject, text, at) VALUES (gen_random_uuid(), 'x', '', '', $1)",
            [(ManualClock().now(),)] * (KEPT + 20),
        )
        await tx.execute("UPDATE outbox_mail SET id = ('00' || substr(id::text, 3))::uuid")  # older than any UUIDv7
    await outbox.send(CODE)
    async with database.reader() as reader:
        assert await reader.fetchval("SELECT count(*) FROM outbox_mail") == KEPT
    assert (await outbox.newest(1))[0].recipient == CODE.to
