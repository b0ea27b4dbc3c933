"""Signing in: by password, by a code sent to a verified address, and the first password of an imported account (A5, A9).

A stranger learns nothing about who has an account: unknown logins cost what wrong passwords cost, codes are looked up and
sent in the background, and a wrong code is answered no sooner than `FLOOR_S` after it came.
"""

from __future__ import annotations

from typing import Final, NoReturn

from fairwire_protocol.errors import Refused
from fairwire_protocol.events import AccountChanged
from fairwire_protocol.models import AccountState
from fairwire_protocol.operations import Empty
from fairwire_protocol.operations import identity as ops
from fairwire_server.accounts.addresses import activation_address, demand_reach, normalise_address
from fairwire_server.accounts.codes import Codes
from fairwire_server.accounts.letters import kind_of
from fairwire_server.accounts.logins import fold_login
from fairwire_server.accounts.passwords import Passwords
from fairwire_server.accounts.ports import Announce, Defer, Reaches
from fairwire_server.accounts.sessions import Sessions
from fairwire_server.accounts.store import AccountStore, Credentials
from fairwire_server.accounts.throttle import Throttle
from fairwire_server.accounts.views import own_account
from fairwire_server.context import Context
from fairwire_server.database.work import Works

__all__ = ["SignIn"]

FLOOR_S: Final = 0.15


class SignIn:
    """Handlers that run without a caller."""

    def __init__(
        self,
        *,
        works: Works,
        store: AccountStore,
        sessions: Sessions,
        passwords: Passwords,
        codes: Codes,
        throttle: Throttle,
        defer: Defer,
        reaches: Reaches,
        announce: Announce,
    ) -> None:
        self._works = works
        self._store = store
        self._sessions = sessions
        self._passwords = passwords
        self._codes = codes
        self._throttle = throttle
        self._defer = defer
        self._reaches = reaches
        self._announce = announce

    async def by_password(self, context: Context, request: ops.SignIn) -> ops.SignedIn:
        """By login and password."""
        login = fold_login(request.login)
        self._throttle.attempt(context.address)
        async with self._works.read() as work:
            found = await self._store.credentials(work.connection, request.fair, login, request.device)
        lane = self._throttle.enter(
            "password", f"{request.fair}\0{login}", context.address, _known_device(found, request.device)
        )
        try:
            right = await self._passwords.verify(found.password_hash if found else None, request.password)
        except BaseException:
            self._throttle.withdraw(lane)
            raise
        if found is None or not right:
            self._throttle.failed(lane)
            raise Refused("bad_credentials")
        self._throttle.succeeded(lane)
        async with self._works.begin() as work:
            now = await self._store.lock_account(work.connection, found.id)
            # A password set while we were comparing with the one before ends this sign-in, as it ends sessions (A9).
            if now is None or now[1] != found.password_hash:
                raise Refused("bad_credentials")
            _demand_active(now[0])
            return await self._sessions.open(work, found.id, request.device, request.device_name)

    async def request_code(self, context: Context, request: ops.RequestSignInCode) -> Empty:
        """Send a sign-in code, if the address is anybody's; the answer does not tell."""
        address = normalise_address(request.address, domestic=True)
        demand_reach(self._reaches, address)
        self._throttle.send_code(f"{request.fair}\0{address}", context.address)

        async def send() -> None:
            async with self._works.begin() as work:
                found = await self._store.credentials_by_address(work.connection, request.fair, address, "")
                row = await self._store.account(work.connection, found.id) if found else None
                if row is not None and row.state == "active":
                    await self._codes.issue(work, row.id, "sign_in", address, row.language)

        self._defer(send)
        return Empty()

    async def by_code(self, context: Context, request: ops.SignInByCode) -> ops.SignedIn:
        """By the code that was sent."""
        started = self._works.clock.monotonic()
        address = normalise_address(request.address, domestic=True)
        self._throttle.attempt(context.address)
        async with self._works.read() as work:
            found = await self._store.credentials_by_address(work.connection, request.fair, address, request.device)
        lane = self._throttle.enter(
            "code", f"{request.fair}\0{address}", context.address, _known_device(found, request.device)
        )
        try:
            code = await self._codes.judge(found.id, "sign_in", request.code) if found else None
        except BaseException:
            self._throttle.withdraw(lane)
            raise
        if found is None or code is None or code.sent_to != address:
            self._throttle.failed(lane)
            await self._refuse_code(started)
        self._throttle.succeeded(lane)
        async with self._works.begin() as work:
            now = await self._store.lock_account(work.connection, found.id)
            _demand_active(now[0] if now else "removed")
            await self._codes.use(work, code)
            return await self._sessions.open(work, found.id, request.device, request.device_name)

    async def request_activation(self, context: Context, request: ops.RequestActivation) -> Empty:
        """Send an activation code to the address that an imported account without a password is registered with."""
        login = fold_login(request.login)
        self._throttle.send_code(f"activate\0{request.fair}\0{login}", context.address)

        async def send() -> None:
            async with self._works.begin() as work:
                row = await self._store.account_by_login(work.connection, request.fair, login)
                if row is None or row.activated or row.state != "active":
                    return
                address = activation_address(row, self._reaches)
                if address is not None:
                    await self._codes.issue(work, row.id, "activate", address, row.language)

        self._defer(send)
        return Empty()

    async def activate(self, context: Context, request: ops.Activate) -> Empty:
        """Set the first password; the address that the code came to counts as verified from now on."""
        started = self._works.clock.monotonic()
        login = fold_login(request.login)
        self._throttle.attempt(context.address)
        lane = self._throttle.enter("activate", f"{request.fair}\0{login}", context.address, None)
        try:
            # Hashed for everybody, so that the time taken tells nothing.
            password_hash = await self._passwords.hash(request.password)
            async with self._works.read() as work:
                row = await self._store.account_by_login(work.connection, request.fair, login)
            code = await self._codes.judge(row.id, "activate", request.code) if row else None
        except BaseException:
            self._throttle.withdraw(lane)
            raise
        if row is None or code is None:
            self._throttle.failed(lane)
            await self._refuse_code(started)
        self._throttle.succeeded(lane)
        async with self._works.begin() as work:
            now = await self._store.lock_account(work.connection, row.id)
            if now is None or now[1] is not None:
                raise Refused("bad_code")
            _demand_active(now[0])
            await self._codes.use(work, code)
            await self._store.set_password(work.connection, row.id, password_hash)
            await self._store.confirm_address(work.connection, row.id, kind_of(code.sent_to), code.sent_to, work.now)
            after = await self._store.account(work.connection, row.id)
            assert after is not None
            await self._store.audit(work.connection, after.fair_id, after.id, "account.activated", after.id, work.now)
            await self._announce(work, [(after.id, AccountChanged(account=own_account(after)))])
        return Empty()

    async def _refuse_code(self, started: float) -> NoReturn:
        clock = self._works.clock
        await clock.sleep(max(0.0, started + FLOOR_S - clock.monotonic()))
        raise Refused("bad_code")


def _known_device(found: Credentials | None, device: str) -> str | None:
    return device if found is not None and found.known_device else None


def _demand_active(state: AccountState) -> None:
    if state != "active":
        raise Refused("suspended" if state != "removed" else "bad_credentials")
