"""What holds for every answer: Origins, headers, addresses behind proxies (W1)."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire_server.doors.addresses import client_address, is_loopback, limit_key
from fairwire_server.doors.guard import SECURITY_HEADERS, allowed_origins
from fairwire_server.settings import Settings
from tests.doors.service import CHAT, ORIGIN, Running, running

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


# origins


async def test_an_absent_origin_is_let_in_a_present_one_only_from_the_list(door: Running) -> None:
    """W1: exact, so neither a prefix, nor another scheme or port, nor `null`."""
    for origin in (
        "https://evil.example",
        ORIGIN + ".evil.example",
        "http://fair.example.com",
        ORIGIN + ":8443",
        "null",
        "",
    ):
        async with door.client.get(f"/v1/t/{CHAT}", headers={"Origin": origin}) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (403, "forbidden"), origin
            assert "Access-Control-Allow-Origin" not in answer.headers
    assert door.metrics.operations["t.get"].outcomes == {}
    async with door.client.get(f"/v1/t/{CHAT}", headers={"Origin": ORIGIN}) as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Idempotency-Replayed" in answer.headers["Access-Control-Expose-Headers"]
        assert answer.headers["Vary"] == "Origin"


async def test_a_preflight_needs_no_token_and_names_what_clients_send(door: Running) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT", "Authorization": ""}
    async with door.client.options(f"/v1/t/{CHAT}", headers=asked) as answer:
        assert answer.status == 204
        assert "Idempotency-Key" in answer.headers["Access-Control-Allow-Headers"]
        assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    async with door.client.options(f"/v1/t/{CHAT}", headers=asked | {"Origin": "https://evil.example"}) as answer:
        assert answer.status == 403


async def test_errors_can_be_read_by_an_allowed_origin(door: Running) -> None:
    async with door.client.get("/v1/nothing", headers={"Origin": ORIGIN}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_the_servers_own_origin_is_on_its_list() -> None:
    local = allowed_origins(Settings(), 8080)
    assert {"http://127.0.0.1:8080", "http://localhost:8080"} <= local
    assert "http://localhost" not in local
    settings = Settings(public_url="https://fair.example.com", allowed_origins=("https://app.example.com",))
    assert allowed_origins(settings, 8080) == {"https://fair.example.com", "https://app.example.com"}


@pytest.mark.parametrize("path", [f"/v1/t/{CHAT}", "/v1/nothing", "/v1/t/x"])
async def test_every_answer_has_the_security_headers(door: Running, path: str) -> None:
    async with door.client.get(path) as answer:
        assert {name: answer.headers[name] for name in SECURITY_HEADERS} == dict(SECURITY_HEADERS)
        assert answer.headers["X-Correlation-Id"]


# addresses


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # a stranger's header counts for nothing
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # what the client wrote itself stands left
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1", "10.0.0.2"], "198.51.100.1"),  # two headers are one list
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),  # nothing beyond what is no address
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("fd00::1", ["[2001:db8::5]:443"], "2001:db8::5"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:203.0.113.9", [], "203.0.113.9"),
        (None, [], "local"),
        ("", ["198.51.100.1"], "local"),
    ],
)
def test_the_address_is_the_nearest_strangers(peer: str | None, forwarded: list[str], expected: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == expected


@given(st.lists(st.text(max_size=30), max_size=4), st.sampled_from(["203.0.113.9", "2001:db8::1"]))
def test_whatever_a_stranger_writes_its_address_stays(forwarded: list[str], peer: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == peer


@given(st.text(max_size=40))
def test_any_text_behind_a_proxy_is_read_without_a_fault(text: str) -> None:
    assert client_address("10.0.0.1", [text], PROXIES)


def test_a_limit_counts_a_v4_address_or_a_v6_subscriber() -> None:
    assert limit_key("198.51.100.1") == "198.51.100.1"
    assert limit_key("2001:db8:1:2:3::4") == limit_key("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert limit_key("2001:db8:1:3::1") != limit_key("2001:db8:1:2::1")
    assert limit_key("local") == "local"


def test_loopback_is_this_machine() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "local")))
    assert not any(map(is_loopback, ("10.0.0.1", "localhost.example", "", "128.0.0.1")))


async def test_the_forwarded_address_reaches_the_service_from_a_trusted_proxy_only() -> None:
    forwarded = {"X-Forwarded-For": "198.51.100.7"}
    proxied = running(trusted=(ip_network("127.0.0.0/8"),))
    async with proxied as door, door.client.get(f"/v1/t/{CHAT}", headers=forwarded) as answer:
        assert (await answer.json())["address"] == "198.51.100.7"
    async with running() as door, door.client.get(f"/v1/t/{CHAT}", headers=forwarded) as answer:
        assert (await answer.json())["address"] == "127.0.0.1"
