"""Access tokens: where they come from and when they are renewed (W13).

Three sources: a token handed in (no way to renew it), a function of the application, or signing in, with the refresh token kept
in the vault. A lost reply to a refresh is harmless: the server answers a token just rotated with its successor for a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from fairwire.credentials import Remembered, Vault
from fairwire.errors import Stopped
from fairwire.http import HttpDoor
from fairwire.timing import Timing
from fairwire_protocol.errors import Close, Refused
from fairwire_protocol.operations.identity import REFRESH, SIGN_IN, RefreshSession, SignedIn, SignIn

__all__ = ["FixedToken", "SignedInTokens", "TokenFunction", "Tokens", "renewal_delay"]

MARGIN_MS: Final = 60_000


def renewal_delay(expires_at: int, server_now: int) -> float:
    """Seconds until a token should be renewed: a minute before its end, or after four fifths of a short life."""
    left = expires_at - server_now
    return max(0.0, (left - min(MARGIN_MS, left * 0.2)) / 1000)


class Tokens(Protocol):
    """Gives access tokens. `get(fresh=True)` must give another one than before, or raise `Stopped` or `FairwireError`."""

    renewable: bool

    async def get(self, *, fresh: bool = False) -> str:
        """A token that is valid now."""
        ...


class FixedToken:
    """A token handed in as text."""

    renewable = False

    def __init__(self, token: str) -> None:
        self._token = token

    async def get(self, *, fresh: bool = False) -> str:
        """The token; there is no other."""
        if fresh:
            raise Stopped(Close.TOKEN_EXPIRED, "the access token is over, and there is no way to a new one")
        return self._token


class TokenFunction:
    """Tokens from a function of the application, which is asked anew each time."""

    renewable = True

    def __init__(self, function: Callable[[], Awaitable[str]]) -> None:
        self._function = function

    async def get(self, *, fresh: bool = False) -> str:
        """What the function says."""
        return await self._function()


class SignedInTokens:
    """Tokens of a session: taken up from the vault, or begun with login and password."""

    renewable = True

    def __init__(
        self,
        door: HttpDoor,
        vault: Vault,
        timing: Timing,
        *,
        server: str,
        fair: str | None,
        login: str | None,
        password: str | None,
        device: str,
        device_name: str,
    ) -> None:
        self._door = door
        self._vault = vault
        self._timing = timing
        self._server = server
        self._fair = fair
        self._login = login
        self._password = password
        self._device = device
        self._device_name = device_name
        self._current: SignedIn | None = None
        self._lock = asyncio.Lock()

    async def get(self, *, fresh: bool = False) -> str:
        """The session's token, renewed or signed in for when needed; concurrent callers share one renewal."""
        before = self._current
        async with self._lock:
            current = self._current
            if current is not None and (current is not before or not (fresh or self._ending(current))):
                return current.access_token
            self._current = await self._renew()
            return self._current.access_token

    def _ending(self, session: SignedIn) -> bool:
        return session.expires_at - self._timing.wall() * 1000 < MARGIN_MS / 2

    async def _renew(self) -> SignedIn:
        kept = self._kept()
        if kept is not None:
            try:
                return self._keep(
                    await self._door.call(REFRESH, RefreshSession(refresh_token=kept.refresh_token)), kept
                )
            except Refused:
                self._vault.forget()
                if self._password is None:
                    raise
        if self._fair is None or self._login is None or self._password is None:
            raise Refused("unauthenticated", "no session is kept here: fair, login and password are needed")
        request = SignIn(
            fair=self._fair,
            login=self._login,
            password=self._password,
            device=self._device,
            device_name=self._device_name,
        )
        return self._keep(await self._door.call(SIGN_IN, request), None)

    def _kept(self) -> Remembered | None:
        """The vault's session, if it is the one that is asked for."""
        kept = self._vault.session()
        if kept is None or kept.server != self._server:
            return None
        same = self._fair in {None, kept.fair} and self._login in {None, kept.login}
        return kept if same else None

    def _keep(self, session: SignedIn, kept: Remembered | None) -> SignedIn:
        self._vault.remember(
            Remembered(
                server=self._server,
                fair=self._fair or (kept.fair if kept else ""),
                login=self._login or (kept.login if kept else ""),
                account=session.account.id,
                refresh_token=session.refresh_token,
            )
        )
        return session
