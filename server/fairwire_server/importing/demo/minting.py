"""Access tokens without signing in, for load tools: in demo and bench installations only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import AccountKind
from fairwire_server.accounts.store import AccountStore
from fairwire_server.accounts.tokens import Tokens
from fairwire_server.clock import milliseconds
from fairwire_server.database.ids import uuid7
from fairwire_server.database.work import Work, Works
from fairwire_server.importing.demo.install import DemoAccount, accounts_of, demo_account
from fairwire_server.importing.store import ImportStore

__all__ = ["MintedToken", "Minting"]

BATCH = 2000
DEVICE = "load-tool"


class MintedToken(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A token and whose it is."""

    id: UUID
    fair: str
    login: str
    kind: AccountKind
    exhibitor: UUID | None = None
    token: str
    expires_at: int


class Minting:
    """Opens sessions in bulk and mints a token for each. Raises `forbidden` where real people sign in."""

    def __init__(self, works: Works, *, secret: bytes, life: timedelta) -> None:
        self._works = works
        self._secret = secret
        self._life = life

    async def for_logins(self, fair: str, logins: Sequence[str]) -> list[MintedToken]:
        """Tokens of these accounts; raises `not_found` when one of them does not exist or may not sign in."""
        async with self._works.begin() as work:
            secret = await self._signing_secret(work)
            rows = await ImportStore(work.connection).fetch("accounts_by_login", fair, list(logins))
            accounts = {row["login"]: demo_account(fair, row) for row in rows}
            if missing := [login for login in logins if login not in accounts]:
                raise Refused("not_found", f"No active account at {fair!r} signs in as {missing[0]!r}.")
            return await self._mint(work, secret, [accounts[login] for login in logins])

    async def for_fair(self, fair: str, kinds: Sequence[str], count: int | None) -> AsyncIterator[MintedToken]:
        """Tokens of the accounts of a fair, of these kinds (none: all), the first `count` of them."""
        async with self._works.read() as work:
            secret = await self._signing_secret(work)
        batch: list[DemoAccount] = []
        left = count
        async for account in accounts_of(self._works.database, fair):
            if left == 0:
                break
            if kinds and account.kind not in kinds:
                continue
            batch.append(account)
            left = None if left is None else left - 1
            if len(batch) == BATCH:
                for minted in await self._mint_batch(secret, batch):
                    yield minted
                batch = []
        for minted in await self._mint_batch(secret, batch):
            yield minted

    async def _mint_batch(self, secret: bytes, accounts: Sequence[DemoAccount]) -> list[MintedToken]:
        async with self._works.begin() as work:
            return await self._mint(work, secret, accounts)

    async def _mint(self, work: Work, secret: bytes, accounts: Sequence[DemoAccount]) -> list[MintedToken]:
        until = work.now + self._life
        tokens = Tokens(secret, self._life)
        sessions = [uuid7() for _ in accounts]
        store = ImportStore(work.connection)
        fairs = {row["code"]: row["id"] for row in await store.fetch("fair_codes")}
        await store.execute("open_sessions", sessions, [account.id for account in accounts], DEVICE, work.now, until)
        minted: list[MintedToken] = []
        for session, account in zip(sessions, accounts, strict=True):
            token = tokens.mint(session, account.id, fairs[account.fair], work.now, until)
            minted.append(
                MintedToken(
                    id=account.id,
                    fair=account.fair,
                    login=account.login,
                    kind=account.kind,
                    exhibitor=account.exhibitor,
                    token=token.token,
                    expires_at=milliseconds(token.expires_at),
                )
            )
        return minted

    async def _signing_secret(self, work: Work) -> bytes:
        installation = await AccountStore().installation(work.connection)
        if installation is None or not installation.demo:
            raise Refused(
                "forbidden", "Tokens are minted in demo and bench installations only; this one holds a real fair."
            )
        return self._secret or installation.secret
