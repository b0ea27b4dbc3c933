"""Sessions: signing in opens one per device, refreshing carries it on, revoking ends it and its sockets (A5, W13)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final
from uuid import UUID

from fairwire_protocol.errors import Close, Refused
from fairwire_protocol.models import Session
from fairwire_protocol.operations import Empty, Request
from fairwire_protocol.operations import identity as ops
from fairwire_server.accounts.callers import Callers
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.ports import CloseSockets
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.session_rules import Refreshing, decide_refresh
from fairwire_server.accounts.session_store import RefreshRow, SessionStore
from fairwire_server.accounts.store import AccountStore
from fairwire_server.accounts.tokens import Tokens, refresh_digest
from fairwire_server.accounts.views import own_account
from fairwire_server.clock import milliseconds
from fairwire_server.context import Context
from fairwire_server.database.ids import uuid7
from fairwire_server.database.work import Work, Works

__all__ = ["Sessions"]

SESSIONS_MAX: Final = 50
"""Live sessions of an account; beyond that the longest unused ends."""
KEPT_AFTER_END: Final = timedelta(days=30)


class Sessions:
    """`open`, `end_all` and `forget` join a transaction; the rest are handlers, and `authenticate` is for both doors."""

    def __init__(
        self,
        *,
        works: Works,
        store: AccountStore,
        sessions: SessionStore,
        callers: Callers,
        commands: Commands,
        tokens: Tokens,
        close_sockets: CloseSockets,
        life: timedelta,
    ) -> None:
        self._works = works
        self._store = store
        self._sessions = sessions
        self._callers = callers
        self._commands = commands
        self._tokens = tokens
        self._close_sockets = close_sockets
        self._life = life

    async def authenticate(self, token: str) -> Caller:
        """Who an access token speaks for, as of now: one query. Raises `unauthenticated`, `token_expired`, `suspended`."""
        facts = self._tokens.verify(token, self._works.clock.now())
        async with self._works.read() as work:
            return await self._callers.find(work, facts.session)

    async def open(self, work: Work, account: UUID, device: str, device_name: str) -> ops.SignedIn:
        """A new session of an account that has just proved who it is."""
        session, token = uuid7(), self._tokens.first_refresh()
        until = work.now + self._life
        await self._sessions.insert(work.connection, session, account, device, device_name, work.now, until)
        await self._sessions.insert_refresh(work.connection, refresh_digest(token), session, 0, work.now)
        for surplus in await self._sessions.surplus(work.connection, account, work.now, SESSIONS_MAX):
            await self._end(work, account, surplus, "surplus")
        return await self._signed_in(work, account, session, token)

    async def refresh(self, context: Context, request: ops.RefreshSession) -> ops.SignedIn:
        """Exchange a refresh token (W13). A copy used later than the grace allows ends the session for everybody."""
        digest = refresh_digest(request.refresh_token)
        async with self._works.begin() as work:
            row = await self._sessions.lock_refresh(work.connection, digest)
            reply = None if row is None else await self._exchange(work, row, request.refresh_token, digest)
        if reply is None:  # raised only now: what ended the session had to be committed
            raise Refused("unauthenticated", "The session is over; sign in again.")
        return reply

    async def sign_out(self, caller: Caller, context: Context, request: Request) -> Empty:
        """End the caller's own session and its sockets."""

        async def apply(work: Work, caller: Caller) -> Empty:
            await self._end(work, caller.account, caller.session, "signed_out")
            return Empty()

        return await self._commands.run(ops.SIGN_OUT, caller, context, request, apply)

    async def list(self, caller: Caller, context: Context, request: Request) -> ops.SessionList:
        """Signed-in devices, the most recently used first."""
        async with self._works.read() as work:
            rows = await self._sessions.live(work.connection, caller.account, work.now)
        return ops.SessionList(
            sessions=tuple(
                Session(
                    id=row.id,
                    device=row.device_id,
                    device_name=row.device_name,
                    created_at=milliseconds(row.created_at),
                    used_at=milliseconds(row.used_at),
                    current=row.id == caller.session,
                )
                for row in rows
            )
        )

    async def revoke(self, caller: Caller, context: Context, request: ops.SessionRef) -> Empty:
        """Sign another device of the account out."""

        async def apply(work: Work, caller: Caller) -> Empty:
            if not await self._end(work, caller.account, request.session, "revoked"):
                raise Refused("not_found")
            return Empty()

        return await self._commands.run(ops.REVOKE, caller, context, request, apply)

    async def end_all(self, work: Work, account: UUID, *, why: str, keep: UUID | None = None) -> None:
        """End every session of the account but `keep`, and their sockets (A6, A9)."""
        ended = await self._sessions.revoke_all(work.connection, account, keep, work.now, why)
        if keep is None:
            work.on_commit(lambda: self._close_sockets(account, None, Close.SUSPENDED, why), lambda: (account,))
            return
        for session in ended:
            self._close_later(work, account, session, why)

    async def over(self, sessions: Collection[UUID]) -> set[UUID]:
        """Those of the sessions that have ended, for a hub that may not have been told (A6)."""
        async with self._works.read() as work:
            return await self._sessions.over(work.connection, list(sessions))

    async def forget(self, work: Work) -> None:
        """Drop sessions that ended long ago; from time to time."""
        await self._sessions.forget(work.connection, work.now - KEPT_AFTER_END)

    async def _exchange(self, work: Work, row: RefreshRow, token: str, digest: bytes) -> ops.SignedIn | None:
        if row.state in ("suspended", "disabled"):
            raise Refused("suspended")
        successor = self._tokens.next_refresh(token)
        match decide_refresh(row.rotated_at, row.expires_at, row.revoked_at, work.now):
            case Refreshing.OVER:
                return None
            case Refreshing.REUSED:
                await self._end(work, row.account_id, row.session_id, "reused")
                await self._store.audit(
                    work.connection, row.fair_id, None, "session.reused", row.account_id, work.now,
                    {"session": str(row.session_id)},
                )  # fmt: skip
                return None
            case Refreshing.ROTATE:
                await self._sessions.rotate(work.connection, digest, work.now)
                await self._sessions.insert_refresh(
                    work.connection, refresh_digest(successor), row.session_id, row.generation + 1, work.now
                )
                await self._sessions.use(work.connection, row.session_id, work.now, work.now + self._life)
            case Refreshing.REPEAT:
                pass
        return await self._signed_in(work, row.account_id, row.session_id, successor)

    async def _signed_in(self, work: Work, account: UUID, session: UUID, refresh_token: str) -> ops.SignedIn:
        row = await self._store.account(work.connection, account)
        assert row is not None
        # A session lasts `life` from its last use, which is now or within the grace of a repeated refresh.
        access = self._tokens.mint(session, account, row.fair_id, work.now, work.now + self._life)
        return ops.SignedIn(
            account=own_account(row),
            session=session,
            access_token=access.token,
            expires_at=milliseconds(access.expires_at),
            refresh_token=refresh_token,
        )

    async def _end(self, work: Work, account: UUID, session: UUID, why: str) -> bool:
        ended = await self._sessions.revoke(work.connection, account, session, work.now, why)
        if ended:
            self._close_later(work, account, session, why)
        return ended

    def _close_later(self, work: Work, account: UUID, session: UUID, why: str) -> None:
        work.on_commit(lambda: self._close_sockets(account, session, Close.SUSPENDED, why), lambda: (account,))
