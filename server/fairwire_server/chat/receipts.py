"""Receipts: received and read, monotonic and coalesced (W9).

*Received* comes from clients' acknowledgements, *read* from `chat.read`. Both are gathered here per (account, conversation) and
written in one transaction for many, at most once a second for each, so that a busy chat costs a marker a second and not one a
message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from fairwire_protocol.errors import FairwireError, Unavailable
from fairwire_protocol.events import MarkerMoved
from fairwire_protocol.models import Marker
from fairwire_protocol.operations import Empty
from fairwire_protocol.operations.chat import MarkRead
from fairwire_server.accounts.rules import Caller
from fairwire_server.chat.store import ChatStore
from fairwire_server.contacts.rules import check_visible
from fairwire_server.contacts.store import ContactStore
from fairwire_server.context import Context
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Works
from fairwire_server.streams.service import Streams
from fairwire_server.streams.told import Draft, Told

__all__ = ["Receipts"]

Key = tuple[UUID, UUID]
TICK_S: Final = 0.05
SPACING_S: Final = 1.0
BATCH: Final = 128  # as many as a batch of messages: their chats are locked meanwhile
PENDING_MAX: Final = 100_000


class Receipts:
    """`received` and `read` gather; `run` writes."""

    def __init__(self, works: Works, store: ChatStore, contacts: ContactStore, streams: Streams) -> None:
        self._works = works
        self._store = store
        self._contacts = contacts
        self._streams = streams
        # (conversation, account) → (read, received), rising; who waits for it; when it was last written.
        self._pending: dict[Key, tuple[int, int]] = {}
        self._waiting: dict[Key, list[asyncio.Future[None]]] = {}
        self._written: dict[Key, float] = {}
        self._wake = asyncio.Event()

    def received(self, account: UUID, seqs: Mapping[UUID, int]) -> None:
        """An acknowledgement covers messages up to these seqs, by conversation. Lost with the process: clients ack again."""
        for conversation, seq in seqs.items():
            self._raise((conversation, account), 0, seq)

    async def read(self, caller: Caller, _: Context, request: MarkRead) -> Empty:
        """W9: everything up to `seq` was read. Answers once that is committed, at most about a second later."""
        async with self._works.read() as work:
            view = await self._contacts.view_of(work.connection, caller.account, request.conversation)
            sight = check_visible(caller, view)
        if not sight.participates:
            return Empty()
        if len(self._pending) >= PENDING_MAX:
            raise Unavailable
        key = (sight.conversation, caller.account)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(done)
        self._raise(key, min(request.seq, sight.last_seq), 0)
        await done
        return Empty()

    def _raise(self, key: Key, read: int, received: int) -> None:
        before = self._pending.get(key, (0, 0))
        if len(self._pending) < PENDING_MAX or key in self._pending:
            self._pending[key] = (max(before[0], read), max(before[1], received, read))
            self._wake.set()

    async def run(self) -> None:
        """Write what was gathered, until cancelled."""
        while True:
            await self._wake.wait()
            await self._works.clock.sleep(TICK_S)
            await self.flush()
            if not self._pending:
                self._wake.clear()

    async def flush(self) -> None:
        """Write what is due: what was not written within the last second. Who waits for a failed one is told; clients retry."""
        now = self._works.clock.monotonic()
        self._written = {key: at for key, at in self._written.items() if at > now - SPACING_S}
        keys = [key for key in self._pending if key not in self._written][:BATCH]  # who has waited longest first
        if not keys:
            return
        batch = {key: self._pending.pop(key) for key in keys}
        waiting = [done for key in keys for done in self._waiting.pop(key, ())]
        try:
            await self.write(batch)
        except FairwireError as error:
            for done in waiting:
                if not done.done():
                    done.set_exception(error)
            for key, (_, received) in batch.items():
                self._raise(key, 0, received)
            return
        self._written.update(dict.fromkeys(keys, now))
        for done in waiting:
            if not done.done():
                done.set_result(None)

    async def write(self, batch: Mapping[Key, tuple[int, int]]) -> None:
        """Move the markers that rise, and tell whoever sees them."""
        markers = (
            [conversation for conversation, _ in batch],
            [account for _, account in batch],
            [read for read, _ in batch.values()],
            [received for _, received in batch.values()],
        )
        async with self._works.begin() as work:
            if not await self._store.fetch(work.connection, "lock_risen", *markers):
                return
            rows = await self._store.fetch(work.connection, "move_markers", *markers)
            await self._streams.append(work, [draft for row in rows for draft in marker_drafts(row)])


def marker_drafts(row: Row) -> Sequence[Draft]:
    """Who sees a marker move: its account's own devices, the holder, and the buyer — as the team's maximum, if that rose (W9)."""
    account, buyer, holder, conversation = row["account_id"], row["buyer_id"], row["holder_id"], row["conversation_id"]
    received, read = row["received_seq"], row["read_seq"]
    if account == buyer:
        marker = Marker(account=account, side="buyer", received=received, read=read)
        told = Told(MarkerMoved(conversation=conversation, marker=marker))
        return [Draft(buyer, "buyer", told, conversation), Draft(holder, "team", told, conversation)]
    own = Told(
        MarkerMoved(
            conversation=conversation, marker=Marker(account=account, side="team", received=received, read=read)
        )
    )
    drafts = [Draft(one, "team", own, conversation) for one in {account, holder}]
    others_read, others_received = row["others_read"] or 0, row["others_received"] or 0
    if read > others_read or received > others_received:
        team = Marker(account=None, side="team", received=max(received, others_received), read=max(read, others_read))
        drafts.append(Draft(buyer, "buyer", Told(MarkerMoved(conversation=conversation, marker=team)), conversation))
    return drafts
