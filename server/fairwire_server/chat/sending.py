"""Sending: a use case over a list, so that a busy hour costs a commit per batch and not per message (W7, W8).

What arrives while a batch is decided is the next one (`flights.py`).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final
from uuid import UUID

from fairwire_protocol.errors import FairwireError, Refused
from fairwire_protocol.operations.chat import SendMessage, Sent
from fairwire_server.accounts.rules import Caller, Table, reading_kinds
from fairwire_server.chat.flights import Batches, Flight, Pace, fail, succeed
from fairwire_server.chat.keywords import KeywordList
from fairwire_server.chat.posting import Posting, listeners_of, message_row
from fairwire_server.chat.records import Accepted, ImageFact, Locked, Post, SenderFact, SendFacts
from fairwire_server.chat.routing import Routing
from fairwire_server.chat.rules import check_may_write, normal_text
from fairwire_server.chat.store import ChatStore
from fairwire_server.clock import milliseconds
from fairwire_server.context import Context
from fairwire_server.database.errors import ConstraintViolated
from fairwire_server.database.ids import as_id
from fairwire_server.database.work import Work, Works

__all__ = ["Sender"]

PACE: Final = Pace(few=64, apart_s=0.02)
HOMES: Final = 200_000


@dataclass(slots=True, eq=False)
class _Item:
    """A message on its way."""

    caller: Caller
    context: Context
    conversation: UUID
    cid: UUID
    text: str | None
    image: UUID | None
    flagged: bool
    fingerprint: bytes
    home: UUID
    """Its exhibitor, or, as long as that is not known, its conversation."""
    outcome: asyncio.Future[Sent]
    key: tuple[UUID, UUID] = field(init=False)

    def __post_init__(self) -> None:
        self.key = (self.caller.account, self.cid)


class Sender:
    """Accepts messages; `run` must be running, once per process."""

    def __init__(
        self,
        works: Works,
        store: ChatStore,
        posting: Callable[[], Posting],
        routing: Routing,
        keywords: Callable[[UUID], KeywordList],
        *,
        text_max: int,
        accepted: Callable[[Sequence[Accepted]], None],
        observe: Callable[[int, float], None],
    ) -> None:
        self._works = works
        self._store = store
        self._posting = posting
        self._routing = routing
        self._keywords = keywords
        self._text_max = text_max
        self._accepted = accepted
        self._observe = observe
        self._batches = Batches(self._commit, _rows_of, _meant, PACE)
        # Which exhibitor a conversation belongs to never changes; a buyer's call does not say it.
        self._homes: dict[UUID, UUID] = {}
        # Seconds from a buyer's message to its answer, the latest of each exhibitor until the next write (C5).
        self._answers: dict[UUID, int] = {}

    async def send(self, caller: Caller, context: Context, request: SendMessage) -> Sent:
        """Store a message, or raise why not. Cancelling the caller does not take the message back."""
        return await self.ask(caller, context, request)

    def ask(self, caller: Caller, context: Context, request: SendMessage) -> asyncio.Future[Sent]:
        """As `send`, for who waits otherwise."""
        return self._batches.ask(self._item(caller, context, request))

    def _item(self, caller: Caller, context: Context, request: SendMessage) -> _Item:
        if context.cid is None:
            raise Refused("cid_required")
        text, flagged = None, False
        if request.kind == "text":
            text = normal_text(request.text or "", self._text_max)
            verdict = self._keywords(caller.fair).check(text)
            if verdict.action == "refuse":
                raise Refused("refused_keyword", field="text")
            flagged = verdict.action == "flag"
        elif request.kind != "image":
            raise Refused("unsupported_kind", field="kind")
        elif request.image is None:
            raise Refused("invalid", "An image message names an uploaded image.", field="image")
        image = request.image if request.kind == "image" else None
        conversation = as_id(request.conversation)
        content = f"{conversation}\0{request.kind}\0{image}\0{text}"
        return _Item(
            caller,
            context,
            conversation,
            as_id(context.cid),
            text,
            image,
            flagged,
            sha256(content.encode()).digest()[:16],
            caller.exhibitor or self._homes.get(conversation, conversation),
            asyncio.get_running_loop().create_future(),
        )

    async def run(self) -> None:
        """Send batches off until cancelled."""
        await self._batches.run()

    def holding(self, conversations: Collection[UUID]) -> AbstractContextManager[None]:
        """While it lasts somebody else of this process may have locked these conversations: no message of theirs is begun."""
        return self._batches.holding({*conversations, *(self._homes.get(one, one) for one in conversations)})

    async def write_answer_times(self) -> None:
        """C5: let the exhibitors' usual time to answer follow what was measured since the last time."""
        answers, self._answers = self._answers, {}
        if answers:
            async with self._works.begin() as work:
                await self._store.run(work.connection, "answer_times", list(answers), list(answers.values()))

    async def _commit(self, batch: Sequence[_Item], flight: Flight[_Item]) -> None:
        started = self._works.clock.monotonic()
        async with self._works.begin() as work:
            locked, facts = await self._store.lock_with_facts(
                work.connection,
                [item.conversation for item in batch],
                {item.caller.session for item in batch},
                [item.key for item in batch],
                [item.image for item in batch if item.image is not None],
                work.now,
            )
            decided = _Decisions(self, work, locked, facts)
            for item in batch:
                await decided.take(item)
            # Before the events: then an answer and the event of the same message leave its socket in one write.
            work.on_commit(decided.settle)
            await decided.posting.write(work)
            self._batches.decided(flight)
        self._observe(len(batch), self._works.clock.monotonic() - started)
        self._accepted(decided.accepted)
        self._answers.update(decided.answers)
        if len(self._homes) > HOMES:
            self._homes.clear()
        self._homes.update((one.conversation.id, one.conversation.exhibitor) for one in locked.values())


class _Decisions:
    """One batch being decided: survivors are numbered in the order they came, the others refused."""

    def __init__(self, sender: Sender, work: Work, locked: dict[UUID, Locked], facts: SendFacts) -> None:
        self.posting = sender._posting()
        self.accepted: list[Accepted] = []
        self.answers: dict[UUID, int] = {}
        self._routing = sender._routing
        self._work = work
        self._locked = locked
        self._facts = facts
        self._now_ms = milliseconds(work.now)
        self._results: list[tuple[_Item, Sent | FairwireError]] = []
        self._own: dict[tuple[UUID, UUID], _Item] = {}
        self._twins: dict[tuple[UUID, UUID], list[_Item]] = defaultdict(list)
        self._reading: dict[UUID, list[UUID]] = {}
        self._table: Table | None = None
        self._kinds: Collection[str] = ()

    async def take(self, item: _Item) -> None:
        """Decide one message."""
        try:
            await self._take(item)
        except FairwireError as error:
            self._results.append((item, error.with_traceback(None)))  # its frames know these results: a ring

    async def _take(self, item: _Item) -> None:
        if (first := self._own.get(item.key)) is not None:
            if first.fingerprint != item.fingerprint:
                raise Refused("cid_reused")
            self._twins[item.key].append(item)
            return
        sender = self._sender(item)
        if self._is_repeated(item):
            return
        locked = self._locked.get(item.conversation)
        if locked is None:
            raise Refused("not_found")
        caller = _as_now(item.caller, sender)
        check_may_write(caller, locked.conversation)
        image = self._image(item)
        await self._write(item, caller, locked, image)

    def _sender(self, item: _Item) -> SenderFact:
        """A6: the sender as it is now."""
        fact = self._facts.senders.get(item.caller.session)
        if fact is None or fact.revoked:
            raise Refused("unauthenticated")
        if fact.state != "active":
            raise Refused("suspended")
        return fact

    def _is_repeated(self, item: _Item) -> bool:
        """W7: the same cid and content answers as the first time; other content is an error."""
        earlier = self._facts.earlier.get(item.key)
        if earlier is None:
            return False
        if earlier.fingerprint != item.fingerprint.hex():
            raise Refused("cid_reused")
        item.context.duplicate()
        sent = Sent(conversation=earlier.conversation, seq=earlier.seq, ts=milliseconds(earlier.at))
        self._results.append((item, sent))
        return True

    def _image(self, item: _Item) -> ImageFact | None:
        if item.image is None:
            return None
        fact = self._facts.images.get(item.image)
        if fact is None or fact.owner != item.caller.account:
            raise Refused("not_found", "No such uploaded image.", field="image")
        return fact

    async def _write(self, item: _Item, caller: Caller, locked: Locked, image: ImageFact | None) -> None:
        conversation = locked.conversation
        side = caller.side
        assert side != "organiser"
        if side == "buyer":
            if not conversation.open:
                await self._routing.reopen(
                    self._work, self.posting, locked, caller, self._facts.team[conversation.exhibitor]
                )
            conversation.buyer_wrote(self._work.now)
        else:
            if conversation.unanswered_since is not None:
                waited = self._work.now - conversation.unanswered_since
                self.answers[conversation.exhibitor] = max(0, int(waited.total_seconds()))
            conversation.team_wrote()
        post = Post(
            conversation=conversation.id,
            seq=conversation.next_seq(),
            kind="text" if image is None else "image",
            side=side,
            sender=caller.account,
            cid=item.cid,
            text=item.text,
            image=item.image,
            flagged=item.flagged,
            fingerprint=item.fingerprint,
        )
        row = message_row(post, caller.name, self._work.now, image)
        self.posting.say(
            locked,
            post,
            row,
            listeners_of(locked, self._readers(caller, conversation.exhibitor)),
            reader=caller.account,
        )
        self._own[item.key] = item
        self._results.append((item, Sent(conversation=conversation.id, seq=post.seq, ts=self._now_ms)))
        if item.text is not None:
            self.accepted.append(Accepted(conversation.id, post.seq, conversation.exhibitor, self._work.now, item.text))

    def _readers(self, caller: Caller, exhibitor: UUID) -> list[UUID]:
        """The exhibitor's accounts that read everything; worked out once a batch."""
        readers = self._reading.get(exhibitor)
        if readers is None:
            if caller.table is not self._table:  # nearly always one fair's
                self._table, self._kinds = caller.table, reading_kinds(caller.table)
            kinds = self._kinds
            team = self._facts.team[exhibitor].values()
            readers = [account.id for account in team if account.kind in kinds and account.state == "active"]
            self._reading[exhibitor] = readers
        return readers

    def settle(self) -> None:
        """After commit: everybody gets an answer."""
        for item, result in self._results:
            if isinstance(result, Sent):
                succeed(item, result)
                for twin in self._twins.get(item.key, ()):
                    twin.context.duplicate()
                    succeed(twin, result)
            else:
                fail(item, result)


def _as_now(caller: Caller, fact: SenderFact) -> Caller:
    """The caller with what its account's row says now (A6)."""
    same = (caller.kind, caller.name, caller.complete, caller.silenced)
    if same == (fact.kind, fact.name, fact.complete, fact.silenced):
        return caller
    return caller.as_now(fact.kind, fact.name, complete=fact.complete, silenced=fact.silenced)


def _rows_of(item: _Item) -> tuple[UUID]:
    return (item.home,)


def _meant(error: Exception) -> Exception:
    taken = isinstance(error, ConstraintViolated) and error.name == "message_cid_unique"
    return Refused("cid_reused") if taken else error
