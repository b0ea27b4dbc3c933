"""Handing over what an account holds, in the same step that takes its place away (A6)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_server.accounts.ports import Holdings
from fairwire_server.accounts.rules import Caller, may_receive
from fairwire_server.accounts.store import AccountStore
from fairwire_server.accounts.team_rules import open_work
from fairwire_server.database.work import Work

__all__ = ["Handover"]


class Handover:
    """Asks each capability what the account holds; each one moves its own."""

    def __init__(self, store: AccountStore, holdings: Sequence[Holdings]) -> None:
        self._store = store
        self._holdings = holdings

    async def demanded(
        self, work: Work, caller: Caller, account: UUID, target: UUID | None, kept: Collection[str]
    ) -> Sequence[Holdings]:
        """What must move, kinds in `kept` aside. Raises `handover_needed` without a target, `bad_target` for a wrong one."""
        moving: list[Holdings] = []
        held: list[tuple[str, UUID]] = []
        for holdings in self._holdings:
            found = [item for item in await holdings.list_open(work, account) if item[0] not in kept]
            if found:
                moving.append(holdings)
                held += found
        if moving and target is None:
            raise Refused("handover_needed", detail={"open": open_work(held)})
        if target is not None:
            await self._demand_target(work, caller, account, target)
        return moving

    async def carry_out(
        self, work: Work, caller: Caller, account: UUID, target: UUID | None, moving: Sequence[Holdings]
    ) -> None:
        """Move it. Comes after every other lock of the transaction, since it announces (W4)."""
        for holdings in moving:
            assert target is not None
            await holdings.hand_over(work, account, target, caller.account)

    async def _demand_target(self, work: Work, caller: Caller, account: UUID, target: UUID) -> None:
        row = await self._store.account(work.connection, target)
        if (
            row is None
            or target == account
            or row.exhibitor_id != caller.exhibitor
            or not may_receive(row.kind, row.state, caller.table)
        ):
            raise Refused("bad_target", field="handover_to")
