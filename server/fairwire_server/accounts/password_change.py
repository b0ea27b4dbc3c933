"""A new password of one's own; the other sessions end with it (A9)."""

from __future__ import annotations

from fairwire_protocol.errors import Refused
from fairwire_protocol.operations import Empty
from fairwire_protocol.operations import identity as ops
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.passwords import Passwords
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.sessions import Sessions
from fairwire_server.accounts.store import AccountStore
from fairwire_server.accounts.throttle import Throttle
from fairwire_server.context import Context
from fairwire_server.database.work import Work, Works

__all__ = ["PasswordChange"]


class PasswordChange:
    """The handler of `account.change_password`. Guessing the present one is slowed down as signing in is."""

    def __init__(
        self,
        *,
        works: Works,
        store: AccountStore,
        commands: Commands,
        sessions: Sessions,
        passwords: Passwords,
        throttle: Throttle,
    ) -> None:
        self._works = works
        self._store = store
        self._commands = commands
        self._sessions = sessions
        self._passwords = passwords
        self._throttle = throttle

    async def change(self, caller: Caller, context: Context, request: ops.ChangePassword) -> Empty:
        """Compare, hash and store; both hashes are computed outside the transaction."""
        async with self._works.read() as work:
            before = await self._store.password(work.connection, caller.account)
        lane = self._throttle.enter("change password", str(caller.account), context.address, caller.device)
        try:
            right = await self._passwords.verify(before, request.current)
            new = await self._passwords.hash(request.new) if right else ""
        except BaseException:
            self._throttle.withdraw(lane)
            raise
        if not right:
            self._throttle.failed(lane)
            raise Refused("bad_credentials")
        self._throttle.succeeded(lane)

        async def apply(work: Work, caller: Caller) -> Empty:
            now = await self._store.lock_account(work.connection, caller.account)
            if now is None or now[1] != before:
                raise Refused("conflict", "The password has just been changed elsewhere.")
            await self._store.set_password(work.connection, caller.account, new)
            await self._sessions.end_all(work, caller.account, keep=caller.session, why="password")
            await self._store.audit(
                work.connection, caller.fair, caller.account, "account.password", caller.account, work.now
            )
            return Empty()

        return await self._commands.run(ops.CHANGE_PASSWORD, caller, context, request, apply)
