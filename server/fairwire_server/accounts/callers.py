"""From a session to a `Caller`: who is asking, re-read wherever something is about to change (A6)."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from uuid import UUID

import msgspec

from fairwire_protocol.errors import Refused
from fairwire_server.accounts.rules import Caller, Scope, effective_table
from fairwire_server.accounts.store import AccountRow, AccountStore, CallerRow
from fairwire_server.database.work import Work

__all__ = ["Callers", "SessionOver", "caller_of", "capabilities_of"]


class SessionOver(Refused):
    """The session was there and has ended: signed out, revoked, expired, or its account is gone (W13: 4501, not 4500)."""

    def __init__(self) -> None:
        super().__init__("unauthenticated", "The session is over; sign in again.")


@lru_cache(maxsize=64)
def capabilities_of(differences: bytes) -> dict[str, dict[str, Scope]]:
    """A fair's whole capability table from the differences it keeps."""
    return effective_table(msgspec.json.decode(differences, type=dict[str, dict[str, Scope]]))


class Callers:
    """Looks callers up. Raises `unauthenticated` for a session that is over, `suspended` for an account that may not act."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store

    async def find(self, work: Work, session: UUID) -> Caller:
        """The caller of a session, as it is now."""
        row = await self._store.caller(work.connection, session)
        if row is None:
            raise Refused("unauthenticated")
        return caller_of(row, work.now)

    async def signed_in(self, work: Work, session: UUID) -> tuple[Caller, AccountRow]:
        """The caller of a session with its whole account."""
        found = await self._store.signed_in(work.connection, session)
        if found is None:
            raise Refused("unauthenticated")
        row, account = found
        return caller_of(row, work.now), account

    async def recheck(self, work: Work, caller: Caller) -> Caller:
        """The same caller, read again inside the transaction of the command it sent (A6)."""
        return await self.find(work, caller.session)


def caller_of(row: CallerRow, now: datetime) -> Caller:
    """Who that is now. Raises `suspended` or `SessionOver`."""
    # The account first: somebody suspended is told so, although its sessions are over too.
    if row.state in ("suspended", "disabled"):
        raise Refused("suspended")
    if row.state != "active" or row.revoked_at is not None or row.expires_at <= now:
        raise SessionOver
    return Caller(
        account=row.id,
        fair=row.fair_id,
        kind=row.kind,
        name=row.name,
        session=row.session_id,
        device=row.device_id,
        exhibitor=row.exhibitor_id,
        complete=row.complete,
        silenced=row.silenced_until is not None and row.silenced_until > now,
        table=capabilities_of(row.capabilities),
    )
