"""Where meetings take place: addresses of rooms elsewhere (M8). Fairwire decides who enters; the room is somebody else's.

A provider makes an address for one person who was let in. It must not be guessed by others: a room is called by a MAC of its
booking, and a signed token, where the provider takes one, says who comes, as what, and for how long.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol
from urllib.parse import quote, urlencode, urlsplit
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

__all__ = ["Entrant", "JitsiKey", "JitsiRooms", "RoomProvider", "TemplateRooms"]

SKEW: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """Somebody who was let in. `id` is the account's or the guest's; members of either side moderate, guests do not."""

    booking: UUID
    room: str
    id: UUID
    name: str
    member: bool
    language: Literal["zh", "en"] = "zh"
    opens_at: datetime
    closes_at: datetime


class RoomProvider(Protocol):
    """Makes the address at which one person enters one room.

    Guarantees: the same booking is the same room for everybody; two bookings are two rooms; nothing in the address but what is
    said of the person; `origin` is where every address leads, which pages have to name before they may lead there.
    """

    @property
    def origin(self) -> str:
        """Scheme and host of every address."""

    def address(self, entrant: Entrant, now: datetime) -> str:
        """The address, for this person alone."""


class TemplateRooms:
    """Any room that is opened by an address: `{room}`, `{booking}`, `{name}`, `{id}`, `{role}` and `{language}` are filled in."""

    def __init__(self, template: str) -> None:
        self._template = template
        self._origin = _origin(template)

    @property
    def origin(self) -> str:
        return self._origin

    def address(self, entrant: Entrant, now: datetime) -> str:
        values = {
            "room": entrant.room,
            "booking": str(entrant.booking),
            "name": entrant.name,
            "id": str(entrant.id),
            "role": "member" if entrant.member else "guest",
            "language": entrant.language,
        }
        address = self._template
        for name, value in values.items():
            address = address.replace(f"{{{name}}}", quote(value, safe=""))
        return address


@dataclass(frozen=True, slots=True, kw_only=True)
class JitsiKey:
    """What signs: `app` is the issuer's id; `secret` for HS256 (a server of one's own), or `private_key` in PEM with its `key_id`
    for RS256 (as 8x8 asks for)."""

    app: str
    secret: str = ""
    private_key: str = ""
    key_id: str = ""


class JitsiRooms:
    """A Jitsi server: one's own with prosody's token plugin, or 8x8's. The token is bound to the room, the person and the time."""

    def __init__(self, url: str, key: JitsiKey) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._rsa = bool(key.private_key)
        self._jwk = RSAKey.import_key(key.private_key) if self._rsa else OctKey.import_key(key.secret)
        self._header = {"alg": "RS256" if self._rsa else "HS256", "typ": "JWT"} | (
            {"kid": key.key_id} if key.key_id else {}
        )

    @property
    def origin(self) -> str:
        return _origin(self._url)

    def address(self, entrant: Entrant, now: datetime) -> str:
        return f"{self._url}/{entrant.room}?{urlencode({'jwt': self._token(entrant, now), 'lang': entrant.language})}"

    def _token(self, entrant: Entrant, now: datetime) -> str:
        user = {"id": str(entrant.id), "name": entrant.name, "moderator": "true" if entrant.member else "false"}
        claims = {
            "aud": "jitsi",
            "iss": "chat" if self._rsa else self._key.app,
            "sub": self._key.app if self._rsa else (urlsplit(self._url).hostname or ""),
            "room": entrant.room,
            "iat": int(now.timestamp()),
            "nbf": int((max(entrant.opens_at, now) - SKEW).timestamp()),
            "exp": int(entrant.closes_at.timestamp()),
            "context": {"user": user | {"affiliation": "owner" if entrant.member else "member"}},
        }
        return jwt.encode(self._header, claims, self._jwk)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
