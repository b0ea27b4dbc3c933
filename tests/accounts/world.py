"""A small fair with every kind of account, and the services of accounts over it, put together as compose does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from uuid_utils.compat import uuid7

from fairwire_protocol.errors import Close
from fairwire_protocol.events import AccountEvent, ContactChanged
from fairwire_protocol.models import AccountKind, BuyerCard
from fairwire_protocol.operations import identity as ops
from fairwire_server.accounts.address_change import AddressChange
from fairwire_server.accounts.callers import Callers
from fairwire_server.accounts.changes import Changes
from fairwire_server.accounts.codes import Codes
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.directory import Directory
from fairwire_server.accounts.directory_store import DirectoryStore
from fairwire_server.accounts.handover import Handover
from fairwire_server.accounts.letters import AddressKind, Letter
from fairwire_server.accounts.organiser import Organisers
from fairwire_server.accounts.organiser_store import OrganiserStore
from fairwire_server.accounts.password_change import PasswordChange
from fairwire_server.accounts.passwords import Cost, Passwords
from fairwire_server.accounts.ports import Job
from fairwire_server.accounts.profile import Profiles
from fairwire_server.accounts.registration import Registration
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.session_store import SessionStore
from fairwire_server.accounts.sessions import Sessions
from fairwire_server.accounts.sign_in import SignIn
from fairwire_server.accounts.store import AccountStore
from fairwire_server.accounts.team import Teams
from fairwire_server.accounts.team_store import TeamStore
from fairwire_server.accounts.throttle import SignInLimits, Throttle
from fairwire_server.accounts.tokens import Tokens
from fairwire_server.chat.search_tokens import SearchTokens
from fairwire_server.context import Context
from fairwire_server.database.pool import Database
from fairwire_server.database.work import Work, Works
from fairwire_server.exhibits.holdings import OwnedExhibits
from fairwire_server.folding import Folding
from fairwire_server.streams.service import Streams
from fairwire_server.streams.store import StreamStore
from tests.harness.clock import ManualClock

PASSWORD = "correct horse battery"
FAIR = "autumn"
MINUTES = 60


@dataclass
class Desk:
    """Work that one account may hold: what stands in `held`."""

    kind: str
    held: dict[UUID, list[UUID]] = field(default_factory=dict)
    moves: list[tuple[UUID, UUID, UUID]] = field(default_factory=list)

    async def list_open(self, work: Work, account: UUID) -> Sequence[tuple[str, UUID]]:
        return [(self.kind, item) for item in self.held.get(account, [])]

    async def hand_over(self, work: Work, source: UUID, target: UUID, by: UUID) -> None:
        def moved() -> None:
            self.held.setdefault(target, []).extend(self.held.pop(source, []))
            self.moves.append((source, target, by))

        work.on_commit(moved)


class World:
    """The services, what they did to the outside, and shortcuts to use them as a client would."""

    def __init__(self, database: Database, *, limits: SignInLimits | None = None, secret: bytes = b"s" * 32) -> None:
        self.database = database
        self.clock = ManualClock(jumps=True)
        self.works = Works(database, self.clock)
        self.letters: list[Letter] = []
        self.closed: list[tuple[UUID, UUID | None, int, str]] = []
        self.jobs: list[Job] = []
        self.reached: set[AddressKind] = {"email", "mobile"}
        self.audience: list[UUID] = []
        self.chats = Desk("chat")
        self.exhibits = Desk("exhibit")
        self.search = SearchTokens(Folding())
        self.streams = Streams(StreamStore(), lambda appended: None)
        self._build(limits, secret)

    def _build(self, limits: SignInLimits | None, secret: bytes) -> None:
        works, store = self.works, AccountStore()
        self.store = store
        callers = Callers(store)
        self.commands = commands = Commands(works, callers, store)
        self.tokens = Tokens(secret, timedelta(minutes=15))
        self.passwords = passwords = Passwords(cost=Cost(memory_kib=64, passes=1))
        self.throttle = throttle = Throttle(self.clock, limits)
        self.codes = codes = Codes(works, self.tokens, self.letters.append)
        self.sessions = sessions = Sessions(
            works=works, store=store, sessions=SessionStore(), callers=callers, commands=commands, tokens=self.tokens,
            close_sockets=self.close_sockets, life=timedelta(days=30),
        )  # fmt: skip
        changes = Changes(
            store=store,
            announce=self.streams.announce,
            buyer_events=self.buyer_events,
            colleague_audience=self.colleague_audience,
            hold_chats=self.hold_chats,
        )
        self.sign_in = SignIn(
            works=works, store=store, sessions=sessions, passwords=passwords, codes=codes, throttle=throttle,
            defer=self.jobs.append, reaches=self.reaches, announce=self.streams.announce,
        )  # fmt: skip
        self.registration = Registration(
            works=works, store=store, sessions=sessions, passwords=passwords, throttle=throttle,
            index_tokens=self.search.index_tokens, create_streams=self.streams.create,
        )  # fmt: skip
        self.profiles = Profiles(
            works=works, store=store, commands=commands, changes=changes, index_tokens=self.search.index_tokens
        )
        self.password_change = PasswordChange(
            works=works, store=store, commands=commands, sessions=sessions, passwords=passwords, throttle=throttle
        )
        self.address_change = AddressChange(
            works=works, store=store, commands=commands, codes=codes, changes=changes, throttle=throttle,
            reaches=self.reaches,
        )  # fmt: skip
        self.teams = Teams(
            works=works, store=store, team=TeamStore(), commands=commands, sessions=sessions, passwords=passwords,
            changes=changes, handover=Handover(store, [self.chats, self.exhibits, OwnedExhibits()]),
            index_tokens=self.search.index_tokens, create_streams=self.streams.create,
            reset_streams=self.streams.reset, sub_account_limit=5,
        )  # fmt: skip
        self.organisers = Organisers(
            works=works, store=store, fair=OrganiserStore(), commands=commands, sessions=sessions,
            search_query=self.search.search_query, reset_streams=self.streams.reset,
        )  # fmt: skip
        self.directory = Directory(works=works, directory=DirectoryStore(), search_query=self.search.search_query)

    def close_sockets(self, account: UUID, session: UUID | None, code: Close, reason: str) -> None:
        self.closed.append((account, session, int(code), reason))

    def reaches(self, kind: AddressKind) -> bool:
        return kind in self.reached

    async def buyer_events(self, work: Work, buyer: UUID) -> list[tuple[UUID, AccountEvent]]:
        row = await self.store.account(work.connection, buyer)
        assert row is not None
        return [
            (account, ContactChanged(contact=BuyerCard(id=buyer, name=row.name, country=row.country)))
            for account in self.audience
        ]

    async def hold_chats(self, work: Work, account: UUID) -> None:
        """Nobody speaks here."""

    async def colleague_audience(self, work: Work, account: UUID) -> list[UUID]:
        return self.audience

    # the fair

    async def fair(self, code: str = FAIR, settings: dict[str, object] | None = None) -> UUID:
        fair: UUID = uuid7()
        await self.execute(
            "INSERT INTO fair (id, code, name_zh, name_en, opens_at, closes_at, settings, created_at)"
            " VALUES ($1, $2, '秋季', 'Autumn', $3, $4, $5, $3)",
            fair, code, self.clock.now(), self.clock.now() + timedelta(days=9), msgspec.json.encode(settings or {}),
        )  # fmt: skip
        await self.execute("INSERT INTO fair_stream (fair_id, epoch) VALUES ($1, 1)", fair)
        return fair

    async def exhibitor(
        self, fair: UUID, name: str = "Anyang Tools", *, domicile: str = "domestic", limit: int | None = None
    ) -> UUID:
        exhibitor: UUID = uuid7()
        await self.execute(
            "INSERT INTO exhibitor (id, fair_id, external_id, name_zh, name_en, name_tokens, domicile, sub_account_limit)"
            " VALUES ($1, $2, $3, $4, $4, $5::text::tsvector, $6, $7)",
            exhibitor, fair, str(exhibitor), name, self.search.index_tokens(name), domicile, limit,
        )  # fmt: skip
        return exhibitor

    async def account(
        self,
        fair: UUID,
        kind: AccountKind,
        login: str,
        *,
        exhibitor: UUID | None = None,
        password: str | None = PASSWORD,
        name: str | None = None,
        email: str | None = None,
        mobile: str | None = None,
        verified: bool = True,
    ) -> UUID:
        account: UUID = uuid7()
        at = self.clock.now()
        await self.execute(
            "INSERT INTO account (id, fair_id, exhibitor_id, kind, login, name, name_tokens, password_hash, language,"
            " email, email_verified_at, mobile, mobile_verified_at, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7::text::tsvector, $8, 'en', $9, $10, $11, $12, $13)",
            account, fair, exhibitor, kind, login, name or login, self.search.index_tokens(name or login),
            await self.passwords.hash(password) if password else None,
            email, at if email and verified else None, mobile, at if mobile and verified else None, at,
        )  # fmt: skip
        if kind == "buyer":
            await self.execute("INSERT INTO buyer (account_id) VALUES ($1)", account)
        async with self.works.begin() as work:
            await self.streams.create(work, [account])
        return account

    # a client

    def context(self, address: str = "203.0.113.5", cid: UUID | None = None) -> Context:
        return Context(cid=cid or uuid4(), correlation="test", address=address)

    async def signed_in(
        self,
        login: str,
        *,
        device: str = "phone",
        password: str = PASSWORD,
        address: str = "203.0.113.5",
        fair: str = FAIR,
    ) -> ops.SignedIn:
        return await self.sign_in.by_password(
            self.context(address), ops.SignIn(fair=fair, login=login, password=password, device=device)
        )

    async def caller(self, login: str, **how: str) -> Caller:
        return await self.sessions.authenticate((await self.signed_in(login, **how)).access_token)

    async def run_jobs(self) -> None:
        """What was deferred, now."""
        while self.jobs:
            await self.jobs.pop(0)()

    def code(self, to: str) -> str:
        """The code in the newest letter to that address."""
        letter = next(letter for letter in reversed(self.letters) if letter.to == to)
        found = re.search(r"\b(\d{6,8})\b", letter.text)
        assert found is not None
        return found[1]

    async def events(self, account: UUID) -> list[dict[str, object]]:
        """Bodies in the account's stream, oldest first."""
        rows = await self.fetch("SELECT body FROM account_event WHERE account_id = $1 ORDER BY pos", account)
        return [msgspec.msgpack.decode(row["body"], type=dict[str, object]) for row in rows]

    async def epoch(self, account: UUID) -> int:
        rows = await self.fetch("SELECT epoch FROM account_stream WHERE account_id = $1", account)
        return int(rows[0]["epoch"])

    async def audited(self) -> list[str]:
        return [row["action"] for row in await self.fetch("SELECT action FROM audit ORDER BY id")]

    async def execute(self, sql: str, *arguments: object) -> None:
        async with self.database.transaction() as tx:
            await tx.execute(sql, *arguments)

    async def fetch(self, sql: str, *arguments: object) -> Sequence[dict[str, Any]]:
        async with self.database.reader() as reader:
            return [dict(row) for row in await reader.fetch(sql, *arguments)]


@asynccontextmanager
async def open_world(database: Database, limits: SignInLimits | None = None) -> AsyncIterator[World]:
    """A world whose threads end with the test."""
    world = World(database, limits=limits)
    try:
        yield world
    finally:
        world.passwords.close()
