"""The link of a side's own that its notices carry in the block made for forwarding (M9)."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from fairwire_protocol.models import Side
from fairwire_server.database.ids import uuid7
from fairwire_server.database.work import Work
from fairwire_server.meetings.links import Invitation, Links
from fairwire_server.meetings.rooms_store import RoomStore

__all__ = ["OwnLinks"]


class OwnLinks:
    """Made on first need; once such a link is revoked, the next need makes another."""

    def __init__(self, store: RoomStore, links: Links) -> None:
        self._store = store
        self._links = links

    async def addresses(self, work: Work, sides: Iterable[tuple[UUID, Side]]) -> dict[tuple[UUID, Side], str]:
        """The link of each (booking, side), in the caller's transaction. Locks nothing that exists."""
        wanted = sorted(set(sides))
        found = await self._store.own_invitations(work.connection, wanted)
        missing = [side for side in wanted if side not in found]
        if missing:
            ids = [uuid7() for _ in missing]
            await self._store.insert_own_invitations(work.connection, missing, ids, work.now)
            found |= await self._store.own_invitations(work.connection, missing)
        return {
            (booking, side): self._links.address(Invitation(found[booking, side], booking, side))
            for booking, side in wanted
        }
