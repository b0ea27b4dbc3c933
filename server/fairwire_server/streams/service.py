"""Appending to streams: positions come from the transaction that writes, publishing follows its commit (W4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from fairwire_protocol.codec import MSGPACK
from fairwire_protocol.errors import Refused
from fairwire_protocol.events import AccountEvent, FairEvent
from fairwire_protocol.models import Side
from fairwire_server.database.work import Work
from fairwire_server.streams.store import EventColumns, StreamStore
from fairwire_server.streams.told import Appended, Draft, FairAppended, Told

__all__ = ["Publisher", "Streams"]

Publisher = Callable[[Sequence[Appended | FairAppended]], None]


class Streams:
    """The one door by which events leave a transaction.

    `publish` wakes the hubs after commit. It may lose what it is given: a socket recovers from the log.
    """

    def __init__(self, store: StreamStore, publish: Publisher) -> None:
        self._store = store
        self._publish = publish

    async def create(self, work: Work, accounts: Sequence[UUID]) -> None:
        """Streams for new accounts, in their transaction."""
        await self._store.create(work.connection, accounts)

    async def reset(self, work: Work, accounts: Sequence[UUID]) -> None:
        """Make these accounts' clients take a snapshot; their sockets are told by whoever closes them (W6)."""
        await self._store.reset(work.connection, accounts)

    async def reserve(self, work: Work, counts: Mapping[UUID, int]) -> dict[UUID, int]:
        """Lock streams by ascending id and take positions. Locks nothing else afterwards but these: streams come last (W4)."""
        before = await self._store.reserve(work.connection, counts)
        if len(before) != len(counts):
            raise Refused("not_found", "An account has no stream.")
        return before

    async def write(self, work: Work, events: Sequence[tuple[int, Draft]]) -> None:
        """Write drafts at reserved positions, and publish them once committed."""
        await self._store.append(work.connection, self.columns(work, events), work.now)

    def columns(self, work: Work, events: Sequence[tuple[int, Draft]]) -> EventColumns:
        """As `write`, for a statement of the caller's, which must pass them on to `append_events`."""
        appended = [Appended(draft.account, pos, draft.view, draft.told) for pos, draft in events]
        work.on_commit(lambda: self._publish(appended), lambda: {one.account for one in appended})
        return EventColumns.of(events)

    async def append(self, work: Work, drafts: Sequence[Draft]) -> None:
        """Reserve and write in one step, drafts of one account in the order given."""
        if not drafts:
            return
        next_pos = await self.reserve(work, Counter(draft.account for draft in drafts))
        events = []
        for draft in drafts:
            next_pos[draft.account] += 1
            events.append((next_pos[draft.account], draft))
        await self.write(work, events)

    async def announce(self, work: Work, events: Sequence[tuple[UUID, AccountEvent]], view: Side = "team") -> None:
        """Append events that look alike to everybody who gets them."""
        told: dict[int, Told] = {}
        await self.append(
            work, [Draft(account, view, told.setdefault(id(event), Told(event))) for account, event in events]
        )

    async def announce_fair(self, work: Work, fair: UUID, event: FairEvent) -> int:
        """Append to the fair stream; answers the position."""
        told = Told(event)
        pos = await self._store.append_fair(work.connection, fair, told.encoded("team", MSGPACK), work.now)
        work.on_commit(lambda: self._publish([FairAppended(fair, pos, told)]), lambda: (fair,))
        return pos
