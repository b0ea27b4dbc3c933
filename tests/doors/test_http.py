"""The HTTP door: how requests are read, answered and refused (W7, W15)."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from fairwire_server.doors.bodies import BodyLimits
from tests.doors.service import ACCOUNT, CHAT, IMAGE, Running, running

JSON = {"Content-Type": "application/json"}


async def code_of(response: object) -> tuple[int, str]:
    """Status and error code of an answer."""
    async with response as answer:  # type: ignore[attr-defined]
        return answer.status, (await answer.json())["error"]["code"]


async def test_path_and_query_become_typed_fields(door: Running) -> None:
    query = [
        ("seq", "7"),
        ("names", "a"),
        ("names", "b"),
        ("state", "all"),
        ("flag", "true"),
        ("text", "展品"),
        ("new", "1"),
    ]
    async with door.client.get(f"/v1/t/{CHAT}", params=query) as answer:
        body = await answer.json()
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
    assert body == {
        "chat": str(CHAT), "seq": 7, "names": ["a", "b"], "state": "all", "flag": True, "text": "展品",
        "caller": str(ACCOUNT), "cid": None, "address": "127.0.0.1",
    }  # fmt: skip


async def test_body_and_path_are_one_request_and_the_path_wins(door: Running) -> None:
    sent = {"seq": 9, "text": "x", "chat": str(uuid4()), "later": {"unknown": [1]}}
    async with door.client.put(f"/v1/t/{CHAT}", json=sent) as answer:
        body = await answer.json()
    assert (body["seq"], body["text"], body["chat"]) == (9, "x", str(CHAT))


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"{", "malformed", None),
        (b'"text"', "invalid", None),
        (b"[]", "invalid", None),
        (b'{"seq":"7"}', "invalid", "seq"),
        (b'{"seq":-1}', "invalid", "seq"),
        (b'{"names":["a",1]}', "invalid", "names[1]"),
        (b'{"text":"\xff"}', "malformed", None),
        (b'{"text":"\\ud800"}', "malformed", None),
        (b'{"inner":' + b"[" * 20 + b"]" * 20 + b"}", "malformed", None),
        (b'{"inner":' + b'{"a":' * 60_000 + b"1" + b"}" * 60_000 + b"}", "too_large", None),
        (b'{"inner":{"a":[1e400]}}', "invalid", "inner[...][0]"),
    ],
)
async def test_bad_bodies_are_typed_errors(door: Running, body: bytes, code: str, field: str | None) -> None:
    async with door.client.put(f"/v1/t/{CHAT}", data=body, headers=JSON) as answer:
        error = (await answer.json())["error"]
        assert (error["code"], error.get("field")) == (code, field), error
        assert answer.status in {400, 413, 422}


@pytest.mark.parametrize(
    ("path", "field"),
    [("/v1/t/not-a-uuid", "chat"), (f"/v1/t/{CHAT}?seq=x", "seq"), (f"/v1/t/{CHAT}?seq=1&seq=2", "seq")],
)
async def test_bad_paths_and_queries_name_the_field(door: Running, path: str, field: str) -> None:
    async with door.client.get(path) as answer:
        error = (await answer.json())["error"]
    assert (answer.status, error["code"], error["field"]) == (422, "invalid", field)


async def test_a_body_over_the_limit_is_refused_by_its_length_and_by_what_arrives(door: Running) -> None:
    """W15. Chunked, nothing announces the size: the cap counts what comes."""

    async def endless() -> object:
        for _ in range(10_000):
            yield b"x" * 65_536

    assert await code_of(door.client.put(f"/v1/t/{CHAT}", data=b" " * 70_000)) == (413, "too_large")
    assert await code_of(door.client.put(f"/v1/t/{CHAT}", data=endless())) == (413, "too_large")
    assert door.metrics.operations["t.put"].outcomes == {"too_large": 2}


async def test_a_packed_body_is_refused_unopened(door: Running) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    headers = JSON | {"Content-Encoding": "gzip"}
    assert await code_of(door.client.put(f"/v1/t/{CHAT}", data=bomb, headers=headers)) == (400, "malformed")


async def test_a_body_that_stalls_is_given_up_and_the_server_lives_on() -> None:
    async with running(bodies=BodyLimits(json_s=0.05)) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        head = f"PUT /v1/t/{CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer main-token\r\nContent-Length: 10\r\n\r\n"
        writer.write(head.encode() + b"{")
        answer = await reader.readuntil(b"}}")
        writer.close()
        assert b" 400 " in answer.partition(b"\r\n")[0]
        assert b"did not arrive" in answer
        async with door.client.get(f"/v1/t/{CHAT}") as other:
            assert other.status == 200


async def test_a_body_that_breaks_off_leaves_no_trace_but_a_count(door: Running) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    head = f"PUT /v1/t/{CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer main-token\r\nContent-Length: 10\r\n\r\n{{"
    writer.write(head.encode())
    await writer.drain()
    writer.close()
    async with asyncio.timeout(5):
        while not door.metrics.operations["t.put"].outcomes:
            async with door.client.get(f"/v1/t/{CHAT}"):
                pass
    assert door.metrics.operations["t.put"].outcomes == {"malformed": 1}


# who is asking


@pytest.mark.parametrize(
    ("header", "code"),
    [(None, "unauthenticated"), ("Bearer", "unauthenticated"), ("Basic main-token", "unauthenticated"),
     ("Bearer wrong", "unauthenticated"), ("Bearer over", "token_expired"), ("Bearer " + "x" * 5000, "unauthenticated")],
)  # fmt: skip
async def test_without_a_valid_token_nothing_is_read(door: Running, header: str | None, code: str) -> None:
    headers = {"Authorization": header} if header else {}
    async with ClientSession(door.url) as stranger, stranger.put(f"/v1/t/{CHAT}", data=b"{", headers=headers) as answer:
        assert (await answer.json())["error"]["code"] == code
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_a_token_in_the_url_counts_for_nothing(door: Running) -> None:
    """W1."""
    async with ClientSession(door.url) as stranger:
        assert await code_of(stranger.get(f"/v1/t/{CHAT}?token=main-token&access_token=main-token")) == (
            401,
            "unauthenticated",
        )


async def test_permission_is_decided_before_the_body_is_looked_at(door: Running) -> None:
    """A7: whoever may not call learns nothing about what a call would need, not even that a cid is missing."""
    assert await code_of(door.client.post("/v1/buyers-only", data=b"not json")) == (403, "forbidden")
    buyer = {"Authorization": "Bearer buyer-token"}
    assert await code_of(door.client.post("/v1/buyers-only", data=b"not json", headers=buyer)) == (400, "cid_required")


async def test_an_anonymous_operation_needs_no_token(door: Running) -> None:
    async with ClientSession(door.url) as stranger, stranger.post("/v1/open", json={"chat": str(CHAT)}) as answer:
        assert (await answer.json())["caller"] is None


# idempotency (W7)


async def test_the_idempotency_key_is_the_cid_and_a_replay_says_so(door: Running) -> None:
    cid = uuid4()
    headers = {"Idempotency-Key": str(cid)}
    async with door.client.post("/v1/t", json={"chat": str(CHAT)}, headers=headers) as first:
        assert (await first.json())["cid"] == str(cid)
        assert "Idempotency-Replayed" not in first.headers
    async with door.client.post("/v1/t", json={"chat": str(CHAT)}, headers=headers) as second:
        assert second.headers["Idempotency-Replayed"] == "true"


async def test_a_command_with_one_effect_needs_a_cid_that_is_a_uuid(door: Running) -> None:
    body = {"chat": str(CHAT)}
    assert await code_of(door.client.post("/v1/t", json=body)) == (400, "cid_required")
    assert await code_of(door.client.post("/v1/t", json=body, headers={"Idempotency-Key": "1"})) == (422, "invalid")


# errors


async def test_a_refusal_carries_all_that_is_known(door: Running) -> None:
    async with door.client.post("/v1/do", json={"what": "refuse"}) as answer:
        error = (await answer.json())["error"]
        assert answer.headers["X-Correlation-Id"] == error.pop("correlation")
    assert answer.status == 409
    assert error == {"code": "conflict", "message": "changed", "field": "what", "detail": {"held": [1, 2]}}


async def test_a_temporary_error_says_when_to_come_back(door: Running) -> None:
    async with door.client.post("/v1/do", json={"what": "busy"}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        assert (await answer.json())["error"]["retry_after_ms"] == 1500


async def test_a_fault_tells_a_stranger_its_correlation_and_the_log_the_rest(
    door: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    async with door.client.post("/v1/do", json={"what": "crash"}) as answer:
        text = await answer.text()
    error = json.loads(text)["error"]
    assert (answer.status, error["code"]) == (500, "internal")
    assert error["retry_after_ms"] > 0
    assert "secret-of-the-house" not in text
    assert "RuntimeError" not in text
    logged = "".join(capsys.readouterr())
    assert error["correlation"] in logged
    assert "secret-of-the-house" in logged
    assert door.metrics.operations["t.do"].outcomes == {"internal": 1}


async def test_paths_and_methods_that_are_not_there_are_typed_too(door: Running) -> None:
    assert await code_of(door.client.get("/v1/nothing")) == (404, "unknown_operation")
    async with door.client.patch(f"/v1/t/{CHAT}") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, PUT")
        assert (await answer.json())["error"]["code"] == "unknown_operation"


# bytes (C4)


async def test_an_upload_reaches_its_handler_as_bytes(door: Running) -> None:
    async with door.client.post("/v1/bytes", data=b"x" * 200_000) as answer:
        assert (await answer.json())["size"] == 200_000


async def test_an_upload_over_its_limit_is_refused_while_it_comes() -> None:
    async with running(bodies=BodyLimits(upload_bytes=100_000)) as door:
        assert await code_of(door.client.post("/v1/bytes", data=b"x" * 100_001)) == (413, "too_large")
        async with door.client.post("/v1/bytes", data=b"x" * 100_000) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("size", [None, 0, 1, 200_000])
async def test_bytes_are_private_immutable_and_never_sniffed(tmp_path: Path, size: int | None) -> None:
    """From memory (None) and from a file, whole."""
    file = tmp_path / "image"
    if size is not None:
        file.write_bytes(b"y" * size)
    async with running(file=None if size is None else file) as door:
        async with door.client.get(f"/v1/bytes/{IMAGE}") as answer:
            assert await answer.read() == (b"\x89PNG1234" if size is None else b"y" * size)
            headers = answer.headers
        assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Type"] == "image/png"
        assert "sandbox" in headers["Content-Security-Policy"]
        assert headers["X-Correlation-Id"]
        async with door.client.get(f"/v1/bytes/{IMAGE}", headers={"If-None-Match": headers["ETag"]}) as again:
            assert (again.status, await again.read()) == (304, b"")


async def test_a_file_that_is_gone_is_not_found_and_not_cached(tmp_path: Path) -> None:
    async with running(file=tmp_path / "gone") as door, door.client.get(f"/v1/bytes/{IMAGE}") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "not_found")
        assert answer.headers["Cache-Control"] == "no-store"
