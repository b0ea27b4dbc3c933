"""The mail sink, spoken to by the client library the server uses, in each of its moods."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage

import aiosmtplib
import pytest

from tests.harness.smtp import Behaviour, SmtpSink, smtp_sink


def letter(to: str, text: str = "您的验证码是 135790。") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "fair@example.org", to, "验证码"
    message.set_content(text)
    return message


async def send(sink: SmtpSink, message: EmailMessage, within: float = 5.0) -> None:
    await aiosmtplib.send(message, hostname="127.0.0.1", port=sink.port, timeout=within, start_tls=False)


async def test_mails_are_kept_decoded_and_by_recipient() -> None:
    async with smtp_sink() as sink:
        for number in range(3):
            await send(sink, letter(f"buyer{number % 2}@example.org", f"第{number}封"))
        assert (await sink.next_mail("buyer0@example.org")).text.strip() == "第0封"
        assert (await sink.next_mail("buyer0@example.org", after=1)).text.strip() == "第2封"
        assert (await sink.next_mail("buyer1@example.org")).message["Subject"] == "验证码"
        assert [mail.sender for mail in sink.mails] == ["fair@example.org"] * 3


async def test_waiting_for_a_mail_ends_when_it_comes_or_in_time() -> None:
    async with smtp_sink() as sink:
        waiting = asyncio.create_task(sink.next_mail("late@example.org"))
        await send(sink, letter("late@example.org"))
        assert (await waiting).recipients == ("late@example.org",)
        with pytest.raises(TimeoutError):
            await sink.next_mail("nobody@example.org", within=0.05)


@pytest.mark.parametrize(
    ("behaviour", "code"), [(Behaviour.REJECT, 550), (Behaviour.TEMPFAIL, 451)], ids=["for good", "for now"]
)
async def test_refusals_reach_the_sender_and_store_nothing(behaviour: Behaviour, code: int) -> None:
    async with smtp_sink() as sink:
        sink.behave(at_data=behaviour)
        with pytest.raises(aiosmtplib.SMTPDataError) as at_data:
            await send(sink, letter("a@example.org"))
        assert at_data.value.code == code
        sink.behave(at_recipient=behaviour)
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as at_recipient:
            await send(sink, letter("a@example.org"))
        assert [refusal.code for refusal in at_recipient.value.recipients] == [code]
        assert sink.mails == []
        assert sink.attempts == 1
        sink.behave()
        await send(sink, letter("a@example.org"))
        assert len(sink.mails) == 1


async def test_a_silent_server_is_waited_for_only_as_long_as_the_client_likes() -> None:
    async with smtp_sink() as sink:
        sink.behave(at_data=Behaviour.HANG)
        with pytest.raises(aiosmtplib.SMTPReadTimeoutError):
            await send(sink, letter("a@example.org"), within=0.1)
        assert sink.mails == []
        sink.behave()
        await send(sink, letter("a@example.org"))
        assert len(sink.mails) == 1
