"""Registering, changing and verifying one's number and email (A8).

A first address is proved by the code sent to it. To replace a verified one, a code sent to the present one comes first; that
code is good for the one new address it was asked for, and says so.
"""

from __future__ import annotations

from fairwire_protocol.errors import Refused
from fairwire_protocol.operations import identity as ops
from fairwire_server.accounts.addresses import demand_reach, normalise_address, verified_at
from fairwire_server.accounts.changes import Changes
from fairwire_server.accounts.codes import Codes
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.constraints import refusing
from fairwire_server.accounts.letters import kind_of
from fairwire_server.accounts.ports import Reaches
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.store import AccountRow, AccountStore
from fairwire_server.accounts.throttle import Throttle
from fairwire_server.accounts.views import own_account
from fairwire_server.context import Context
from fairwire_server.database.work import Work, Works

__all__ = ["AddressChange"]


class AddressChange:
    """Handlers of `account.request_address` and `account.verify_address`."""

    def __init__(
        self,
        *,
        works: Works,
        store: AccountStore,
        commands: Commands,
        codes: Codes,
        changes: Changes,
        throttle: Throttle,
        reaches: Reaches,
    ) -> None:
        self._works = works
        self._store = store
        self._commands = commands
        self._codes = codes
        self._changes = changes
        self._throttle = throttle
        self._reaches = reaches

    async def request(self, caller: Caller, context: Context, request: ops.RequestAddress) -> ops.AddressRequested:
        """Send a code: to the new address, or first to the verified one that it replaces."""
        row = await self._row(caller)
        address = self._normalised(row, request.address)
        demand_reach(self._reaches, address)
        current = verified_at(row, kind_of(address))
        if current is None or current == address:
            return await self._send_to_new(caller, context, request, address)
        if not self._reaches(kind_of(current)):
            raise Refused(
                "address_required", "Nothing can be sent to the present address, so it cannot be replaced here."
            )
        if request.current_code is None:
            return await self._send_to_current(caller, context, request, current, address)
        lane = self._throttle.enter("change address", str(caller.account), context.address, caller.device)
        code = await self._codes.judge(caller.account, "change", request.current_code, about=address)
        if code is None or code.sent_to != current:
            self._throttle.failed(lane)
            raise Refused("bad_code")
        self._throttle.succeeded(lane)
        self._throttle.send_code(address, context.address)

        async def apply(work: Work, caller: Caller) -> ops.AddressRequested:
            await self._codes.use(work, code)
            await self._codes.issue(work, caller.account, "verify", address, row.language)
            return ops.AddressRequested(sent_to="new")

        return await self._commands.run(ops.REQUEST_ADDRESS, caller, context, request, apply)

    async def verify(self, caller: Caller, context: Context, request: ops.VerifyAddress) -> ops.AccountReply:
        """The code came to the address: it is the account's now, unless another account has verified it."""
        address = self._normalised(await self._row(caller), request.address)
        lane = self._throttle.enter("verify address", str(caller.account), context.address, caller.device)
        code = await self._codes.judge(caller.account, "verify", request.code)
        if code is None or code.sent_to != address:
            self._throttle.failed(lane)
            raise Refused("bad_code")
        self._throttle.succeeded(lane)

        async def apply(work: Work, caller: Caller) -> ops.AccountReply:
            await self._store.lock_account(work.connection, caller.account)
            before = await self._store.account(work.connection, caller.account)
            assert before is not None
            await self._codes.use(work, code)
            await self._store.set_address(work.connection, caller.account, kind_of(address), address, work.now)
            await self._changes.recompute(work, caller.account)
            await self._store.audit(
                work.connection, caller.fair, caller.account, "account.address", caller.account, work.now
            )
            return ops.AccountReply(account=own_account(await self._changes.tell(work, before)))

        with refusing():
            return await self._commands.run(ops.VERIFY_ADDRESS, caller, context, request, apply)

    async def _send_to_new(
        self, caller: Caller, context: Context, request: ops.RequestAddress, address: str
    ) -> ops.AddressRequested:
        self._throttle.send_code(address, context.address)

        async def apply(work: Work, caller: Caller) -> ops.AddressRequested:
            row = await self._store.account(work.connection, caller.account)
            # Somebody else with a session may have verified an address since; then that one comes first.
            if row is None or verified_at(row, kind_of(address)) not in (None, address):
                raise Refused("conflict")
            await self._codes.issue(work, caller.account, "verify", address, row.language)
            return ops.AddressRequested(sent_to="new")

        return await self._commands.run(ops.REQUEST_ADDRESS, caller, context, request, apply)

    async def _send_to_current(
        self, caller: Caller, context: Context, request: ops.RequestAddress, current: str, address: str
    ) -> ops.AddressRequested:
        self._throttle.send_code(current, context.address)

        async def apply(work: Work, caller: Caller) -> ops.AddressRequested:
            row = await self._store.account(work.connection, caller.account)
            if row is None or verified_at(row, kind_of(address)) != current:
                raise Refused("conflict")
            await self._codes.issue(work, caller.account, "change", current, row.language, about=address)
            return ops.AddressRequested(sent_to="current")

        return await self._commands.run(ops.REQUEST_ADDRESS, caller, context, request, apply)

    async def _row(self, caller: Caller) -> AccountRow:
        async with self._works.read() as work:
            row = await self._store.account(work.connection, caller.account)
        assert row is not None
        return row

    def _normalised(self, row: AccountRow, text: str) -> str:
        return normalise_address(text, domestic=row.domicile == "domestic" or row.country == "CN")
