"""What only SMTP can do: the conversation, its envelope, the pool, and the message as other programs read it (N8, M14)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message
from email.policy import compat32
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from fairwire_server.channels.bounce_rules import BounceTags
from fairwire_server.channels.email import EmailChannel
from fairwire_server.channels.mail_message import MailWriter
from fairwire_server.channels.smtp_pool import IDLE_S, SmtpServer
from fairwire_server.notices.parcels import TryLater, Undeliverable
from tests.channels.peers import email_channel, mail
from tests.harness.clock import ManualClock
from tests.harness.smtp import AUTHORITY, Behaviour, SmtpSink, server_tls, smtp_sink

ICS = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nSUMMARY:预约洽谈\r\nEND:VCALENDAR\r\n".encode()
TO = "wang@example.com"


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    async with smtp_sink() as sink:
        yield sink


@pytest.mark.parametrize("stage", ["at_recipient", "at_data"])
@pytest.mark.parametrize(("behaviour", "error"), [(Behaviour.REJECT, Undeliverable), (Behaviour.TEMPFAIL, TryLater)])
async def test_a_reply_of_class_5_is_final_and_of_class_4_is_not(
    sink: SmtpSink, stage: str, behaviour: Behaviour, error: type[Exception]
) -> None:
    sink.behave(**{stage: behaviour})
    with pytest.raises(error) as caught:
        await email_channel(sink).send(mail(TO))
    assert behaviour.value[:3] in str(caught.value)
    assert TO not in str(caught.value)


async def test_no_server_at_all_is_try_later(sink: SmtpSink) -> None:
    channel = email_channel(sink)
    await sink.close()
    await sink.start()
    with pytest.raises(TryLater, match="connection") as caught:
        await channel.send(mail(TO))
    assert not caught.value.maybe_sent


async def test_starttls_is_demanded_where_it_is_set(sink: SmtpSink) -> None:
    """The sink does not offer it: nothing is sent in the clear."""
    server = SmtpServer(host="127.0.0.1", port=sink.port, starttls=True, timeout_s=5)
    with pytest.raises(TryLater, match="protocol"):
        await EmailChannel(server, ManualClock(), sender="fair@example.com").send(mail(TO))
    assert not sink.attempts


async def test_mail_leaves_encrypted_to_a_server_that_proves_who_it_is(
    sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.tls = server_tls()
    server = SmtpServer(host="127.0.0.1", port=sink.port, starttls=True, timeout_s=10)
    with pytest.raises(TryLater, match="tls") as caught:  # an authority that nobody knows
        await EmailChannel(server, ManualClock(), sender="fair@example.com").send(mail(TO))
    assert not caught.value.maybe_sent
    monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
    channel = EmailChannel(server, ManualClock(), sender="fair@example.com")
    await channel.send(mail(TO))
    await channel.send(mail(TO))
    assert len(sink.mails) == 2
    assert channel.pool.open == 1


async def test_mail_leaves_over_tls_from_the_first_byte_on_or_not_at_all(
    sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 8314: to a server that is who it says, and to no other; to one that speaks in the clear, nothing is said."""

    async def send(port: int, host: str = "127.0.0.1") -> EmailChannel:
        server = SmtpServer(host=host, port=port, implicit_tls=True, timeout_s=10)
        channel = EmailChannel(server, ManualClock(), sender="fair@example.com")
        await channel.send(mail(TO))
        await channel.send(mail(TO))
        return channel

    async with smtp_sink(server_tls()) as encrypted:
        with pytest.raises(TryLater, match="tls") as unknown:
            await send(encrypted.port)
        monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
        with pytest.raises(TryLater, match="tls") as another:
            await send(encrypted.port, "localhost")
        assert not encrypted.mails
        channel = await send(encrypted.port)
        assert (len(encrypted.mails), channel.pool.open) == (2, 1)
    with pytest.raises(TryLater) as clear:
        await send(sink.port)
    assert not sink.attempts
    assert not any(error.value.maybe_sent for error in (unknown, another, clear))


async def test_an_address_or_subject_cannot_add_a_header(sink: SmtpSink) -> None:
    for evil in (mail("a@example.com\nBcc: all@example.com"), mail(TO, subject="S\r\nBcc: all@example.com")):
        with pytest.raises(Undeliverable, match="address"):
            await email_channel(sink).send(evil)
    assert not sink.mails


async def test_a_domain_of_other_letters_travels_in_its_ascii_form_and_a_local_part_as_it_is(sink: SmtpSink) -> None:
    channel = email_channel(sink)
    for to in ("wang@例子.example", "王@example.com"):
        await channel.send(mail(to))
    assert [one.recipients for one in sink.mails] == [("wang@xn--fsqu00a.example",), ("王@example.com",)]
    assert "SMTPUTF8" in sink.mails[1].options


# the envelope


async def test_bounces_come_back_to_an_address_that_names_the_mail(sink: SmtpSink) -> None:
    tags = BounceTags("bounce@example.com", b"secret")
    one = mail("o+=k@example.com")
    await email_channel(sink, tags=tags).send(one)
    (arrived,) = sink.mails
    assert tags.reference(arrived.sender) == one.reference
    assert {"RET=HDRS", f"ENVID={one.reference.hex}", "NOTIFY=FAILURE"} <= set(arrived.options)
    assert "ORCPT=rfc822;o+2B+3Dk@example.com" in arrived.options  # RFC 3461 §4: xtext
    assert arrived.message["From"] == "Fair <fair@example.com>"


async def test_a_second_try_of_a_mail_is_recognised_as_the_same_n4(sink: SmtpSink) -> None:
    one, channel = mail(TO), email_channel(sink)
    await channel.send(one)
    await channel.send(one)
    first, second = sink.mails
    assert first.message["Message-ID"] == second.message["Message-ID"] == f"<{one.reference.hex}@example.com>"


async def test_mails_of_one_meeting_are_one_thread_n8(sink: SmtpSink) -> None:
    """RFC 5322 §3.6.4; a letter is about nothing else."""
    meeting, channel = uuid7(), email_channel(sink)
    for one in (mail(TO, thread=meeting), mail(TO, thread=meeting, unsubscribe="https://fair.example/u"), mail(TO)):
        await channel.send(one)
    first, second, letter = (arrived.message for arrived in sink.mails)
    assert first["References"] == second["References"] == f"<{meeting.hex}@example.com>"
    assert first["Message-ID"] != second["Message-ID"]
    assert letter["References"] is None


# the pool


async def test_connections_are_few_and_used_again(sink: SmtpSink) -> None:
    channel = email_channel(sink, connections=3)
    await asyncio.gather(*(channel.send(mail(f"a{n}@example.com")) for n in range(30)))
    assert len(sink.mails) == 30
    assert sink.sessions == channel.pool.open == 3


async def test_a_server_that_hung_up_meanwhile_costs_a_new_connection_and_nothing_else(sink: SmtpSink) -> None:
    channel = email_channel(sink)
    await channel.send(mail(TO))
    sink.hang_up()
    await channel.send(mail(TO))
    assert len(sink.mails) == sink.sessions == 2


async def test_idle_connections_are_dropped(sink: SmtpSink) -> None:
    clock = ManualClock()
    server = SmtpServer(host="127.0.0.1", port=sink.port, starttls=False, timeout_s=5)
    channel = EmailChannel(server, clock, sender="fair@example.com")
    running = asyncio.create_task(channel.run())
    await channel.send(mail(TO))
    assert channel.pool.open == 1
    for _ in range(6):
        await clock.until_sleeping()
        clock.advance(IDLE_S / 4)
    await clock.until_sleeping()
    assert channel.pool.open == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_connection_is_used_again_after_a_refusal_and_not_after_a_doubt(sink: SmtpSink) -> None:
    channel = email_channel(sink, timeout_s=1.0)
    sink.behave(at_data=Behaviour.REJECT)
    with pytest.raises(Undeliverable):
        await channel.send(mail(TO))
    assert channel.pool.open == 1
    sink.behave(at_data=Behaviour.HANG)
    with pytest.raises(TryLater):
        await channel.send(mail(TO))
    assert sink.sessions == 1
    assert channel.pool.open == 0


async def test_the_lease_is_asked_when_only_the_text_remains_n4(sink: SmtpSink) -> None:
    seen: list[int] = []

    def may_leave() -> bool:
        seen.append(sink.attempts)
        return True

    sink.refused_recipients = frozenset({"nobody@example.com"})
    channel = email_channel(sink)
    with pytest.raises(Undeliverable):
        await channel.send(mail("nobody@example.com"), may_leave)
    assert not seen  # the recipient was refused before
    await channel.send(mail(TO), may_leave)
    assert seen == [0]


# the message, read by the standard library's older parser


def parsed(raw: bytes) -> Any:
    return message_from_bytes(raw, policy=compat32)


async def test_an_invitation_is_an_alternative_with_its_method_and_a_file_beside_it_m14(sink: SmtpSink) -> None:
    await email_channel(sink).send(mail(TO, html="<p>您好</p>", calendar=ICS, calendar_method="REQUEST"))
    message = parsed(sink.mails[0].raw)
    assert message.get_content_type() == "multipart/mixed"
    alternatives, file = message.get_payload()
    assert alternatives.get_content_type() == "multipart/alternative"
    plain, html, calendar = alternatives.get_payload()
    assert [part.get_content_type() for part in (plain, html, calendar)] == ["text/plain", "text/html", "text/calendar"]
    assert (calendar.get_param("method"), calendar.get_content_charset()) == ("REQUEST", "utf-8")
    assert calendar.get_payload(decode=True) == ICS == file.get_payload(decode=True)
    assert (file.get_content_type(), file.get_filename()) == ("application/ics", "meeting.ics")
    assert plain.get_payload(decode=True).decode().replace("\r\n", "\n").strip() == "您好。\n.\n..End"
    assert message["MIME-Version"] == "1.0"


async def test_headers_tell_machines_what_it_is_n8(sink: SmtpSink) -> None:
    channel = email_channel(sink)
    await channel.send(mail(TO, unsubscribe="https://fair.example/unsubscribe/abc"))
    await channel.send(mail(TO, language="en"))
    reminder, plain = (parsed(one.raw) for one in sink.mails)
    assert reminder["List-Unsubscribe"] == "<https://fair.example/unsubscribe/abc>"
    assert reminder["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert plain["List-Unsubscribe"] is None
    assert {reminder["Auto-Submitted"], plain["Auto-Submitted"]} == {"auto-generated"}
    assert (reminder["Content-Language"], plain["Content-Language"]) == ("zh", "en")
    assert str(make_header(decode_header(reminder["Subject"]))) == "预约洽谈"


@pytest.mark.parametrize(
    ("sender", "name"),
    [("fair@a.example", ""), ("Fair <fair@a.example>", "Fair"), ('"Fair, \\"Spring\\"" <fair@a.example>', 'Fair, "Spring"'),
     ("云展会 <fair@a.example>", "云展会")],
)  # fmt: skip
def test_the_sender_is_a_name_and_an_address(sender: str, name: str) -> None:
    message = message_from_bytes(MailWriter(sender).write(mail(TO), TO, ManualClock().now()), policy=policy.default)
    (address,) = message["From"].addresses
    assert (address.display_name, address.addr_spec) == (name, "fair@a.example")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200) | st.text("ab.-=_? \n", max_size=3000)


def lines_of(text: str) -> str:
    """What a reader of MIME makes of any line's end."""
    return "".join(f"{line}\n" for line in re.split(r"\r\n|\r|\n", text)).rstrip("\n")


@given(
    TEXTS, TEXTS, st.none() | TEXTS, st.none() | st.binary(max_size=300), st.sampled_from(["REQUEST", "CANCEL", None])
)
def test_whatever_is_written_is_read_by_the_standard_library_as_it_was(
    subject: str, text: str, html: str | None, calendar: bytes | None, method: str | None
) -> None:
    one = mail(
        TO, subject=subject, text=text, html=html, calendar=calendar, calendar_method=method, reference=UUID(int=7)
    )
    try:
        raw = MailWriter("Fair <fair@example.com>").write(one, TO, ManualClock().now())
    except ValueError:
        assert re.search(r"[\x00-\x1f\x7f]", subject)
        return
    assert raw.isascii()
    assert raw.endswith(b"\r\n")
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert all(len(line) <= 78 for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))
    message = message_from_bytes(raw, policy=policy.default)
    assert not any(part.defects for part in message.walk())
    older = message_from_bytes(raw, policy=compat32)["Subject"]
    assert subject in {str(make_header(decode_header(older))), message["Subject"]}
    parts = {part.get_content_type(): part for part in message.walk() if not part.is_multipart()}
    assert lines_of(decoded(parts["text/plain"])) == lines_of(text)
    assert ("text/html" in parts) == (html is not None)
    if html is not None:
        assert lines_of(decoded(parts["text/html"])) == lines_of(html)
    assert ("text/calendar" in parts) == ("application/ics" in parts) == (calendar is not None)
    if calendar is not None:
        assert parts["text/calendar"].get_payload(decode=True) == calendar
        assert parts["text/calendar"].get_param("method") == method
        assert parts["application/ics"].get_payload(decode=True) == calendar


def decoded(part: Message) -> str:
    """A text part's characters."""
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()
