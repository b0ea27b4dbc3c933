"""Rows of accounts and command results, and of the installation they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from operator import itemgetter
from typing import Final, Literal
from uuid import UUID

import asyncpg
import msgspec

from fairwire_protocol.models import AccountKind, AccountState
from fairwire_server.database.ids import uuid7
from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries

__all__ = [
    "AccountRow",
    "AccountStore",
    "CallerRow",
    "CommandRow",
    "Credentials",
    "Installation",
    "NewAccount",
    "account_rows",
]


@dataclass(frozen=True, slots=True)
class CallerRow:
    """The account behind a session."""

    id: UUID
    fair_id: UUID
    exhibitor_id: UUID | None
    kind: AccountKind
    name: str
    state: AccountState
    silenced_until: datetime | None
    session_id: UUID
    device_id: str
    expires_at: datetime
    revoked_at: datetime | None
    complete: bool
    capabilities: bytes


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command of before and what it answered."""

    operation: str
    fingerprint: bytes
    reply: bytes


@dataclass(frozen=True, slots=True)
class AccountRow:
    """`account_full`: an account with what its views and rules need."""

    id: UUID
    fair_id: UUID
    exhibitor_id: UUID | None
    department_id: UUID | None
    kind: AccountKind
    login: str
    name: str
    state: AccountState
    language: str
    time_zone: str | None
    mobile: str | None
    mobile_verified: bool
    email: str | None
    email_verified: bool
    activated: bool
    role: Literal["buyer", "representative"] | None
    country: str | None
    interests: Sequence[str] | None
    profile: bytes | None
    complete: bool | None
    company: str | None
    domicile: Literal["domestic", "overseas"] | None
    settings: bytes
    capabilities: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a sign-in is decided by."""

    id: UUID
    state: AccountState
    password_hash: str | None
    known_device: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """What a new account begins with."""

    id: UUID
    fair: UUID
    exhibitor: UUID | None
    kind: AccountKind
    login: str
    name: str
    name_tokens: str
    password_hash: str
    language: str
    mobile: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Installation:
    """What the database remembers of the installation."""

    secret: bytes
    demo: bool


_CALLER: Final = itemgetter(*(field.name for field in fields(CallerRow)))
_ACCOUNT: Final = itemgetter(*(field.name for field in fields(AccountRow)))


def account_rows(values: asyncpg.Record) -> tuple[CallerRow, AccountRow]:
    """Both rows from the columns of `signed_in`."""
    caller = CallerRow(*_CALLER(values))
    if caller.complete is None:  # who is no buyer has no profile to complete
        caller = replace(caller, complete=True)
    return caller, AccountRow(*_ACCOUNT(values))


class AccountStore:
    """Named queries over the tables of this capability."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__)

    async def caller(self, connection: Connection, session: UUID) -> CallerRow | None:
        """The account behind a session, or None."""
        row = await connection.fetchrow(self._sql["caller"], session)
        return None if row is None else CallerRow(**dict(row))

    async def signed_in(self, connection: Connection, session: UUID) -> tuple[CallerRow, AccountRow] | None:
        """`caller` and `account` of a session in one round trip, or None."""
        row = await connection.fetchrow(self._sql["signed_in"], session)
        return None if row is None else account_rows(row)

    async def claim_command(
        self, connection: Connection, account: UUID, cid: UUID, operation: str, fingerprint: bytes, now: datetime
    ) -> bool:
        """Whether the cid is new and now ours."""
        return bool(await connection.fetchval(self._sql["claim_command"], account, cid, operation, fingerprint, now))

    async def is_cid_of_message(self, connection: Connection, account: UUID, cid: UUID) -> bool:
        """Whether the account has sent a message or requested a booking under this cid."""
        return bool(await connection.fetchval(self._sql["cid_of_message"], account, cid))

    async def command_result(self, connection: Connection, account: UUID, cid: UUID) -> CommandRow | None:
        """An earlier command and what it answered."""
        row = await connection.fetchrow(self._sql["command_result"], account, cid)
        return None if row is None else CommandRow(**dict(row))

    async def keep_result(self, connection: Connection, account: UUID, cid: UUID, reply: bytes) -> None:
        """Keep what the command answered."""
        await connection.execute(self._sql["keep_result"], account, cid, reply)

    async def forget_results(self, connection: Connection, before: datetime) -> None:
        """Drop results older than `before`."""
        await connection.execute(self._sql["forget_results"], before)

    async def account(self, connection: Connection, account: UUID) -> AccountRow | None:
        """One account."""
        return _account(await connection.fetchrow(self._sql["account"], account))

    async def account_by_login(self, connection: Connection, fair: str, login: str) -> AccountRow | None:
        """The account of that login at the fair of that code."""
        return _account(await connection.fetchrow(self._sql["account_by_login"], fair, login))

    async def lock_account(self, connection: Connection, account: UUID) -> tuple[AccountState, str | None] | None:
        """State and password hash, locked against change until the transaction ends."""
        row = await connection.fetchrow(self._sql["lock_account"], account)
        return None if row is None else (row["state"], row["password_hash"])

    async def password(self, connection: Connection, account: UUID) -> str | None:
        """The password hash, if the account has a password."""
        stored: str | None = await connection.fetchval(self._sql["password"], account)
        return stored

    async def set_person(
        self, connection: Connection, account: UUID, name: str, tokens: str, language: str, time_zone: str | None
    ) -> None:
        """Name, language and time zone."""
        await connection.execute(self._sql["set_person"], account, name, tokens, language, time_zone)

    async def set_password(self, connection: Connection, account: UUID, password_hash: str) -> None:
        """A new password."""
        await connection.execute(self._sql["set_password"], account, password_hash)

    async def set_address(
        self,
        connection: Connection,
        account: UUID,
        kind: Literal["mobile", "email"],
        address: str,
        verified_at: datetime,
    ) -> None:
        """A verified address. The constraints `account_by_mobile` and `account_by_email` may object."""
        await connection.execute(self._sql[f"set_{kind}"], account, address, verified_at)

    async def confirm_address(
        self,
        connection: Connection,
        account: UUID,
        kind: Literal["mobile", "email"],
        address: str,
        verified_at: datetime,
    ) -> None:
        """The address was proved in passing; nothing if it is another account's already."""
        await connection.execute(self._sql[f"confirm_{kind}"], account, address, verified_at)

    async def set_profile(
        self,
        connection: Connection,
        account: UUID,
        role: str,
        country: str | None,
        interests: Sequence[str],
        profile: Mapping[str, str],
        complete: bool,
    ) -> None:
        """A buyer's own data."""
        await connection.execute(
            self._sql["set_profile"], account, role, country, interests, msgspec.json.encode(profile), complete
        )

    async def credentials(self, connection: Connection, fair: str, login: str, device: str) -> Credentials | None:
        """Who signs in by `login` at the fair of that code."""
        row = await connection.fetchrow(self._sql["credentials"], fair, login, device)
        return None if row is None else Credentials(**dict(row))

    async def credentials_by_address(
        self, connection: Connection, fair: str, address: str, device: str
    ) -> Credentials | None:
        """Who has verified `address` at the fair of that code."""
        row = await connection.fetchrow(self._sql["credentials_by_address"], fair, address, device)
        return None if row is None else Credentials(**dict(row))

    async def fair(self, connection: Connection, code: str) -> tuple[UUID, bytes] | None:
        """Id and settings of the fair of that code."""
        row = await connection.fetchrow(self._sql["fair_for_registration"], code)
        return None if row is None else (row["id"], row["settings"])

    async def insert_account(self, connection: Connection, new: NewAccount, now: datetime) -> None:
        """A new account. The constraint `account_login_unique` may object."""
        await connection.execute(
            self._sql["insert_account"],
            new.id,
            new.fair,
            new.exhibitor,
            new.kind,
            new.login,
            new.name,
            new.name_tokens,
            new.password_hash,
            new.language,
            new.mobile,
            new.email,
            now,
        )

    async def insert_buyer(
        self,
        connection: Connection,
        account: UUID,
        role: str,
        country: str | None,
        interests: Sequence[str],
        profile: Mapping[str, str],
        complete: bool,
    ) -> None:
        """A new buyer's own data."""
        await connection.execute(
            self._sql["insert_buyer"], account, role, country, interests, msgspec.json.encode(profile), complete
        )

    async def audit(
        self,
        connection: Connection,
        fair: UUID,
        actor: UUID | None,
        action: str,
        subject: UUID | None,
        now: datetime,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        """Write down who did what to whom (A4)."""
        await connection.execute(
            self._sql["audit"], uuid7(), fair, actor, action, subject, msgspec.json.encode(detail or {}), now
        )

    async def create_installation(self, connection: Connection, secret: bytes, demo: bool) -> None:
        """Remember the installation, unless it is remembered already."""
        await connection.execute(self._sql["create_installation"], secret, demo)

    async def installation(self, connection: Connection) -> Installation | None:
        """What is remembered."""
        row = await connection.fetchrow(self._sql["installation"])
        return None if row is None else Installation(**dict(row))


def _account(row: asyncpg.Record | None) -> AccountRow | None:
    return None if row is None else AccountRow(**dict(row))
