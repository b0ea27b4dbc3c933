"""What an account holds of chats and meetings, handed over before it goes (A6).

Both in one step, because both say so in conversations: these are locked once, and streams are locked after them, once (W4).
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_server.accounts.callers import capabilities_of
from fairwire_server.accounts.rules import Table
from fairwire_server.accounts.team_rules import open_work
from fairwire_server.chat.posting import Posting
from fairwire_server.chat.store import ChatStore
from fairwire_server.chat.transfers import Transfers
from fairwire_server.database.work import Work
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.records import BookingFact, Change
from fairwire_server.meetings.rules import Candidate, assigned, receives_meetings
from fairwire_server.meetings.telling import Known, Telling

__all__ = ["ChatsAndMeetings"]


class ChatsAndMeetings:
    """The `Holdings` of chats and of meetings that are not over."""

    def __init__(
        self,
        transfers: Transfers,
        chats: ChatStore,
        store: BookingStore,
        telling: Telling,
        posting: Callable[[], Posting],
    ) -> None:
        self._transfers = transfers
        self._chats = chats
        self._store = store
        self._telling = telling
        self._posting = posting

    async def list_open(self, work: Work, account: UUID) -> list[tuple[str, UUID]]:
        """Open chats it holds, and meetings it receives."""
        meetings = await self._store.fetch(work.connection, "future_of_receiver", account, work.now)
        return [*await self._transfers.list_open(work, account), *(("booking", row["id"]) for row in meetings)]

    async def hand_over(self, work: Work, source: UUID, target: UUID, by: UUID) -> None:
        """Everything goes to the target; refused with the list of meetings for which it is not free (M4)."""
        actor = await self._chats.row(work.connection, "actor", by)
        assert actor is not None
        table = capabilities_of(bytes(actor["capabilities"]))
        changes = await self._meetings(work, source, target, by, actor["name"], table)
        chats = await self._transfers.held_by(work, source)
        wanted = {*chats, *(change.after.conversation for change in changes)}
        locked = await self._chats.lock(work.connection, wanted)
        posting = self._posting()
        moving = {chat: locked[chat] for chat in chats}
        await self._transfers.hand_over_in(work, posting, moving, source, target, by)
        if changes:
            await self._telling.gather(work, posting, Known(locked), changes)
        await posting.write(work)

    async def _meetings(
        self, work: Work, source: UUID, target: UUID, by: UUID, by_name: str, table: Table
    ) -> list[Change]:
        rows = await self._store.fetch(work.connection, "future_of_receiver", source, work.now)
        if not rows:
            return []
        receiver = (await self._store.lock_receivers(work.connection, [target])).get(target)
        if receiver is None or not receives_meetings(receiver.kind, receiver.state, table):
            raise Refused("bad_target", "That account may not receive meetings.", field="handover_to")
        held = await self._store.lock(work.connection, [row["id"] for row in rows])
        mine = [one for one in held.values() if one.state == "assigned" and one.receiver == source]
        await self._check_free(work, mine, receiver)
        changes = []
        for before in mine:
            kind, after = assigned(before, receiver.id, receiver.name, before.room_number or "")
            changes.append(Change(kind=kind, before=before, after=after, by=by, by_name=by_name, side="team"))
        await self._store.save(work.connection, [change.after for change in changes], work.now)
        for change in changes:
            row = (change.after.id, change.after.assignment, receiver.id, by, work.now)
            await self._store.run(work.connection, "add_receiver", *row)
        return changes

    async def _check_free(self, work: Work, meetings: list[BookingFact], receiver: Candidate) -> None:
        collisions = []
        for meeting in meetings:
            args = ([receiver.id], meeting.id, meeting.starts_at, meeting.ends_at)
            if await self._store.fetch(work.connection, "busy", *args):
                collisions.append(("booking", meeting.id))
        if collisions:
            message = "That account has other meetings at the time of these."
            raise Refused("receiver_busy", message, field="handover_to", detail={"open": open_work(collisions)})
