"""Providers of short messages: signatures as documented, answers as their tables say, and nothing of it said to anybody (N6, N7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire_server.channels import aliyun, tencent, twilio
from fairwire_server.channels.aliyun import acs3_authorization, canonical_query
from fairwire_server.channels.provider_rules import failure, find, retry_after
from fairwire_server.channels.tencent import tc3_authorization
from fairwire_server.channels.twilio import twilio_signature
from fairwire_server.notices.parcels import TryLater, Undeliverable
from tests.channels.peers import http_channel, provider, sms
from tests.harness.clock import ManualClock
from tests.harness.sms_gateway import SmsGateway, sms_gateway

NAMES = ["aliyun", "tencent", "twilio"]
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture
async def gateway() -> AsyncIterator[SmsGateway]:
    async with sms_gateway() as gateway:
        yield gateway


# the documents' own examples


def test_the_signature_of_aliyuns_documents() -> None:
    """ "V3 request structure and signature", the fixed example."""
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": sha256(b"").hexdigest(),
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    image = "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"
    query = canonical_query({"RegionId": "cn-shanghai", "ImageId": image})
    signed = acs3_authorization("POST", "/", query, headers, "YourAccessKeyId", "YourAccessKeySecret")
    assert signed == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def test_the_signature_of_tencents_documents() -> None:
    """ "Signature method v3", the example of DescribeInstances."""
    body = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
    key_id, secret = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
    assert tc3_authorization("cvm", "cvm.tencentcloudapi.com", body, 1551113065, key_id, secret) == (
        f"TC3-HMAC-SHA256 Credential={key_id}/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, "
        "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    )


def test_the_signatures_of_twilios_documents_and_library() -> None:
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    fields = [
        ("Digits", "1234"),
        ("To", "+18005551212"),
        ("From", "+14158675309"),
        ("Caller", "+14158675309"),
        ("CallSid", "CA1234567890ABCDE"),
    ]
    assert twilio_signature("12345", url, fields) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    twice = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")]
    assert twilio_signature("12345", url, twice) == "IK+Dwps556ElfBT0I3Rgjkr1wJU="


@pytest.mark.parametrize("name", ["aliyun", "tencent"])
async def test_a_request_signed_with_another_key_is_refused_by_the_gateway(gateway: SmsGateway, name: str) -> None:
    """The harness really checks: or the contract would prove nothing."""
    one = replace(provider(name, gateway.url), key_secret="another")  # type: ignore[type-var]
    async with http_channel(name, gateway) as channel:
        channel._provider = one
        with pytest.raises(Undeliverable, match="Signature"):
            await channel.send(sms("+8613800138000"))


async def test_the_clock_is_part_of_a_signature(gateway: SmsGateway) -> None:
    """A machine whose clock is wrong is told so, and may be right later."""
    for name, code in (("aliyun", "InvalidTimeStamp.Expired"), ("tencent", "AuthFailure.SignatureExpire")):
        async with http_channel(name, gateway, clock=ManualClock()) as channel:
            with pytest.raises(TryLater, match=code):
                await channel.send(sms("+8613800138000"))


# what answers mean


@pytest.mark.parametrize("name", NAMES)
async def test_429_is_obeyed_n6(gateway: SmsGateway, name: str) -> None:
    gateway.mood = "busy"
    async with http_channel(name, gateway) as channel:
        with pytest.raises(TryLater) as caught:
            await channel.send(sms("+8613800138000"))
    assert (caught.value.throttled, caught.value.after_s, caught.value.maybe_sent) == (True, 7.0, False)


@pytest.mark.parametrize("name", ["aliyun", "tencent"])
async def test_the_providers_own_limit_for_a_number_is_told_as_budget_n7(gateway: SmsGateway, name: str) -> None:
    gateway.mood = "budget"
    async with http_channel(name, gateway) as channel:
        with pytest.raises(Undeliverable) as caught:
            await channel.send(sms("+8613800138000"))
    assert caught.value.budget


@pytest.mark.parametrize("mood", ["moved", "huge", "nonsense"])
@pytest.mark.parametrize("name", NAMES)
async def test_redirects_floods_and_pages_are_no_answers(gateway: SmsGateway, name: str, mood: str) -> None:
    gateway.mood = mood
    async with http_channel(name, gateway) as channel:
        with pytest.raises(TryLater, match="http_"):
            await channel.send(sms("+8613800138000"))
    assert gateway.requests == 1


@pytest.mark.parametrize("name", NAMES)
async def test_no_provider_at_all_is_try_later_and_nothing_was_sent(name: str) -> None:
    async with sms_gateway() as gone:
        pass
    async with http_channel(name, gone) as channel:
        with pytest.raises(TryLater, match="connection") as caught:
            await channel.send(sms("+8613800138000"))
    assert not caught.value.maybe_sent


@pytest.mark.parametrize("name", NAMES)
async def test_a_message_that_would_not_be_the_approved_one_never_leaves_n7(gateway: SmsGateway, name: str) -> None:
    async with http_channel(name, gateway) as channel:
        for wrong in (
            sms("+8613800138000", "advert"),
            sms("+8613800138000", time="14:30"),
            sms("+8613800138000", time="14:30", room="https://x.cn"),
        ):
            with pytest.raises(Undeliverable, match=r"template|variable_room"):
                await channel.send(wrong)
    assert not gateway.requests


@pytest.mark.parametrize(
    ("table", "code", "verdict"),
    [
        (aliyun.ERRORS, "isv.BUSINESS_LIMIT_CONTROL", "budget"),
        (aliyun.ERRORS, "isv.MOBILE_NUMBER_ILLEGAL", "final"),
        (aliyun.ERRORS, "isv.AMOUNT_NOT_ENOUGH", "final"),
        (aliyun.ERRORS, "isp.SYSTEM_ERROR", "retry"),
        (aliyun.ERRORS, "isp.RAM_PERMISSION_DENY", "final"),
        (aliyun.ERRORS, "Throttling.User", "busy"),
        (aliyun.ERRORS, "Something.New", "retry"),
        (tencent.ERRORS, "LimitExceeded.PhoneNumberThirtySecondLimit", "budget"),
        (tencent.ERRORS, "LimitExceeded.AppDailyLimit", "final"),
        (tencent.ERRORS, "RequestLimitExceeded", "busy"),
        (tencent.ERRORS, "RequestLimitExceeded.UinLimitExceeded", "busy"),
        (tencent.ERRORS, "InternalError.Timeout", "retry"),
        (tencent.ERRORS, "FailedOperation.InsufficientBalanceInSmsPackage", "final"),
        (twilio.ERRORS, "20429", "busy"),
        (twilio.ERRORS, "21211", "final"),
        (twilio.ERRORS, "21611", "busy"),
        (twilio.ERRORS, "30008", "retry"),
    ],
)
def test_codes_and_what_they_mean_n6(table: dict[str, str], code: str, verdict: str) -> None:
    assert find(code, table, "retry") == verdict  # type: ignore[arg-type]


@given(st.text(max_size=200), st.sampled_from(["retry", "busy", "budget", "final"]))
def test_a_reason_is_short_and_plain(code: str, verdict: str) -> None:
    error = failure(verdict, code)  # type: ignore[arg-type]
    assert len(error.reason) <= 80
    assert error.reason.isascii()
    assert " " not in error.reason
    assert isinstance(error, Undeliverable) == (verdict in {"budget", "final"})


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("999999", 3600),
        ("Sun, 22 Nov 2026 08:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 07:00:00 GMT", 0),
        ("soon", None),
        (None, None),
        ("-5", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds
