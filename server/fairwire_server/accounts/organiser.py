"""The organiser's hand on accounts: finding, suspending, silencing, the capability table, the audit log (A4, A6, A7, C18)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import AccountState
from fairwire_protocol.operations import Empty, Request
from fairwire_protocol.operations import organiser as ops
from fairwire_server.accounts.callers import capabilities_of
from fairwire_server.accounts.capability_rules import changed_kinds, differences
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.logins import fold_login
from fairwire_server.accounts.organiser_store import OrganiserStore
from fairwire_server.accounts.paging import page_cursor
from fairwire_server.accounts.ports import ResetStreams, SearchQuery
from fairwire_server.accounts.rules import Caller, effective_table
from fairwire_server.accounts.sessions import Sessions
from fairwire_server.accounts.store import AccountStore
from fairwire_server.accounts.team_rules import stepped
from fairwire_server.clock import milliseconds, moment
from fairwire_server.context import Context
from fairwire_server.database.work import Work, Works

__all__ = ["Organisers"]

AUDIT_PAGE = 100


class Organisers:
    """Handlers of `organiser.*` that concern accounts; each sees its own fair and no other (A1)."""

    def __init__(
        self,
        *,
        works: Works,
        store: AccountStore,
        fair: OrganiserStore,
        commands: Commands,
        sessions: Sessions,
        search_query: SearchQuery,
        reset_streams: ResetStreams,
    ) -> None:
        self._works = works
        self._store = store
        self._fair = fair
        self._commands = commands
        self._sessions = sessions
        self._search_query = search_query
        self._reset_streams = reset_streams

    async def find(self, caller: Caller, context: Context, request: ops.FindAccounts) -> ops.FoundAccounts:
        """By login, exact, or by name words."""
        login, words = fold_login(request.query), self._search_query(request.query)
        async with self._works.read() as work:
            rows = await self._fair.find(work.connection, caller.fair, login, words)
        return ops.FoundAccounts(
            accounts=tuple(
                ops.FoundAccount(
                    id=row.id,
                    kind=row.kind,
                    login=row.login,
                    name=row.name,
                    state=row.state,
                    exhibitor=row.exhibitor_id,
                )
                for row in rows
            )
        )

    async def suspend(self, caller: Caller, context: Context, request: ops.SuspendAccount) -> Empty:
        """Suspend or reinstate. Suspending ends every session; the account signs in anew once it is reinstated (A6)."""

        async def apply(work: Work, caller: Caller) -> Empty:
            state, suspended_from = await self._lock(work, caller, request.account)
            after = stepped(state, "suspend" if request.suspended else "reinstate")
            if after == state:
                return Empty()
            if request.suspended:
                await self._fair.set_state(work.connection, request.account, after, state)
                await self._sessions.end_all(work, request.account, why="suspended")
            else:
                await self._fair.set_state(work.connection, request.account, suspended_from or after, None)
            action = "account.suspended" if request.suspended else "account.reinstated"
            await self._note(work, caller, action, request.account, reason=request.reason)
            return Empty()

        return await self._commands.run(ops.SUSPEND, caller, context, request, apply)

    async def silence(self, caller: Caller, context: Context, request: ops.SilenceAccount) -> Empty:
        """Silence until an instant, or end the silence (C18)."""
        until = None if request.until is None else _instant(request.until)

        async def apply(work: Work, caller: Caller) -> Empty:
            await self._lock(work, caller, request.account)
            await self._fair.set_silence(work.connection, request.account, until)
            action = "account.unsilenced" if until is None else "account.silenced"
            await self._note(work, caller, action, request.account, until=request.until)
            return Empty()

        return await self._commands.run(ops.SILENCE, caller, context, request, apply)

    async def capabilities(self, caller: Caller, context: Context, request: Request) -> ops.CapabilitiesReply:
        """The whole table in force (A7)."""
        return ops.CapabilitiesReply(capabilities={kind: dict(row) for kind, row in caller.table.items()})

    async def set_capabilities(
        self, caller: Caller, context: Context, request: ops.SetCapabilities
    ) -> ops.CapabilitiesReply:
        """Replace the fair's differences from the default. Whoever sees more or less now starts from a snapshot (W6)."""
        wanted = differences(request.capabilities)

        async def apply(work: Work, caller: Caller) -> ops.CapabilitiesReply:
            before = capabilities_of(await self._fair.lock_capabilities(work.connection, caller.fair))
            after = effective_table(wanted)
            kinds = changed_kinds(before, after)
            if kinds:
                await self._fair.set_capabilities(work.connection, caller.fair, wanted)
                await self._note(work, caller, "capabilities.set", None, differences=wanted)
                await self._reset_streams(
                    work, await self._fair.accounts_with_state(work.connection, caller.fair, kinds)
                )
            return ops.CapabilitiesReply(capabilities={kind: dict(row) for kind, row in after.items()})

        return await self._commands.run(ops.SET_CAPABILITIES, caller, context, request, apply)

    async def audit(self, caller: Caller, context: Context, request: ops.ListAudit) -> ops.AuditReply:
        """A page of the audit log, newest first."""
        after = page_cursor(request.after)
        async with self._works.read() as work:
            rows = await self._fair.audit_page(work.connection, caller.fair, after, AUDIT_PAGE + 1)
        page = rows[:AUDIT_PAGE]
        return ops.AuditReply(
            entries=tuple(
                ops.AuditEntry(
                    id=row.id, actor=row.actor_id, action=row.action, subject=row.subject_id, ts=milliseconds(row.at)
                )
                for row in page
            ),
            next=str(page[-1].id) if len(rows) > AUDIT_PAGE else None,
        )

    async def _lock(self, work: Work, caller: Caller, account: UUID) -> tuple[AccountState, AccountState | None]:
        if account == caller.account:
            raise Refused("forbidden", "Nobody suspends or silences the own account.")
        found = await self._fair.lock(work.connection, account, caller.fair)
        if found is None:
            raise Refused("not_found")
        return found

    async def _note(self, work: Work, caller: Caller, action: str, subject: UUID | None, **detail: object) -> None:
        await self._store.audit(work.connection, caller.fair, caller.account, action, subject, work.now, detail)


def _instant(ms: int) -> datetime:
    try:
        return moment(ms)
    except (OverflowError, ValueError, OSError):
        raise Refused("invalid", "There is no such instant.", field="until") from None
