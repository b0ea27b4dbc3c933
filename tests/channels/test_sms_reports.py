"""Delivery reports: proven to be the provider's, then read, through the door that takes them (N6)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from fairwire_protocol.errors import Unavailable
from fairwire_server.channels.sms_reports import AliyunReports, TencentReports, TwilioReports
from fairwire_server.channels.twilio import twilio_signature
from fairwire_server.doors.callbacks import BODY_MAX, callback_routes
from fairwire_server.doors.guard import guard, set_headers
from fairwire_server.notices.parcels import CallbackReader, Receipt
from fairwire_server.observe import Metrics
from tests.harness.clock import ManualClock

TOKEN = "an-end-of-an-address-nobody-knows"
URL = "https://fair.example"
SID = "SM0123456789abcdef0123456789abcdef"


class Door:
    """A server with the callbacks' routes, and what it has kept."""

    def __init__(self) -> None:
        self.kept: list[Receipt] = []
        self.metrics = Metrics()
        self.broken: Exception | None = None

    async def take_in(self, receipts: Sequence[Receipt]) -> None:
        if self.broken is not None:
            raise self.broken
        self.kept.extend(receipts)

    def told(self) -> list[tuple[str, str, str, str]]:
        return [(one.provider, one.reference, one.outcome, one.reason) for one in self.kept]


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Door, ClientSession]]:
    door = Door()
    readers: list[CallbackReader] = [
        AliyunReports(token=TOKEN),
        TencentReports(token=TOKEN),
        TwilioReports(auth_token="12345"),
    ]
    app = web.Application(
        middlewares=[guard(origins=frozenset(), trusted_proxies=(), metrics=door.metrics)],
    )
    app.on_response_prepare.append(set_headers)
    app.router.add_routes(callback_routes(readers, door.take_in, ManualClock(), URL, door.metrics))
    async with TestServer(app) as server, ClientSession(f"http://127.0.0.1:{server.port}") as client:
        yield door, client


ALIYUN = [
    {
        "phone_number": "13800138000",
        "success": True,
        "err_code": "DELIVERED",
        "biz_id": "1^0",
        "out_id": "x",
        "sms_size": "1",
    },
    {"phone_number": "13800138001", "success": False, "err_code": "UNDELIV", "biz_id": "2^0"},
    {"phone_number": "13800138002", "success": False, "err_code": "EXPIRED", "biz_id": "3^0"},
]
TENCENT = [
    {"mobile": "13800138000", "report_status": "SUCCESS", "errmsg": "DELIVRD", "sid": "2019:1"},
    {"mobile": "13800138001", "report_status": "FAIL", "errmsg": "MK:0001", "sid": "2019:2"},
    {"mobile": "13800138001", "text": "TD", "nationcode": "86"},
]


async def test_aliyuns_reports_are_kept_and_answered_as_it_wants_n6() -> None:
    async with opened() as (door, client), client.post(f"/callbacks/aliyun/{TOKEN}", data=json.dumps(ALIYUN)) as answer:
        assert (answer.status, await answer.json()) == (200, {"code": 0, "msg": "OK"})
    assert door.told() == [
        ("aliyun", "1^0", "delivered", ""),
        ("aliyun", "2^0", "failed", "UNDELIV"),
        ("aliyun", "3^0", "expired", "EXPIRED"),
    ]


async def test_tencents_reports_are_kept_and_answers_of_people_passed_over_n6() -> None:
    async with (
        opened() as (door, client),
        client.post(f"/callbacks/tencent/{TOKEN}", data=json.dumps(TENCENT)) as answer,
    ):
        assert (answer.status, await answer.json()) == (200, {"result": 0, "errmsg": "OK"})
    assert door.told() == [("tencent", "2019:1", "delivered", ""), ("tencent", "2019:2", "failed", "MK:0001")]


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        ("delivered", [("twilio", SID, "delivered", "")]),
        ("undelivered", [("twilio", SID, "failed", "30003")]),
        ("sent", []),
    ],
)
async def test_twilios_callbacks_are_kept_when_they_are_final_n6(
    status: str, kept: list[tuple[str, str, str, str]]
) -> None:
    fields = [("MessageSid", SID), ("MessageStatus", status), ("To", "+14155550100")]
    fields += [("ErrorCode", "30003")] * (status == "undelivered")
    signature = twilio_signature("12345", f"{URL}/callbacks/twilio", fields)
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    async with (
        opened() as (door, client),
        client.post("/callbacks/twilio", data=urlencode(fields), headers=headers) as answer,
    ):
        assert answer.status == 200
    assert door.told() == kept


@pytest.mark.parametrize(
    ("path", "body", "signature"),
    [
        ("/callbacks/aliyun/wrong", json.dumps(ALIYUN), ""),
        ("/callbacks/aliyun/%ff", json.dumps(ALIYUN), ""),
        (f"/callbacks/tencent/{TOKEN}x", json.dumps(TENCENT), ""),
        ("/callbacks/twilio", f"MessageSid={SID}&MessageStatus=delivered", ""),
        ("/callbacks/twilio", f"MessageSid={SID}&MessageStatus=delivered", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (f"/callbacks/aliyun/{TOKEN}", "[1,2]", ""),
        (f"/callbacks/aliyun/{TOKEN}", "no json", ""),
        (f"/callbacks/aliyun/{TOKEN}", json.dumps([{}] * 1001), ""),
        ("/callbacks/nobody", "[]", ""),
    ],
)
async def test_a_strangers_call_finds_nothing_and_tells_nothing(path: str, body: str, signature: str) -> None:
    with capture_logs() as logs:
        async with opened() as (door, client):
            headers = {"X-Twilio-Signature": signature} if signature else {}
            async with client.post(path, data=body, headers=headers) as answer:
                assert answer.status == 404
                assert (await answer.json())["error"]["code"] == "unknown_operation"
    assert not door.kept
    assert TOKEN not in str(logs)


async def test_a_body_beyond_its_bound_is_refused() -> None:
    async with (
        opened() as (door, client),
        client.post(f"/callbacks/aliyun/{TOKEN}", data=b" " * (BODY_MAX + 1)) as answer,
    ):
        assert answer.status == 413
    assert not door.kept


@pytest.mark.parametrize("broken", [Unavailable("busy"), RuntimeError(f"no table for 13800138000 {TOKEN}")])
async def test_what_could_not_be_kept_comes_again_n6(broken: Exception) -> None:
    with capture_logs() as logs:
        async with opened() as (door, client):
            door.broken = broken
            async with client.post(f"/callbacks/aliyun/{TOKEN}", data=json.dumps(ALIYUN)) as answer:
                assert answer.status in {500, 503}
            assert door.metrics.callbacks == {"later": 1}
    assert TOKEN not in str(logs)
    assert "13800138000" not in str(logs)
