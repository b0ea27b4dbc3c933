"""Putting a demo fair into an installation, and saying who may sign in there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import AccountKind
from fairwire_server.accounts.installation import ensure_installation
from fairwire_server.accounts.store import AccountStore
from fairwire_server.clock import Clock
from fairwire_server.database.pool import Connection, Database
from fairwire_server.database.work import Works
from fairwire_server.importing.demo.generator import DemoFair, DemoSource, stable_ids
from fairwire_server.importing.demo.slots import plan_slots
from fairwire_server.importing.failures import FailureFiles
from fairwire_server.importing.importer import Importer, Options, Progress
from fairwire_server.importing.report import Report
from fairwire_server.importing.store import ImportStore, Record
from fairwire_server.importing.writing import Tell

__all__ = [
    "PASSWORD",
    "DemoAccount",
    "DemoAccounts",
    "accounts_of",
    "demo_account",
    "ensure_demo",
    "make_demo",
    "nobody",
]

PASSWORD: Final = "fairwire-demo"  # noqa: S105 - everybody may know it
# One hash for all of them, at the cost that accounts/passwords.py has: making 180,000 would take an hour.
PASSWORD_HASH: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$SN/KPWIMGoW366hFlR5knA$rvtLC0zGlx6SniiWBvJBXnJkVt2naAuLAkUwsoOulcA"  # noqa: S105
)
SHOWN: Final = (
    "buyer1",
    "buyer2",
    "acme-main",
    "acme-manager",
    "acme-sales",
    "acme-sales2",
    "acme-exhibit",
    "organiser",
)
PAGE: Final = 5000


class DemoAccount(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An account as load tools want it."""

    id: UUID
    fair: str
    login: str
    kind: AccountKind
    name: str
    exhibitor: UUID | None = None
    exhibitor_id: str | None = None
    """The exhibitor's external id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoAccounts:
    """Who may sign in at the demo fair, for the page that says so."""

    fair: str
    password: str
    accounts: tuple[DemoAccount, ...]


async def nobody(connection: Connection, accounts: Sequence[UUID]) -> None:
    """No server is listening yet."""


async def make_demo(
    database: Database, clock: Clock, tell: Tell, fair: DemoFair, progress: Progress | None = None
) -> Report:
    """Bring the demo fair in, or up to date. Refuses an installation that is none for demos: its password is known."""
    works = Works(database, clock)
    async with works.begin() as work:
        fairs = await ImportStore(work.connection).fetch("fair_codes")
        await ensure_installation(work, AccountStore(), demo=not fairs)
        if not await ImportStore(work.connection).ids("become_demo"):
            raise Refused("forbidden", "This installation holds a real fair; a demo's password is known to everybody.")
    options = Options(password_hash=PASSWORD_HASH, organisers=True)
    ids = stable_ids(fair.code)
    importer = (
        Importer(database, clock, tell, options, new_id=ids)
        if progress is None
        else Importer(database, clock, tell, options, new_id=ids, progress=progress)
    )
    report = await importer.run([DemoSource(fair)], FailureFiles([None]))
    assert not report.failed, report
    await plan_slots(works, fair.code)
    return report


async def ensure_demo(database: Database, clock: Clock, fair: DemoFair | None = None) -> DemoAccounts | None:
    """The small demo fair of `serve`, made at the first start; None where another fair is or the installation is no demo."""
    fair = fair or DemoFair(now=clock.now())
    async with Works(database, clock).read() as work:
        fairs = [row["code"] for row in await ImportStore(work.connection).fetch("fair_codes")]
    if not fairs:
        await make_demo(database, clock, nobody, fair)
    elif fair.code not in fairs:
        return None
    async with Works(database, clock).read() as work:
        rows = await ImportStore(work.connection).fetch("accounts_by_login", fair.code, list(SHOWN))
    found = {row["login"]: demo_account(fair.code, row) for row in rows}
    accounts = tuple(found[login] for login in SHOWN if login in found)
    if not accounts:
        return None
    return DemoAccounts(fair=fair.code, password=PASSWORD, accounts=accounts)


async def accounts_of(database: Database, fair: str) -> AsyncIterator[DemoAccount]:
    """Every active account of a fair, by kind and login, a page at a time."""
    kind = login = ""
    while True:
        async with database.reader() as connection:
            rows = await ImportStore(connection).fetch("accounts_of_fair", fair, kind, login, PAGE)
        for row in rows:
            yield demo_account(fair, row)
        if len(rows) < PAGE:
            return
        kind, login = rows[-1]["kind"], rows[-1]["login"]


def demo_account(fair: str, row: Record) -> DemoAccount:
    """An account from its row."""
    return DemoAccount(fair=fair, **dict(row))
