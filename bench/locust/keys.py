"""How a user gets in: with the token of the account file, or by signing in through locust's own HTTP client.

Signing in costs the server an argon2 hash, some thirty a second on a core; for thousands of users the file has tokens.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from locust.contrib.fasthttp import FastHttpSession

from bench.locust.cast import Actor
from fairwire_protocol.operations.identity import SignedIn

__all__ = ["Keys"]


class Keys:
    """The tokens of one account."""

    def __init__(self, client: FastHttpSession, actor: Actor, password: str, device: str) -> None:
        self._client = client
        self._actor = actor
        self._password = password
        self._device = device
        self._token = actor.token
        self._refresh = ""

    @property
    def renewable(self) -> bool:
        """Whether there is a refresh token; a token of the file has none and lasts as long as it was minted for."""
        return bool(self._refresh)

    def get(self, *, fresh: bool = False) -> str | None:
        """An access token; another one than before when `fresh`. None when the server gives none, which locust has counted."""
        if self._token and not fresh:
            return self._token
        if not (self._refresh and self._post("/v1/refresh", {"refresh_token": self._refresh})):
            actor = self._actor
            sign_in = {"fair": actor.fair, "login": actor.login, "password": self._password, "device": self._device}
            self._token = self._token if self._post("/v1/sign-in", sign_in) else ""
        return self._token or None

    def _post(self, path: str, body: dict[str, str]) -> bool:
        with self._client.post(path, json=body, name=path, catch_response=True) as response:
            if response.status_code != HTTPStatus.OK:
                response.failure(f"HTTP {response.status_code}")
                return False
            signed_in = msgspec.json.decode(response.content or b"", type=SignedIn)
            response.success()
        self._token, self._refresh = signed_in.access_token, signed_in.refresh_token
        return True
