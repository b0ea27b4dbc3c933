"""Rooms elsewhere (M8): one contract for every provider, and what each promises beside it. Tokens are read by hand, as Jitsi's would be."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from fairwire_server.compose.rooms import room_provider
from fairwire_server.meetings.rooms import Entrant, RoomProvider
from fairwire_server.settings import Settings, SettingsError, load

NOW = datetime(2026, 11, 5, 9, 0, tzinfo=UTC)
SECRET = "a secret of at least thirty-two characters"
TEMPLATE = "https://meet.example/r/{room}?who={name}&as={role}&id={id}&l={language}&b={booking}"


def entrant(**changes: Any) -> Entrant:
    facts: dict[str, Any] = {
        "booking": UUID(int=1), "room": "cafe01", "id": UUID(int=2), "name": "王 & {id}?/<", "member": True, "language": "zh",
        "opens_at": NOW - timedelta(hours=1), "closes_at": NOW + timedelta(hours=3),
    }  # fmt: skip
    return Entrant(**(facts | changes))


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, rsa.RSAPublicKey]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path = tmp_path_factory.mktemp("keys") / "jitsi.pem"
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return path, key.public_key()


@pytest.fixture(params=["nowhere", "template", "jitsi", "8x8"])
def provider(request: pytest.FixtureRequest, pem: tuple[Path, rsa.RSAPublicKey]) -> RoomProvider:
    settings = {
        "nowhere": Settings(public_url="https://fair.example", room_url=""),
        "template": Settings(room_url=TEMPLATE),
        "jitsi": Settings(
            room_provider="jitsi", room_url="https://jitsi.example", room_jitsi_app="fw", room_jitsi_secret=SECRET
        ),
        "8x8": Settings(
            room_provider="jitsi", room_url="https://8x8.vc/app", room_jitsi_app="app", room_jitsi_key=pem[0]
        ),
    }
    return room_provider(settings[request.param])


def test_every_provider_keeps_the_contract_m8(provider: RoomProvider) -> None:
    address = provider.address(entrant(), NOW)
    assert address == provider.address(entrant(), NOW) or "jwt=" in address
    assert "{" not in address
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}" == provider.origin
    assert " " not in address
    assert "<" not in address
    assert "王" not in address


def test_two_meetings_are_two_rooms_and_one_is_one_for_everybody_m8(provider: RoomProvider) -> None:
    if provider.origin == "https://fair.example":  # there is no room, but a page that says so
        assert provider.address(entrant(), NOW) == "https://fair.example/meeting-room"
        return
    paths = {urlsplit(provider.address(entrant(room=room, id=uuid4()), NOW)).path for room in ("a", "a", "b")}
    assert len(paths) == 2


def test_a_template_is_filled_in_and_a_name_cannot_add_to_it_m8() -> None:
    address = room_provider(Settings(room_url=TEMPLATE)).address(entrant(), NOW)
    said = parse_qs(urlsplit(address).query)
    assert said == {
        "who": ["王 & {id}?/<"], "as": ["member"], "id": [str(UUID(int=2))], "l": ["zh"], "b": [str(UUID(int=1))],
    }  # fmt: skip


def parts_of(address: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Header, claims, what is signed, and the signature, read with the standard library alone."""
    token = parse_qs(urlsplit(address).query)["jwt"][0]
    header, claims, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split("."))
    return json.loads(header), json.loads(claims), token.rpartition(".")[0].encode(), signature


def test_a_jitsi_token_is_bound_to_room_person_and_time_m8() -> None:
    settings = Settings(
        room_provider="jitsi", room_url="https://jitsi.example/", room_jitsi_app="fw", room_jitsi_secret=SECRET
    )
    address = room_provider(settings).address(entrant(), NOW)
    assert urlsplit(address).path == "/cafe01"
    header, claims, signed, signature = parts_of(address)
    assert header == {"alg": "HS256", "typ": "JWT"}
    assert hmac.compare_digest(signature, hmac.digest(SECRET.encode(), signed, "sha256"))
    assert (claims["iss"], claims["aud"], claims["sub"], claims["room"]) == ("fw", "jitsi", "jitsi.example", "cafe01")
    assert claims["exp"] == int((NOW + timedelta(hours=3)).timestamp())
    assert claims["nbf"] == int((NOW - timedelta(minutes=2)).timestamp())
    user = claims["context"]["user"]
    assert (user["moderator"], user["affiliation"], user["name"]) == ("true", "owner", "王 & {id}?/<")
    guest = parts_of(room_provider(settings).address(entrant(member=False), NOW))[1]["context"]["user"]
    assert (guest["moderator"], guest["affiliation"]) == ("false", "member")


def test_8x8_gets_a_token_signed_by_the_private_key_m8(pem: tuple[Path, rsa.RSAPublicKey]) -> None:
    settings = Settings(
        room_provider="jitsi",
        room_url="https://8x8.vc/app",
        room_jitsi_app="app",
        room_jitsi_key=pem[0],
        room_jitsi_key_id="app/1",
    )
    header, claims, signed, signature = parts_of(room_provider(settings).address(entrant(), NOW))
    assert header == {"alg": "RS256", "typ": "JWT", "kid": "app/1"}
    pem[1].verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    assert (claims["iss"], claims["sub"]) == ("chat", "app")


JITSI = {"ROOM_PROVIDER": "jitsi", "ROOM_URL": "https://j.example", "ROOM_JITSI_APP": "a", "ROOM_JITSI_SECRET": SECRET}


@pytest.mark.parametrize(
    ("environment", "variable"),
    [
        ({"ROOM_URL": "meet.example/{room}"}, "ROOM_URL"),
        ({"ROOM_URL": "https://{room}.example/"}, "ROOM_URL"),
        ({"ROOM_URL": "https://meet.example/same-for-all"}, "ROOM_URL"),
        ({"ROOM_URL": "https://meet.example/{room}?{token}"}, "ROOM_URL"),
        (JITSI | {"ROOM_JITSI_APP": ""}, "ROOM_JITSI_APP"),
        (JITSI | {"ROOM_URL": ""}, "ROOM_JITSI_APP"),
        (JITSI | {"ROOM_JITSI_SECRET": "short"}, "ROOM_JITSI_SECRET"),
    ],
)
def test_settings_of_rooms_that_cannot_work_are_faults(environment: dict[str, str], variable: str) -> None:
    with pytest.raises(SettingsError) as faults:
        load({f"FAIRWIRE_{name}": value for name, value in environment.items()})
    assert [fault.variable for fault in faults.value.faults] == [f"FAIRWIRE_{variable}"]


def test_a_key_that_cannot_be_read_is_a_fault_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("no key")
    for path in (tmp_path / "none.pem", tmp_path / "missing.pem"):
        with pytest.raises(SettingsError):
            room_provider(
                Settings(room_provider="jitsi", room_url="https://8x8.vc/a", room_jitsi_app="a", room_jitsi_key=path)
            )
