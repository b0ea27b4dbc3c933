"""A changed account: what is stored with the change, and who is told (A3, W5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import msgspec

from fairwire_protocol.events import AccountChanged, AccountEvent, PersonRenamed
from fairwire_protocol.models import Person
from fairwire_server.accounts.ports import Announce, BuyerEvents, ColleagueAudience, HoldChats
from fairwire_server.accounts.store import AccountRow, AccountStore
from fairwire_server.accounts.views import missing_of, own_account, profile_of
from fairwire_server.database.work import Work

__all__ = ["Changes"]


class Changes:
    """Everything here joins a transaction; `tell` comes last in it, since it locks streams (W4)."""

    def __init__(
        self,
        *,
        store: AccountStore,
        announce: Announce,
        buyer_events: BuyerEvents,
        colleague_audience: ColleagueAudience,
        hold_chats: HoldChats,
    ) -> None:
        self._store = store
        self._announce = announce
        self._buyer_events = buyer_events
        self._colleague_audience = colleague_audience
        self._hold_chats = hold_chats

    async def set_profile(
        self,
        work: Work,
        before: AccountRow,
        *,
        role: str,
        country: str | None,
        interests: Sequence[str],
        profile: Mapping[str, str],
    ) -> None:
        """A buyer's own data, with its completeness computed anew from all of it."""
        after = replace(before, country=country, interests=interests, profile=msgspec.json.encode(profile))
        await self._store.set_profile(
            work.connection, before.id, role, country, interests, profile, complete=not missing_of(after)
        )

    async def recompute(self, work: Work, account: UUID) -> None:
        """Completeness after something else of a buyer has changed, such as a verified address."""
        row = await self._store.account(work.connection, account)
        assert row is not None
        if row.kind == "buyer" and row.role is not None and row.complete is not (not missing_of(row)):
            await self.set_profile(
                work, row, role=row.role, country=row.country, interests=row.interests or (), profile=profile_of(row)
            )

    async def tell(self, work: Work, before: AccountRow) -> AccountRow:
        """The account as it is now, told to its own devices and to whoever shows it; nothing, when nothing changed."""
        after = await self._store.account(work.connection, before.id)
        assert after is not None
        if after == before:
            return after
        if after.name != before.name:
            await self._hold_chats(work, after.id)
        events: list[tuple[UUID, AccountEvent]] = [(after.id, AccountChanged(account=own_account(after)))]
        if after.kind == "buyer" and _shown(after) != _shown(before):
            events += await self._buyer_events(work, after.id)
        elif after.name != before.name and after.exhibitor_id is not None:
            renamed = PersonRenamed(person=Person(id=after.id, name=after.name))
            audience = await self._colleague_audience(work, after.id)
            events += [(account, renamed) for account in audience if account != after.id]
        await self._announce(work, events)
        return after


def _shown(row: AccountRow) -> tuple[object, ...]:
    """What of a buyer stands on its card, for whoever may see how much of it (K2)."""
    return (row.name, row.country, row.interests, row.role, row.profile, row.company, row.email, row.mobile)
