"""Codes sent to an address: issuing one, and judging what somebody typed (A8, A9)."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_server.accounts.code_rules import CODE_LIFE, CODE_TRIES, DIGITS, typed_code
from fairwire_server.accounts.letters import Purpose, code_letter
from fairwire_server.accounts.ports import Post
from fairwire_server.accounts.tokens import Tokens
from fairwire_server.database.ids import uuid7
from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries
from fairwire_server.database.work import Work, Works

__all__ = ["Codes", "OpenCode"]

KEPT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OpenCode:
    """A code that was sent and not used yet."""

    id: UUID
    sent_to: str
    digest: bytes


class Codes:
    """A code is good for one account, purpose, address and matter; it leaves after commit, by `post`."""

    def __init__(self, works: Works, tokens: Tokens, post: Post) -> None:
        self._works = works
        self._tokens = tokens
        self._post = post
        self._store = _CodeStore()

    async def issue(
        self, work: Work, account: UUID, purpose: Purpose, address: str, language: str, about: str = ""
    ) -> None:
        """Send a new code to `address`; the account's earlier one of that purpose is void."""
        digits = DIGITS[purpose]
        code = f"{secrets.randbelow(10**digits):0{digits}d}"
        digest = self._tokens.code_digest(account, purpose, address, about, code)
        await self._store.replace(work, account, purpose, address, digest)
        letter = code_letter(purpose, address, code, int(CODE_LIFE.total_seconds()) // 60, language, about)
        work.on_commit(lambda: self._post(letter))

    async def judge(self, account: UUID, purpose: Purpose, code: str, about: str = "") -> OpenCode | None:
        """The open code if `code` is it: a transaction of its own, so that a wrong try stays counted.

        Whoever expects a certain address compares `sent_to`; what the code allows is done with `use`.
        """
        async with self._works.begin() as work:
            found = await self._store.take_try(work, account, purpose)
        if found is None:
            return None
        typed = self._tokens.code_digest(account, purpose, found.sent_to, about, typed_code(code))
        return found if hmac.compare_digest(typed, found.digest) else None

    async def use(self, work: Work, code: OpenCode) -> None:
        """Spend a code that `judge` found right. Raises `bad_code` if it was spent or replaced meanwhile."""
        if not await self._store.use(work, code.id):
            raise Refused("bad_code")

    async def forget(self, work: Work) -> None:
        """Drop old codes; from time to time."""
        await self._store.forget(work)


class _CodeStore:
    """Named queries over `verification_code`."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__, "codes.sql")

    async def replace(self, work: Work, account: UUID, purpose: Purpose, address: str, digest: bytes) -> None:
        connection: Connection = work.connection
        await connection.execute(self._sql["lock_owner"], account)
        await connection.execute(self._sql["close_codes"], account, purpose, work.now)
        await connection.execute(
            self._sql["insert_code"], uuid7(), account, purpose, address, digest, work.now, work.now + CODE_LIFE
        )

    async def take_try(self, work: Work, account: UUID, purpose: Purpose) -> OpenCode | None:
        row = await work.connection.fetchrow(self._sql["take_try"], account, purpose, work.now, CODE_TRIES)
        return None if row is None else OpenCode(row["id"], row["address"], row["code_hash"])

    async def use(self, work: Work, code: UUID) -> bool:
        return bool(await work.connection.fetchval(self._sql["use_code"], code, work.now))

    async def forget(self, work: Work) -> None:
        await work.connection.execute(self._sql["forget_codes"], work.now - KEPT)
