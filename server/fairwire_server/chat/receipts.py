"""Receipts: received and read, monotonic and coalesced (W9).

*Received* comes from clients' acknowledgements, *read* from `chat.read`. Both are gathered here per (account, conversation) and
written in one transaction for many, at most once a second for each, so that a busy chat costs a marker a second and not one a
message. Messages come first: a chat in which one is just being written is passed over until the next time, mostly, and while markers
are written, messages of these chats alone wait for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, NamedTuple
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
from fairwire_server.database.ids import as_id
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Works
from fairwire_server.streams.service import Streams
from fairwire_server.streams.told import Draft, Told

__all__ = ["Receipts"]

Key = tuple[UUID, UUID]
TICK_S: Final = 0.1
SPACING_S: Final = 1.0
BATCH: Final = 32
"""Markers at once: few, so that their chats are not locked for long. A quarter of what is due if that is more, up to `BATCH_MAX`."""
BATCH_MAX: Final = 256
SHARE: Final = 4
"""While there is always something to write, it is written for one part in so many of the time: the rest is the messages'."""
PATIENT: Final = 20  # every so many-th time a busy chat is waited for and not passed over
PENDING_MAX: Final = 100_000

Holding = Callable[[Collection[UUID]], AbstractContextManager[None]]
"""Keeps messages of these conversations from being begun while the body runs."""


class _Asked(NamedTuple):
    """A `chat.read` that waits for its answer."""

    caller: Caller
    conversation: UUID
    seq: int
    done: asyncio.Future[Empty]


class Receipts:
    """`received` and `read` gather; `run` writes."""

    def __init__(
        self, works: Works, store: ChatStore, contacts: ContactStore, streams: Streams, holding: Holding
    ) -> None:
        self._works = works
        self._holding = holding
        self._store = store
        self._contacts = contacts
        self._streams = streams
        # (conversation, account) → (read, received), rising; who waits for it; when it was last written.
        self._pending: dict[Key, tuple[int, int]] = {}
        self._waiting: dict[Key, list[asyncio.Future[Empty]]] = {}
        self._written: dict[Key, float] = {}
        self._asked: list[_Asked] = []
        self._turn = 0
        self._wake = asyncio.Event()

    def received(self, account: UUID, seqs: Mapping[UUID, int]) -> None:
        """An acknowledgement covers messages up to these seqs, by conversation. Lost with the process: clients ack again."""
        for conversation, seq in seqs.items():
            self._raise((conversation, account), 0, seq)

    async def read(self, caller: Caller, context: Context, request: MarkRead) -> Empty:
        """W9: everything up to `seq` was read. Answers once that is committed, at most about a second later."""
        return await self.ask(caller, context, request)

    def ask(self, caller: Caller, _: Context, request: MarkRead) -> asyncio.Future[Empty]:
        """As `read`, for who waits otherwise."""
        if len(self._pending) + len(self._asked) >= PENDING_MAX:
            raise Unavailable
        done: asyncio.Future[Empty] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(caller, as_id(request.conversation), request.seq, done))
        self._wake.set()
        return done

    async def _admit(self) -> None:
        """Whether those who ask may see what they have read, in one query for all of them."""
        asked, self._asked = self._asked, []
        if not asked:
            return
        try:
            async with self._works.read() as work:
                pairs = {(one.caller.account, one.conversation) for one in asked}
                views = await self._contacts.views_of(work.connection, pairs)
        except FairwireError as error:
            _settle((one.done for one in asked), error)
            return
        for one in asked:
            try:
                sight = check_visible(one.caller, views.get((one.caller.account, one.conversation)))
            except FairwireError as error:
                _settle([one.done], error)
                continue
            if not sight.participates:
                _settle([one.done])
                continue
            key = (one.conversation, one.caller.account)
            self._waiting.setdefault(key, []).append(one.done)
            self._raise(key, min(one.seq, sight.last_seq), 0)

    def _raise(self, key: Key, read: int, received: int) -> None:
        before = self._pending.get(key, (0, 0))
        if len(self._pending) < PENDING_MAX or key in self._pending:
            self._pending[key] = (max(before[0], read), max(before[1], received, read))
            self._wake.set()

    async def run(self) -> None:
        """Write what was gathered, until cancelled."""
        took = 0.0
        while True:
            await self._wake.wait()
            await self._works.clock.sleep(max(TICK_S, took * (SHARE - 1)))
            began = self._works.clock.monotonic()
            await self.flush()
            took = self._works.clock.monotonic() - began
            if not self._pending and not self._asked:
                self._wake.clear()

    async def flush(self) -> None:
        """Write what is due: what was not written within the last second. Who waits for a failed one is told; clients retry."""
        await self._admit()
        now = self._works.clock.monotonic()
        self._written = {key: at for key, at in self._written.items() if at > now - SPACING_S}
        due = [key for key in self._pending if key not in self._written]  # who has waited longest first
        keys = due[: min(max(BATCH, len(due) // 4), BATCH_MAX)]
        if not keys:
            return
        batch = {key: self._pending.pop(key) for key in keys}
        waiting = {key: self._waiting.pop(key, []) for key in keys}
        self._turn += 1
        try:
            busy = await self.write(batch, wait=self._turn % PATIENT == 0)
        except FairwireError as error:
            for key, (_, received) in batch.items():
                _settle(waiting[key], error)
                self._raise(key, 0, received)
            return
        for key in keys:
            if key[0] in busy:
                self._waiting.setdefault(key, []).extend(waiting[key])
                self._raise(key, *batch[key])
            else:
                self._written[key] = now
                _settle(waiting[key])

    async def write(self, batch: Mapping[Key, tuple[int, int]], *, wait: bool = True) -> set[UUID]:
        """Move the markers that rise, and tell whoever sees them. Answers the chats that were busy and passed over."""
        with self._holding({conversation for conversation, _ in batch}):
            return await self._write(batch, wait=wait)

    async def _write(self, batch: Mapping[Key, tuple[int, int]], *, wait: bool) -> set[UUID]:
        async with self._works.begin() as work:
            lock = "lock_risen" if wait else "lock_risen_free"
            risen = await self._store.fetch(work.connection, lock, *_columns(batch))
            busy = {row["id"] for row in risen if not row["locked"]}
            if len(busy) == len(risen):
                return busy
            locked = {row["id"] for row in risen} - busy
            free = {key: marker for key, marker in batch.items() if key[0] in locked}
            rows = await self._store.fetch(work.connection, "move_markers", *_columns(free))
            await self._streams.append(work, [draft for row in rows for draft in marker_drafts(row)])
        return busy


def _columns(batch: Mapping[Key, tuple[int, int]]) -> tuple[list[UUID], list[UUID], list[int], list[int]]:
    """A batch as the queries take it."""
    return (
        [conversation for conversation, _ in batch],
        [account for _, account in batch],
        [read for read, _ in batch.values()],
        [received for _, received in batch.values()],
    )


def _settle(waiting: Iterable[asyncio.Future[Empty]], error: FairwireError | None = None) -> None:
    """Answer whoever still waits."""
    for done in waiting:
        if done.done():
            continue
        if error is None:
            done.set_result(Empty())
        else:
            done.set_exception(error)
            done.exception()  # retrieved: the asker may have gone away


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
