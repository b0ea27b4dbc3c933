"""The SDK's smaller parts: generated calls, public face, HTTP door, vault, backoff, cids (W7, W13, W14)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import pytest

import fairwire
import fairwire.http
from fairwire.calls import Operations
from fairwire.credentials import Remembered, Vault
from fairwire.errors import Refused, Unavailable
from fairwire.http import Addresses
from fairwire.timing import Backoff, Timing, new_cid
from fairwire.tokens import SignedInTokens, renewal_delay
from fairwire_protocol.models import Account
from fairwire_protocol.operations import CATALOGUE
from tests.gates.tree import ROOT
from wire_examples import full


def test_the_generated_calls_are_what_the_catalogue_says() -> None:
    """Stale? `python clients/python/generate_calls.py`."""
    command = [sys.executable, str(ROOT / "clients" / "python" / "generate_calls.py"), "--check"]
    assert subprocess.run(command, cwd=ROOT).returncode == 0


def test_every_operation_is_a_method() -> None:
    door = fairwire.Door("http://127.0.0.1:1")
    for name in CATALOGUE:
        space, _, method = name.partition(".")
        assert callable(getattr(getattr(door, space), method))
    assert isinstance(door, Operations)


def test_the_public_face() -> None:
    """A public name costs: changing this list is a change of version and a line in the changelog."""
    assert sorted(fairwire.__all__) == [
        "Client", "Delivered", "Door", "FairwireError", "Feed", "Happening", "Offline", "Online", "Operations", "Pending",
        "Refused", "Resynced", "SendFailed", "SendQueued", "State", "Stopped", "Timing", "Unavailable", "UnknownEvent",
        "Unsent", "apply", "connect",
    ]  # fmt: skip
    assert all(hasattr(fairwire, name) for name in fairwire.__all__)


@pytest.mark.parametrize(
    ("url", "http", "socket"),
    [
        ("http://h:8080", "http://h:8080", "ws://h:8080/v1/socket"),
        ("https://fair.example/wire/", "https://fair.example/wire", "wss://fair.example/wire/v1/socket"),
        ("ws://h/v1/socket", "http://h", "ws://h/v1/socket"),
        ("h:1", "http://h:1", "ws://h:1/v1/socket"),
    ],
)
def test_either_address_gives_both_doors(url: str, http: str, socket: str) -> None:
    assert Addresses.of(url) == Addresses(http, socket)


@pytest.mark.parametrize("url", ["ftp://h", "http://", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Addresses.of(url)


def test_w14_backoff_doubles_with_full_jitter_and_starts_again_after_a_minute() -> None:
    backoff = Backoff(lambda: 0.5)
    assert [backoff.delay(0) for _ in range(9)] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]
    backoff.connected(100)
    assert backoff.delay(159) == 15.0
    backoff.connected(200)
    assert backoff.delay(260) == 0.25


def test_w13_a_token_is_renewed_a_minute_before_its_end_or_late_in_a_short_life() -> None:
    assert renewal_delay(900_000, 0) == 840
    assert renewal_delay(10_000, 0) == 8
    assert renewal_delay(0, 5_000) == 0


def test_cids_are_uuids_of_version_7_in_order_of_time() -> None:
    cids = [new_cid(lambda at=at: at) for at in range(1000, 1100)]  # type: ignore[misc]
    assert cids == sorted(cids)
    assert {(cid.version, cid.variant) for cid in cids} == {(7, "specified in RFC 4122")}
    assert len({new_cid(lambda: 5.0) for _ in range(100)}) == 100


def test_w13_the_vault_keeps_device_and_session_for_its_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    session = Remembered(server="http://h", fair="demo", login="a", account=UUID(int=1), refresh_token="r")
    vault = Vault(folder)
    vault.remember(session)
    device = vault.device()
    again = Vault(folder)
    assert (again.device(), again.session()) == (device, session)
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "device": 0o600,
        "session.json": 0o600,
    }
    again.forget()
    assert Vault(folder).session() is None
    (folder / "session.json").write_text("{")
    assert Vault(folder).session() is None


class Script:
    """Answers of an HTTP server, and what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.url = ""


@pytest.fixture
def script() -> Iterator[Script]:
    it = Script()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            it.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            status, content = it.answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - named by the standard library

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        it.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield it
        server.shutdown()
        thread.join()


async def test_the_http_door_fills_path_query_body_and_headers(script: Script) -> None:
    door = fairwire.Door(script.url, token="secret")
    chat, cid = UUID(int=5), UUID(int=6)
    script.answers = [(200, b'{"messages":[]}'), (200, b'{"conversation":"%b","seq":3,"ts":4}' % str(chat).encode()),
                      (200, b"{}"), (200, b"PNG")]  # fmt: skip
    await door.chat.history(conversation=chat, limit=5)
    await door.chat.send(conversation=chat, text="你好", cid=cid)
    await door.chat.read(conversation=chat, seq=2)
    assert await door.chat.image(image=chat) == b"PNG"
    (get, send, read, image) = script.asked
    assert get[:2] == ("GET", f"/v1/conversations/{chat}/messages?limit=5")
    assert get[2]["authorization"] == "Bearer secret"
    assert send[:2] == ("POST", f"/v1/conversations/{chat}/messages")
    assert send[2]["idempotency-key"] == str(cid)
    assert json.loads(send[3])["text"] == "你好"
    assert (read[0], json.loads(read[3])) == ("PUT", {"seq": 2})
    assert image[1] == f"/v1/images/{chat}"


async def test_the_http_door_raises_what_the_server_says(script: Script) -> None:
    door = fairwire.Door(script.url)
    script.answers = [
        (422, b'{"error":{"code":"invalid","message":"m","field":"login"}}'),
        (429, b'{"error":{"code":"rate_limited","message":"m","retry_after_ms":1500}}'),
        (502, b"<html>"),
    ]
    with pytest.raises(Refused) as refused:
        await door.fair.show(fair="demo")
    assert (refused.value.code, refused.value.field) == ("invalid", "login")
    with pytest.raises(fairwire.FairwireError) as limited:
        await door.fair.show(fair="demo")
    assert limited.value.retry_after_ms == 1500
    with pytest.raises(Unavailable):
        await door.fair.show(fair="demo")
    with pytest.raises(Unavailable):
        await fairwire.Door("http://127.0.0.1:1").fair.show(fair="demo")


def signed_in(refresh: str) -> bytes:
    account: Account = full(Account)
    return json.dumps(
        {
            "account": {"id": str(account.id), "kind": "buyer", "name": "A"}, "session": str(UUID(int=2)),
            "access_token": f"access-{refresh}", "expires_at": 4_000_000_000_000, "refresh_token": refresh,
        }
    ).encode()  # fmt: skip


def tokens(script: Script, folder: Path, password: str | None = "pw") -> SignedInTokens:
    door = fairwire.http.HttpDoor(script.url)
    return SignedInTokens(
        door,
        Vault(folder),
        Timing(),
        server=script.url,
        fair="demo",
        login="a",
        password=password,
        device="d",
        device_name="",
    )


async def test_w13_a_session_is_taken_up_again_and_its_token_rotates(script: Script, tmp_path: Path) -> None:
    script.answers = [(200, signed_in("r1")), (200, signed_in("r2")), (200, signed_in("r3"))]
    assert await tokens(script, tmp_path).get() == "access-r1"
    later = tokens(script, tmp_path, password=None)
    assert await later.get() == "access-r2"
    assert await later.get() == "access-r2"
    assert await later.get(fresh=True) == "access-r3"
    paths = [path for _, path, _, _ in script.asked]
    assert paths == ["/v1/sign-in", "/v1/refresh", "/v1/refresh"]
    assert [json.loads(body)["refresh_token"] for _, path, _, body in script.asked[1:]] == ["r1", "r2"]
    kept = Vault(tmp_path).session()
    assert kept is not None
    assert kept.refresh_token == "r3"


async def test_w13_a_refused_refresh_signs_in_again_or_forgets(script: Script, tmp_path: Path) -> None:
    refusal = (401, b'{"error":{"code":"unauthenticated","message":"m"}}')
    script.answers = [(200, signed_in("r1")), refusal, (200, signed_in("r2")), refusal]
    await tokens(script, tmp_path).get()
    assert await tokens(script, tmp_path).get() == "access-r2"
    with pytest.raises(Refused):
        await tokens(script, tmp_path, password=None).get()
    assert Vault(tmp_path).session() is None
