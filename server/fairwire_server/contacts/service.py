"""The recent list, stars, pins and the customer base (K1–K4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from msgspec.structs import replace

from fairwire_protocol.errors import Refused
from fairwire_protocol.events import AccountEvent, ContactChanged, ContactMarked
from fairwire_protocol.operations import Empty, Request, contacts
from fairwire_server.accounts.callers import capabilities_of
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller
from fairwire_server.clock import milliseconds
from fairwire_server.contacts.rules import Sight, check_pin, check_star, check_visible, in_order
from fairwire_server.contacts.store import ContactStore
from fairwire_server.context import Context
from fairwire_server.database.work import Work, Works
from fairwire_server.streams.service import Streams

__all__ = ["ContactLimits", "Contacts", "MoreWatchers"]


MoreWatchers = Callable[[Work, UUID, UUID], Awaitable[Collection[UUID]]]
"""Accounts of an exhibitor that see a buyer elsewhere than in their chats; its basic data is not for them (K2)."""


async def nobody_else(_: Work, __: UUID, ___: UUID) -> Collection[UUID]:
    """Until compose registers who else there is."""
    return ()


@dataclass(frozen=True, slots=True)
class ContactLimits:
    """K1's 300 and K4's 50, from the settings."""

    recent: int
    pins: int


class Contacts:
    """Handlers of `contacts.*` and `customers.*`, and who is told when a contact changes."""

    def __init__(
        self, works: Works, commands: Commands, store: ContactStore, streams: Streams, limits: ContactLimits
    ) -> None:
        self._works = works
        self._commands = commands
        self._store = store
        self._streams = streams
        self._limits = limits
        self.more_watchers: MoreWatchers = nobody_else

    async def recent(self, caller: Caller, _: Context, __: Request) -> contacts.ContactList:
        """K1: computed, never stored."""
        async with self._works.read() as work:
            entries = await self._store.recent(work.connection, caller.account, self._limits.recent)
        return contacts.ContactList(entries=in_order(entries))

    async def starred(self, caller: Caller, _: Context, __: Request) -> contacts.ContactList:
        """K3: reaches beyond the 300."""
        async with self._works.read() as work:
            entries = await self._store.starred(work.connection, caller.account)
        return contacts.ContactList(entries=in_order(entries))

    async def sight(self, work: Work, caller: Caller, conversation: UUID) -> Sight:
        """The caller's relation to a conversation; `not_found` when it may not see it."""
        return check_visible(caller, await self._store.view_of(work.connection, caller.account, conversation))

    async def star(self, caller: Caller, context: Context, request: contacts.Star) -> Empty:
        """K3"""

        async def apply(work: Work, caller: Caller) -> Empty:
            await self._store.lock_marks(work.connection, caller.account)
            sight = await self.sight(work, caller, request.conversation)
            check_star(sight, request.starred)
            if request.starred != (sight.starred_at is not None):
                starred_at = work.now if request.starred else None
                await self._store.set_mark(
                    work.connection, caller.account, sight.conversation, sight.pinned_at, starred_at
                )
                await self._tell_marks(work, caller, sight, entry_of=None)
            return Empty()

        return await self._commands.run(contacts.STAR, caller, context, request, apply)

    async def pin(self, caller: Caller, context: Context, request: contacts.Pin) -> Empty:
        """K4. The event brings along the contact that enters the list's view by it (W5)."""

        async def apply(work: Work, caller: Caller) -> Empty:
            await self._store.lock_marks(work.connection, caller.account)
            sight = await self.sight(work, caller, request.conversation)
            if request.pinned == (sight.pinned_at is not None):
                return Empty()
            if request.pinned:
                check_pin(await self._store.count_pins(work.connection, caller.account), self._limits.pins)
            pinned_at = work.now if request.pinned else None
            await self._store.set_mark(work.connection, caller.account, sight.conversation, pinned_at, sight.starred_at)
            entering: UUID | None = sight.conversation
            if not request.pinned:
                entering = await self._store.last_in_view(work.connection, caller.account, self._limits.recent)
            await self._tell_marks(work, caller, sight, entry_of=entering if sight.last_pos else None)
            return Empty()

        return await self._commands.run(contacts.PIN, caller, context, request, apply)

    async def _tell_marks(self, work: Work, caller: Caller, sight: Sight, entry_of: UUID | None) -> None:
        now = await self._store.view_of(work.connection, caller.account, sight.conversation)
        assert now is not None
        entries = {} if entry_of is None else await self._store.entries(work.connection, caller.account, [entry_of])
        event = ContactMarked(
            conversation=sight.conversation,
            pinned_at=None if now.pinned_at is None else milliseconds(now.pinned_at),
            starred=now.starred_at is not None,
            entries=tuple(entries.values()),
        )
        await self._streams.announce(work, [(caller.account, event)])

    async def add_customer(
        self, caller: Caller, context: Context, request: contacts.BuyerRef
    ) -> contacts.CustomerReply:
        """K2: from here on the exhibitor's accounts see the buyer's basic data."""

        async def apply(work: Work, caller: Caller) -> contacts.CustomerReply:
            exhibitor = _exhibitor(caller)
            await self._visible_card(work, caller, request.buyer)
            added = await self._store.add_customer(work.connection, exhibitor, request.buyer, caller.account, work.now)
            reply = await self._visible_card(work, caller, request.buyer)
            if added:
                watchers = await self._store.buyer_watchers(work.connection, exhibitor, request.buyer, caller.table)
                event = ContactChanged(contact=reply.contact)
                await self._streams.announce(work, [(account, event) for account in watchers])
            return reply

        return await self._commands.run(contacts.ADD_CUSTOMER, caller, context, request, apply)

    async def show_customer(self, caller: Caller, _: Context, request: contacts.BuyerRef) -> contacts.CustomerReply:
        """K2: the card, with the basic data once the buyer is in the base."""
        async with self._works.read() as work:
            return await self._visible_card(work, caller, request.buyer)

    async def _visible_card(self, work: Work, caller: Caller, buyer: UUID) -> contacts.CustomerReply:
        """A buyer who has never opened a conversation with this exhibitor does not exist for it (C19)."""
        found = await self._store.buyer_card(work.connection, _exhibitor(caller), buyer, caller.fair, caller.account)
        if found is None:
            raise Refused("not_found")
        card, row = found
        if not (row["own"] if caller.scope("customer_base") == "own" else row["known"] or row["in_base"]):
            raise Refused("not_found")
        return contacts.CustomerReply(contact=card)

    async def buyer_events(self, work: Work, buyer: UUID) -> list[tuple[UUID, AccountEvent]]:
        """A buyer's own data changed: what to tell every account in whose lists it stands, as each exhibitor may see it (K2)."""
        fair, differences = await self._store.fair_of(work.connection, buyer)
        table = capabilities_of(differences)
        pairs = await self._store.contacts_of_buyer(work.connection, buyer)
        events: list[tuple[UUID, AccountEvent]] = []
        for exhibitor in sorted({exhibitor for exhibitor, _ in pairs}):
            found = await self._store.buyer_card(work.connection, exhibitor, buyer, fair, buyer)
            if found is not None:
                watchers = await self._store.buyer_watchers(work.connection, exhibitor, buyer, table)
                event = ContactChanged(contact=found[0])
                events.extend((account, event) for account in watchers)
                others = set(await self.more_watchers(work, exhibitor, buyer)) - set(watchers)
                bare = ContactChanged(contact=replace(found[0], in_base=False, details=None))
                events.extend((account, bare) for account in sorted(others))
        return events

    async def colleague_audience(self, work: Work, account: UUID) -> list[UUID]:
        """Who shows this exhibitor account's name: its team, and the buyers whose chats it holds or held."""
        return await self._store.watchers_of_colleague(work.connection, account)

    async def watchable(self, caller: Caller, subjects: Collection[tuple[str, UUID]]) -> set[tuple[str, UUID]]:
        """Whose presence the caller may see (W10). An organiser watches nobody."""
        if not subjects or caller.side == "organiser":
            return set()
        async with self._works.read() as work:
            return await self._store.watchable(work.connection, caller, sorted(subjects))


def _exhibitor(caller: Caller) -> UUID:
    if caller.exhibitor is None:
        raise Refused("forbidden")
    return caller.exhibitor
