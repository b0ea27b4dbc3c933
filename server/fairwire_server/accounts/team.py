"""An exhibitor's team: main creates, edits, disables, enables and removes sub-accounts (A2, A6, A9)."""

from __future__ import annotations

from uuid import UUID

from msgspec import UNSET
from msgspec.structs import replace

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import AccountState
from fairwire_protocol.operations import Empty, Request
from fairwire_protocol.operations import identity as ops
from fairwire_server.accounts.changes import Changes
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.constraints import refusing
from fairwire_server.accounts.fair_settings import fair_settings
from fairwire_server.accounts.handover import Handover
from fairwire_server.accounts.naming_rules import clean_name, new_login
from fairwire_server.accounts.passwords import Passwords
from fairwire_server.accounts.phones import normalise_email, normalise_phone
from fairwire_server.accounts.ports import CreateStreams, IndexTokens, ResetStreams
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.sessions import Sessions
from fairwire_server.accounts.store import AccountRow, AccountStore, NewAccount
from fairwire_server.accounts.team_rules import leaves_behind, stepped, sub_account_limit
from fairwire_server.accounts.team_store import TeamFrame, TeamStore
from fairwire_server.accounts.views import colleague
from fairwire_server.context import Context
from fairwire_server.database.ids import uuid7
from fairwire_server.database.work import Work, Works

__all__ = ["Teams"]

REMOVED_LOGIN = "removed {}"
"""No login that can be given has a space, so nobody ever signs in by this one."""


class Teams:
    """Handlers of `team.*`. Every change holds the exhibitor's row, so that changes to one team come one after the other."""

    def __init__(
        self,
        *,
        works: Works,
        store: AccountStore,
        team: TeamStore,
        commands: Commands,
        sessions: Sessions,
        passwords: Passwords,
        changes: Changes,
        handover: Handover,
        index_tokens: IndexTokens,
        create_streams: CreateStreams,
        reset_streams: ResetStreams,
        sub_account_limit: int,
    ) -> None:
        self._works = works
        self._store = store
        self._team = team
        self._commands = commands
        self._sessions = sessions
        self._passwords = passwords
        self._changes = changes
        self._handover = handover
        self._index_tokens = index_tokens
        self._create_streams = create_streams
        self._reset_streams = reset_streams
        self._sub_account_limit = sub_account_limit

    async def list(self, caller: Caller, context: Context, request: Request) -> ops.Team:
        """Main first. Logins and addresses are for those who manage the team."""
        exhibitor = _exhibitor(caller)
        async with self._works.read() as work:
            frame = await self._team.frame(work.connection, exhibitor)
            rows = await self._team.team(work.connection, exhibitor)
        manages = caller.may("manage_sub_accounts")
        return ops.Team(
            accounts=tuple(colleague(row, contact_data=manages or row.id == caller.account) for row in rows),
            sub_account_limit=self._limit(frame),
        )

    async def create(self, caller: Caller, context: Context, request: ops.CreateSubAccount) -> ops.AccountReply:
        """A new sub-account; its addresses are unverified until its owner proves them (A8)."""
        login, name = new_login(request.login), clean_name(request.name)
        email = normalise_email(request.email) if request.email is not None else None
        password_hash = await self._passwords.hash(request.password)

        async def apply(work: Work, caller: Caller) -> ops.AccountReply:
            exhibitor = _exhibitor(caller)
            frame = await self._team.lock(work.connection, exhibitor)
            if await self._team.count(work.connection, exhibitor) >= self._limit(frame):
                raise Refused("account_limit")
            home = "CN" if frame.domicile == "domestic" else None
            new = NewAccount(
                id=uuid7(),
                fair=caller.fair,
                exhibitor=exhibitor,
                kind=request.kind,
                login=login,
                name=name,
                name_tokens=self._index_tokens(name),
                password_hash=password_hash,
                language="zh" if frame.domicile == "domestic" else "en",
                mobile=None if request.mobile is None else normalise_phone(request.mobile, home, field="mobile"),
                email=email,
            )
            await self._store.insert_account(work.connection, new, work.now)
            await self._note(work, caller, "team.created", new.id)
            await self._create_streams(work, [new.id])
            row = await self._store.account(work.connection, new.id)
            assert row is not None
            return ops.AccountReply(account=colleague(row, contact_data=True))

        # The command's fingerprint is kept for a day: it must not be a fast hash of the password.
        with refusing():
            return await self._commands.run(
                ops.CREATE_SUB_ACCOUNT, caller, context, replace(request, password=""), apply
            )

    async def update(self, caller: Caller, context: Context, request: ops.UpdateSubAccount) -> ops.AccountReply:
        """Change type, name, password or state; fields left out stay."""
        name = UNSET if request.name is UNSET else clean_name(request.name)
        password_hash = None if request.password is UNSET else await self._passwords.hash(request.password)

        async def apply(work: Work, caller: Caller) -> ops.AccountReply:
            before = await self._lock_member(work, caller, request.account, request.handover_to)
            state = before.state
            if request.enabled is not UNSET:
                state = stepped(before.state, "enable" if request.enabled else "disable")
            kind = before.kind if request.kind is UNSET else request.kind
            kept = leaves_behind((before.kind, before.state), (kind, state), caller.table)
            moved = (
                ()
                if kept is None
                else await self._handover.demanded(work, caller, before.id, request.handover_to, kept)
            )
            new_name = before.name if name is UNSET else name
            await self._team.set_member(work.connection, before.id, kind, new_name, self._index_tokens(new_name), state)
            if password_hash is not None:
                await self._store.set_password(work.connection, before.id, password_hash)
            if password_hash is not None or (state != before.state and state != "active"):
                await self._sessions.end_all(work, before.id, why="password" if password_hash else "disabled")
            await self._note_update(work, caller, before, kind != before.kind, state, password_hash is not None)
            await self._handover.carry_out(work, caller, before.id, request.handover_to, moved)
            after = await self._changes.tell(work, before)
            if kind != before.kind:
                await self._reset_streams(work, [before.id])
            return ops.AccountReply(account=colleague(after, contact_data=True))

        return await self._commands.run(ops.UPDATE_SUB_ACCOUNT, caller, context, request, apply)

    async def remove(self, caller: Caller, context: Context, request: ops.RemoveSubAccount) -> Empty:
        """Remove a sub-account for ever. What it has written stays, under its name."""

        async def apply(work: Work, caller: Caller) -> Empty:
            before = await self._lock_member(work, caller, request.account, request.handover_to)
            stepped(before.state, "remove")
            moved = await self._handover.demanded(work, caller, before.id, request.handover_to, kept=())
            await self._team.remove(work.connection, before.id, REMOVED_LOGIN.format(before.id))
            await self._sessions.end_all(work, before.id, why="removed")
            await self._note(work, caller, "team.removed", before.id)
            await self._handover.carry_out(work, caller, before.id, request.handover_to, moved)
            return Empty()

        return await self._commands.run(ops.REMOVE_SUB_ACCOUNT, caller, context, request, apply)

    async def _lock_member(self, work: Work, caller: Caller, account: UUID, heir: UUID | None) -> AccountRow:
        """A sub-account of the caller's own team, not the caller itself; raises `not_found` or `forbidden`. `heir`, who takes over its
        work, and the caller, who is named as the one who hands it over, are locked in the same order as for everybody else, so that
        nobody waits in a ring."""
        exhibitor = _exhibitor(caller)
        await self._team.lock(work.connection, exhibitor)
        wanted = [account, heir, caller.account] if heir else [account]
        held = await self._team.lock_accounts(work.connection, wanted, exhibitor)
        row = await self._store.account(work.connection, account) if account in held else None
        if row is None or row.kind == "main":
            raise Refused("not_found")
        if account == caller.account:
            raise Refused("forbidden", "Nobody manages the own account here.")
        return row

    async def _note_update(
        self, work: Work, caller: Caller, before: AccountRow, kind_changed: bool, state: AccountState, password: bool
    ) -> None:
        if kind_changed:
            await self._note(work, caller, "team.kind", before.id)
        if state != before.state:
            await self._note(work, caller, f"team.{state}", before.id)
        if password:
            await self._note(work, caller, "team.password", before.id)

    async def _note(self, work: Work, caller: Caller, action: str, subject: UUID) -> None:
        await self._store.audit(work.connection, caller.fair, caller.account, action, subject, work.now)

    def _limit(self, frame: TeamFrame) -> int:
        return sub_account_limit(
            frame.sub_account_limit, fair_settings(frame.settings).sub_account_limit, self._sub_account_limit
        )


def _exhibitor(caller: Caller) -> UUID:
    if caller.exhibitor is None:
        raise Refused("forbidden")
    return caller.exhibitor
