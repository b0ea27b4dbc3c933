"""The channels that settings name: which there are, and every fault told before anything is sent (N7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from aiohttp import ClientSession

from fairwire_server.accounts.letters import code_letter
from fairwire_server.channels.build import Channels, build_channels
from fairwire_server.channels.email import EmailChannel
from fairwire_server.channels.post import Post
from fairwire_server.channels.twilio import twilio_signature
from fairwire_server.database.work import Works
from fairwire_server.settings import Settings, SettingsError, load
from tests.channels.peers import catalogue_text
from tests.harness.clock import ManualClock
from tests.harness.node import running_node
from tests.harness.sms_gateway import KEY_ID, KEY_SECRET, SENDER, sms_gateway

SMTP = {"smtp_host": "mail.example", "smtp_from": "fair@example.com"}
TOKEN = "an-end-of-an-address-nobody-knows"


def build(**changes: object) -> Channels:
    """The channels of these settings; nothing is opened."""
    settings = msgspec.structs.replace(Settings(), **changes)
    return build_channels(settings, Works(None, ManualClock()), b"secret")  # type: ignore[arg-type]  # no query is made


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    path = tmp_path / "templates.toml"
    path.write_text(catalogue_text(), "utf-8")
    return path


def test_the_embedded_default_shows_both_kinds() -> None:
    channels = build()
    assert [(one.name, one.kind) for one in channels.all] == [("outbox_email", "email"), ("outbox_sms", "sms")]
    assert channels.outbox is not None


def test_with_a_mail_server_alone_nobody_gets_short_messages() -> None:
    channels = build(**SMTP)
    assert [one.name for one in channels.all] == ["smtp"]
    assert channels.outbox is None
    assert not Post(channels.by_kind, lambda job: None, ManualClock()).reaches("mobile")
    assert [one.name for one in build(**SMTP, sms_provider="outbox").all] == ["smtp", "outbox_sms"]


@pytest.mark.parametrize(
    ("provider", "callbacks"), [("aliyun", ["aliyun"]), ("tencent", ["tencent"]), ("twilio", ["twilio"]), ("smpp", [])]
)
def test_each_provider_has_its_channel_rate_and_callbacks(templates: Path, provider: str, callbacks: list[str]) -> None:
    channels = build(
        **SMTP,
        smtp_bounces="bounce@example.com",
        smtp_rate=7.0,
        sms_provider=provider,
        sms_rate=3.0,
        sms_templates=templates,
        sms_callback_token=TOKEN,
        sms_sender=SENDER,
        public_url="https://fair.example",
    )
    assert [(one.name, one.rate) for one in channels.all] == [("smtp", 7.0), (provider, 3.0)]
    assert [one.name for one in channels.callbacks] == ["bounce", *callbacks]


@pytest.mark.parametrize(("port", "implicit"), [(465, True), (587, False)])
def test_port_465_is_tls_from_the_start(port: int, implicit: bool) -> None:
    email = build(**SMTP, smtp_port=port).by_kind["email"]
    assert isinstance(email, EmailChannel)
    assert email.pool.server.implicit_tls == implicit
    assert email.pool.server.starttls


def test_without_a_token_or_an_address_no_reports_are_taken(templates: Path) -> None:
    for provider in ("aliyun", "tencent", "twilio"):
        assert not build(sms_provider=provider, sms_templates=templates).callbacks


def test_all_faults_of_a_catalogue_are_told_as_faults_of_its_setting_n7(tmp_path: Path) -> None:
    path = tmp_path / "templates.toml"
    path.write_text(catalogue_text().replace("{time}", "{when}"), "utf-8")
    with pytest.raises(SettingsError) as caught:
        build(sms_templates=path)
    assert len(caught.value.faults) == 10
    assert {fault.variable for fault in caught.value.faults} == {"FAIRWIRE_SMS_TEMPLATES"}
    with pytest.raises(SettingsError, match="cannot be read"):
        build(sms_templates=tmp_path / "nothing.toml")
    with pytest.raises(SettingsError, match="FAIRWIRE_SMPP_STATUSES"):
        build(sms_provider="smpp", smpp_statuses=("401",))


@pytest.mark.parametrize(
    ("environ", "wrong"),
    [
        ({"SMS_PROVIDER": "aliyun"}, {"SMS_KEY_ID", "SMS_KEY_SECRET", "SMS_TEMPLATES"}),
        ({"SMS_PROVIDER": "tencent"}, {"SMS_KEY_ID", "SMS_KEY_SECRET", "SMS_TEMPLATES", "SMS_APP_ID"}),
        ({"SMS_PROVIDER": "twilio"}, {"SMS_KEY_ID", "SMS_KEY_SECRET", "SMS_SENDER"}),
        ({"SMS_PROVIDER": "smpp"}, {"SMPP_HOST", "SMPP_SYSTEM_ID", "SMS_SENDER"}),
        ({"SMS_CALLBACK_TOKEN": "short"}, {"SMS_CALLBACK_TOKEN"}),
        ({"SMS_ENDPOINT": "http://elsewhere.example"}, {"SMS_ENDPOINT"}),
        ({"SMTP_BOUNCES": "a-name-that-is-too-long@example.com"}, {"SMTP_BOUNCES"}),
        ({"SMTP_BOUNCES": "bounce"}, {"SMTP_BOUNCES"}),
    ],
)
def test_what_a_provider_needs_is_demanded_at_once(environ: dict[str, str], wrong: set[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        load({f"FAIRWIRE_{name}": value for name, value in environ.items()})
    assert {fault.variable.removeprefix("FAIRWIRE_") for fault in caught.value.faults} == wrong


async def test_a_node_sends_codes_by_its_provider_and_takes_its_callbacks_n6(database_url: str, tmp_path: Path) -> None:
    async with sms_gateway() as gateway:
        settings: dict[str, Any] = {
            "sms_provider": "twilio",
            "sms_key_id": KEY_ID,
            "sms_key_secret": KEY_SECRET,
            "sms_sender": SENDER,
            "sms_endpoint": gateway.url,
            "public_url": "https://fair.example",
        }
        async with running_node(database_url, tmp_path, **settings) as running:
            letter = code_letter("sign_in", "+8613800138000", "123456", 10, "zh")
            Post(running.node.channels.by_kind, running.node.ground.errands.defer, running.node.clock).send(letter)
            await running.node.ground.errands.idle()
            assert [to for to, _, _ in gateway.messages] == ["+8613800138000"]
            assert gateway.messages[0][2] == "【Fairwire】您的验证码是123456，10分钟内有效，请勿告诉他人。"
            fields = [("MessageSid", "SM1"), ("MessageStatus", "delivered")]
            signature = twilio_signature(KEY_SECRET, "https://fair.example/callbacks/twilio", fields)
            headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
            async with ClientSession(running.url) as client:
                async with client.post("/callbacks/twilio", data=urlencode(fields), headers=headers) as answer:
                    assert answer.status == 200
                async with client.post("/callbacks/twilio", data="MessageSid=SM1") as answer:
                    assert answer.status == 404
