"""Tokens and codes: what proves a session, and what proves that an address is read by its owner (W13, A8).

An access token says whose it is and when it ends, under a MAC: checking it needs no database, what it may do is read there.
A refresh token is 256 random bits, kept as its digest. Its successor is the MAC of the token itself: so the one who presents
an old token can be given the same successor again, though only digests are stored and a reader of the database cannot.
Each use of the secret has a key of its own.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

import msgspec

from fairwire_protocol.errors import Refused
from fairwire_server.clock import milliseconds, moment

__all__ = ["AccessToken", "TokenFacts", "Tokens", "refresh_digest"]

MAC_BYTES: Final = 32
REFRESH_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What an access token says."""

    session: UUID
    account: UUID
    fair: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token and when it ends."""

    token: str
    expires_at: datetime


class _Payload(msgspec.Struct, frozen=True, array_like=True):
    """The signed bytes, which hold ids as 16 bytes each."""

    session: UUID
    account: UUID
    fair: UUID
    expires_ms: int


_PAYLOAD: Final = msgspec.msgpack.Decoder(_Payload)


class Tokens:
    """Makes and checks tokens with one secret; every node of an installation has the same."""

    def __init__(self, secret: bytes, life: timedelta) -> None:
        self._life = life
        self._secret = secret
        self._access_key = _subkey(secret, b"access token")
        self._refresh_key = _subkey(secret, b"refresh successor")
        self._code_key = _subkey(secret, b"verification code")

    def key(self, use: bytes) -> bytes:
        """A key of its own for whatever else the installation signs."""
        return _subkey(self._secret, use)

    def mint(self, session: UUID, account: UUID, fair: UUID, now: datetime, until: datetime) -> AccessToken:
        """An access token of the session, never beyond `until`, its session's end."""
        expires_ms = milliseconds(min(now + self._life, until))
        payload = msgspec.msgpack.encode((session.bytes, account.bytes, fair.bytes, expires_ms))
        return AccessToken(_text(payload + _mac(self._access_key, payload)), moment(expires_ms))

    def verify(self, token: str, now: datetime) -> TokenFacts:
        """What the token says. Raises `unauthenticated` for a token that is not ours, `token_expired` for one that is over."""
        signed = _bytes(token)
        payload, mac = signed[:-MAC_BYTES], signed[-MAC_BYTES:]
        if not hmac.compare_digest(mac, _mac(self._access_key, payload)):
            raise Refused("unauthenticated")
        facts = _PAYLOAD.decode(payload)
        expires_at = moment(facts.expires_ms)
        if expires_at <= now:
            raise Refused("token_expired")
        return TokenFacts(facts.session, facts.account, facts.fair, expires_at)

    def first_refresh(self) -> str:
        """The refresh token that a session begins with."""
        return _text(secrets.token_bytes(REFRESH_BYTES))

    def next_refresh(self, token: str) -> str:
        """The successor of a refresh token; always the same one (W13)."""
        return _text(_mac(self._refresh_key, token.encode()))

    def code_digest(self, account: UUID, purpose: str, address: str, about: str, code: str) -> bytes:
        """What is kept of a code. `about` is what it allows: a code for one new address is none for another (A8)."""
        parts = (account.hex, purpose, address, about, code)
        return _mac(self._code_key, "\0".join(parts).encode())


def refresh_digest(token: str) -> bytes:
    """What the database keeps of a refresh token."""
    return sha256(token.encode()).digest()


def _subkey(secret: bytes, use: bytes) -> bytes:
    return _mac(secret, b"fairwire " + use)


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(token: str) -> bytes:
    try:
        return urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (UnicodeEncodeError, NotBase64):
        raise Refused("unauthenticated") from None
