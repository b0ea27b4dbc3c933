"""Anything a stranger may send over HTTP gets a typed error or a closed connection, and costs nobody else anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fairwire_protocol.errors import CODES
from fairwire_server.doors.bodies import BodyLimits
from tests.doors.service import CHAT, Running, running

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LATIN = st.characters(codec="latin-1", exclude_characters="\r\n")
HEADER = st.text(LATIN, max_size=40)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(["chat", "seq", "names", "state", "flag", "text", "inner", "what", "other"])
PATHS = st.sampled_from(
    [f"/v1/t/{CHAT}", "/v1/t", "/v1/do", "/v1/open", "/v1/buyers-only", "/v1/bytes", f"/v1/bytes/{CHAT}"]
)


@pytest.fixture(scope="module")
async def door() -> AsyncIterator[Running]:
    """One server for all examples, with little patience."""
    async with running(bodies=BodyLimits(json_s=0.2, upload_s=0.2, upload_bytes=100_000)) as started:
        yield started


async def exchange(door: Running, data: bytes) -> bytes:
    """What comes back until the server closes or keeps the connection open for more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def check(door: Running, answer: bytes) -> None:
    """No fault of ours, and an error of ours is typed."""
    for counted in door.metrics.operations.values():
        assert "internal" not in counted.outcomes
    if not answer:
        return
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    assert status < 500, answer
    if status >= 400 and b"application/json" in head:
        error = json.loads(body)["error"]
        assert error["code"] in CODES


@FUZZ
@given(PATHS, st.sampled_from(["POST", "PUT"]), st.dictionaries(FIELDS, JSON_VALUES, max_size=6))
async def test_any_json_under_any_field(door: Running, path: str, method: str, fields: dict[str, Any]) -> None:
    headers = {"Idempotency-Key": str(CHAT)}
    async with door.client.request(method, path, data=json.dumps(fields).encode(), headers=headers) as answer:
        body = await answer.json()
        assert answer.status < 500
        assert answer.status == 200 or body["error"]["code"] in CODES
    check(door, b"")


@FUZZ
@given(PATHS, st.sampled_from(["POST", "PUT", "GET", "DELETE"]), st.binary(max_size=300))
async def test_any_bytes_as_a_body(door: Running, path: str, method: str, body: bytes) -> None:
    async with door.client.request(method, path, data=body) as answer:
        assert answer.status < 500
    check(door, b"")


@FUZZ
@example("/0", [])  # alone it would be a host's name
@given(st.text(max_size=60), st.lists(st.tuples(FIELDS, st.text(max_size=20)), max_size=4))
async def test_any_path_and_query(door: Running, path: str, query: list[tuple[str, str]]) -> None:
    for start in ("/v1/t/", "/v1/bytes/", "/"):
        try:
            async with door.client.get(door.url + start + path.replace("#", ""), params=query) as answer:
                assert answer.status < 500
        except ValueError:
            pass  # the client library itself refuses to send it
    check(door, b"")


@FUZZ
@given(
    st.sampled_from(
        ["Authorization", "Idempotency-Key", "Content-Length", "Content-Type", "Transfer-Encoding", "Expect"]
    )
    | st.sampled_from(
        ["Origin", "X-Forwarded-For", "If-None-Match", "Content-Encoding", "Host", "Connection", "Upgrade"]
    ),
    HEADER
    | st.sampled_from(["chunked", "100-continue", "websocket", "0", "-1", "99999999999999999999", "gzip", "null"]),
    PATHS,
    st.sampled_from(["GET", "POST", "PUT", "OPTIONS", "HEAD", "TRACE", "X"]),
)
async def test_any_header(door: Running, name: str, value: str, path: str, method: str) -> None:
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer main-token\r\n{name}: {value}\r\n\r\n"
    check(door, await exchange(door, head.encode("latin-1") + b"{}"))


@FUZZ
@given(
    st.lists(
        st.binary(max_size=60) | st.sampled_from([b"GET / HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", b"\x16\x03\x01"]),
        max_size=8,
    )
)
async def test_any_bytes_as_a_request(door: Running, parts: list[bytes]) -> None:
    check(door, await exchange(door, b"".join(parts)))


async def test_the_server_answers_as_before(door: Running) -> None:
    """After all of the above, in the order of this file."""
    async with door.client.get(f"/v1/t/{CHAT}") as answer:
        assert answer.status == 200
