"""A person at the fair: a locust user who keeps one socket open, resumes it when it ends, and acts by an agenda.

Two greenlets: the user's own does one thing after the other (`act`), as a person does; the other one reads the socket and
notes everything that arrives before anything is done about it. A call that was open when its socket ended is sent again on the
next one under the same cid, as every client does (W7), so a cut costs time and is no error.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Final, TypeVar
from uuid import UUID, uuid4

import gevent
from gevent.event import AsyncResult, Event
from locust import FastHttpUser, constant, task
from locust.exception import StopUser

from bench.locust.agenda import Act, Agenda
from bench.locust.cast import Role
from bench.locust.keys import Keys
from bench.locust.line import Ended, Line
from bench.locust.marks import new_mark, read_mark
from bench.locust.shapes import AGAIN, ANSWERS, LIVE
from bench.locust.station import station_of
from fairwire_protocol import frames as f
from fairwire_protocol.codec import MSGPACK, PROTOCOL
from fairwire_protocol.errors import Close, FairwireError, reopen
from fairwire_protocol.events import Announcement, MessagePosted, OfferMade
from fairwire_protocol.models import Entry, Message, Offer
from fairwire_protocol.operations import Operation, Request
from fairwire_protocol.operations.bookings import LIST
from fairwire_protocol.operations.chat import SEND, SendMessage
from fairwire_protocol.session import (
    Body,
    ClientSession,
    ClientState,
    CloseAction,
    Delivered,
    Resync,
    SessionEvent,
    close_action,
)

__all__ = ["Chat", "Person"]

RequestT = TypeVar("RequestT", bound=Request)
ReplyT = TypeVar("ReplyT")
PATIENCE_S: Final = 30.0
BACKOFF: Final = (0.5, 30.0)
OWED: Final = frozenset({SEND.name, LIST.name})
"""What is tried again in the quiet too: messages under way, and the lists that the run is judged by."""
WRITE_RACES: Final = ("not_holder", "not_found", "blocked")
"""A chat may have been given to a colleague while a message to it was on its way (C9)."""
SENT: Final = "sent → acknowledged"
DELIVERED: Final = {"chat": "chat: commit → each", "announcement": "announcement: commit → each"}


@dataclass(slots=True)
class Chat:
    """A conversation as this person sees it. `other` is the buyer's or the exhibitor's id."""

    id: UUID
    other: UUID
    last: int = 0
    read: int = 0
    holds: bool = False
    answering: bool = False
    reading: bool = False


class Unanswered(Exception):
    """No answer came while anybody would have waited."""


class Person(FastHttpUser):
    """One user. What it does stands in the subclasses."""

    abstract = True
    role: ClassVar[Role]
    wait_time = constant(0)
    network_timeout = PATIENCE_S
    connection_timeout = 15.0

    # coming and going

    def on_start(self) -> None:
        """Take an account and come in."""
        station = station_of(self.environment)
        place = station.enter(self.role) if station is not None else None
        if station is None or place is None:
            raise StopUser("no account is left for this user")
        self.station = station
        self.actor, self.number, self.device = place
        self.chance = random.Random(self.number)
        self.agenda = Agenda(self.chance)
        self.chats: dict[UUID, Chat] = {}
        self.line: Line | None = None
        self.live = Event()
        self._here = Event()
        self._here.set()
        self._changed = Event()
        self._waiting: dict[UUID, AsyncResult] = {}
        self._count = 0
        self.refusal = ""
        """Why the last call failed."""
        self._lost_at: float | None = None
        self.keys = Keys(self.client, self.actor, station.options.password, self.device.name)
        self.entered()
        station.players.add(self)
        self._reader = gevent.spawn(self._stay)
        self.live.wait()
        self.agenda.start(station.habits.rates(self.role), self.acts(), time.monotonic())

    def on_stop(self) -> None:
        """Go for good."""
        if not hasattr(self, "_reader"):
            return
        self.device.present = False
        self.station.players.discard(self)
        self._reader.kill()
        if self.line is not None:
            self.line.close()
        self.station.leave(self.role, self.actor)

    def acts(self) -> dict[str, Act]:
        """What it does by itself, by the habit's name."""
        return {}

    @task
    def act(self) -> None:
        """The next thing on the agenda, when it is due."""
        while True:
            now = time.monotonic()
            due = None if self.station.quiet else self.agenda.take(now)
            if due is not None:
                due()
                continue
            at = self.agenda.next_at()
            self._changed.clear()
            self._changed.wait(1.0 if at is None or self.station.quiet else min(1.0, max(0.0, at - now)))

    def later(self, habit: str, act: Act) -> None:
        """Do that after a human delay."""
        self.agenda.add(time.monotonic() + self.station.habits.delay(habit, self.chance), act)
        self._changed.set()

    @property
    def busy(self) -> bool:
        """Whether it waits for an answer, or is on its way back in."""
        return bool(self._waiting) or (self._here.is_set() and not self.live.is_set())

    def cut(self) -> None:
        """Lose the network for a moment."""
        if self.line is not None and self.live.is_set():
            self._lost_at = time.monotonic()
            self.line.cut()

    def go_away(self, seconds: float) -> None:
        """Close the page; come back and resume after a while."""
        self._here.clear()
        if self.line is not None:
            self.line.close()
        gevent.sleep(seconds if not self.station.quiet else 0)
        self._here.set()
        self.live.wait(PATIENCE_S)

    # calling

    def call(
        self, operation: Operation[RequestT, ReplyT], request: RequestT, *, may_fail: Collection[str] = ()
    ) -> ReplyT | None:
        """Run an operation and count it. None when it failed; `may_fail` are codes that happen among people and are no errors."""
        try:
            return self._timed("call", operation.name, operation, request, uuid4(), may_fail)
        except FairwireError as refusal:
            self.refusal = refusal.code
        except Unanswered:
            self.refusal = ""
        return None

    def say(self, chat: Chat, *, text: str | None = None, image: UUID | None = None) -> None:
        """Send a message, marked, and hold the server to its answer."""
        station, counts = self.station, self.station.ledger.counts
        self._count += 1
        count, cid = self._count, new_mark(station.part.run, self.number, self._count, time.time_ns())
        counts.attempted += 1
        request = SendMessage(conversation=chat.id, kind="text" if image is None else "image", text=text, image=image)
        try:
            sent = self._timed("chat", SENT, SEND, request, cid, WRITE_RACES if self.role == "team" else ("blocked",))
        except Unanswered:
            counts.unknown += 1
        except FairwireError as refusal:
            if refusal.final:
                counts.refused += 1
                self.device.refused.add(count)
            else:
                counts.unknown += 1
        else:
            station.ledger.acked(chat.id, sent.seq)

    def show(self, operation: Operation[RequestT, ReplyT], request: RequestT) -> None:
        """Typing and the like: said once, its answer is nobody's concern."""
        if (line := self.line) is not None and self.live.is_set():
            line.send(line.session.call(operation.name, request, uuid4()))

    def _timed(
        self, kind: str, name: str, operation: Operation[RequestT, ReplyT], request: RequestT, cid: UUID,
        may_fail: Collection[str],
    ) -> ReplyT:  # fmt: skip
        began = time.perf_counter()
        error: Exception | None = None
        try:
            return self._repeat(operation, request, cid, began + PATIENCE_S)
        except FairwireError as refusal:
            # Put off while all fall quiet: people go and do not come back to it.
            put_off = self.station.quiet and not refusal.final
            error = None if refusal.code in may_fail or put_off else refusal
            raise
        except Unanswered as silence:
            error = silence
            raise
        finally:
            self._waiting.pop(cid, None)
            self.station.note(kind, name, (time.perf_counter() - began) * 1000, error)

    def _repeat(self, operation: Operation[RequestT, ReplyT], request: RequestT, cid: UUID, until: float) -> ReplyT:
        """Until it is answered: again after a cut, again when the server says when."""
        while (left := until - time.perf_counter()) > 0:
            waiter = self._waiting[cid] = AsyncResult()
            if not self.live.wait(left) or (line := self.line) is None:
                break
            line.send(line.session.call(operation.name, request, cid))
            try:
                answer = waiter.get(timeout=max(0.0, until - time.perf_counter()))
            except gevent.Timeout:
                break
            if isinstance(answer, f.Reply):
                return MSGPACK.decode(answer.result, operation.reply)
            if isinstance(answer, f.Error):
                error = reopen(answer.code, answer.message, retry_after_ms=answer.retry_after_ms)
                if error.retry_after_ms is None or (self.station.quiet and operation.name not in OWED):
                    raise error
                self.station.note("again", f"{operation.name}: {error.code}", 0)
                gevent.sleep(error.retry_after_ms / 1000)
        raise Unanswered(f"{operation.name} was not answered within {PATIENCE_S:g} s")

    # the socket

    def _stay(self) -> None:
        """One line after another, each going on where the last one ended (W6, W13, W14)."""
        resume: f.Resume | None = None
        fresh, failures = False, 0
        while True:
            self._here.wait()
            began = time.monotonic()
            token = self.keys.get(fresh=fresh)
            ended, session = (Ended(1006, "no token"), None) if token is None else self._attempt(token, resume)
            if session is not None and session.welcome is not None:
                resume = session.resume
            self._lose()
            if ended.code == Close.POSITION_LOST:
                self.station.ledger.counts.holes += 1
                self.station.note("socket", "position lost", 0, RuntimeError(ended.reason))
            action = close_action(ended.code)
            if action is CloseAction.STOP:
                self.station.note("socket", "closed for good", 0, RuntimeError(f"{ended.code} {ended.reason}"))
                fresh = True
            else:
                fresh = action is CloseAction.REFRESH
            failures = 0 if time.monotonic() - began > BACKOFF[1] else failures + 1
            delay = self.chance.random() * min(BACKOFF[1], BACKOFF[0] * 2.0 ** max(0, failures - 1))
            gevent.sleep(delay if ended.retry_after_ms is None else ended.retry_after_ms / 1000)

    def _attempt(self, token: str, resume: f.Resume | None) -> tuple[Ended, ClientSession | None]:
        hello = f.Hello(protocol=(PROTOCOL, PROTOCOL), token=token, device=f.Device(id=self.device.name), resume=resume)
        session = ClientSession(MSGPACK, hello)
        began = time.monotonic()
        try:
            self.line = line = Line(self.station.address, session)
        except OSError as error:
            self.station.note("socket", LIVE, (time.monotonic() - began) * 1000, error)
            return Ended(1006, str(error)), None
        for event, arrived in line.events():
            if isinstance(event, f.Live):
                self.live.set()
                self.device.present = True
                at = time.monotonic()
                self.station.note("socket", LIVE, (at - began) * 1000)
                if self._lost_at is not None:
                    self.station.note("socket", AGAIN, (at - self._lost_at) * 1000)
                    self._lost_at = None
            else:
                self._take(event, arrived, live=session.state is ClientState.LIVE)
        return line.ended(), session

    def _lose(self) -> None:
        self.device.present = False
        self.live.clear()
        self.line = None
        for waiter in list(self._waiting.values()):
            waiter.set(None)

    def _take(self, event: SessionEvent, arrived: int, *, live: bool) -> None:
        match event:
            case f.Reply() | f.Error() if event.cid is not None:
                if (waiter := self._waiting.get(event.cid)) is not None:
                    waiter.set(event)
            case Delivered(body=MessagePosted() as body):
                self._posted(body, arrived, live=live)
            case Delivered(body=Announcement() as body) if live:
                ms = self.station.fanout.deliver("announcement", body.id.hex, self.station.commit(body.ts), arrived)
                self.station.note("fan-out", DELIVERED["announcement"], ms)
            case Delivered(body=OfferMade() as body) if body.offer.to.id == self.actor.id:
                self.offered(body.offer)
            case Delivered(body=body):
                self.told(body, arrived, live=live)
            case Resync():
                self._resync(event)
            case f.Welcome():
                self.station.server_says(event.server_time)
                if self.keys.renewable:
                    life = (event.expires_at - event.server_time) / 1000
                    self.agenda.add(time.monotonic() + max(1.0, life - 60), self._renew)
            case _:
                pass

    def _renew(self) -> None:
        """A new token for this socket before its old one ends (W13)."""
        if (token := self.keys.get(fresh=True)) is not None and (line := self.line) is not None:
            line.send(line.session.refresh(token))

    def _resync(self, event: Resync) -> None:
        entries = [entry for part in event.parts for entry in part.entries]
        self.device.resync({entry.conversation: entry.last_seq for entry in entries if entry.readable_to is None})
        self.chats = {}
        for entry in entries:
            self._enter(entry)
        self.began(event)

    def _enter(self, entry: Entry) -> None:
        chat = self.chats.setdefault(entry.conversation, Chat(entry.conversation, entry.contact.id))
        chat.last, chat.read, chat.holds = max(chat.last, entry.last_seq), max(chat.read, entry.read), entry.holds

    def _posted(self, body: MessagePosted, arrived: int, *, live: bool) -> None:
        message, station = body.message, self.station
        mark = read_mark(station.part.run, message.cid)
        mine = mark is not None and mark.client == self.number
        if station.planted(mine):
            return
        for entry in body.entries:
            self._enter(entry)
        fresh = self.device.read(message.conversation, message.seq, message.cid, mark.nth if mark and mine else None)
        if not fresh:
            return
        chat = self.chats.get(message.conversation)
        if chat is not None:
            chat.last = max(chat.last, message.seq)
        if message.transfer is not None:
            self.transferred(message, chat)
        if mark is None or mine:
            return
        if live:
            key = f"{message.conversation.hex}{message.seq}"
            ms = station.fanout.deliver("chat", key, station.commit(message.ts), arrived)
            station.note("fan-out", DELIVERED["chat"], ms)
        if chat is not None and self.is_for_me(message, chat):
            if live:
                station.note("chat", ANSWERS, (arrived - mark.sent_ns) / 1e6)
            self.received(chat)

    # what a subclass makes of it

    def entered(self) -> None:
        """It has an account, and is about to come in."""

    def began(self, state: Resync) -> None:
        """A whole first state has come (W5)."""

    def told(self, body: Body, arrived: int, *, live: bool) -> None:
        """An event that is none of the chat's."""

    def look_back(self) -> None:
        """In the quiet: read what the run is judged by."""

    def is_for_me(self, message: Message, chat: Chat) -> bool:
        """Whether it was written to this person, who then is the other person of the latency."""
        return False

    def received(self, chat: Chat) -> None:
        """Somebody has written to this person."""

    def transferred(self, message: Message, chat: Chat | None) -> None:
        """A chat has changed hands."""

    def offered(self, offer: Offer) -> None:
        """A colleague asks whether this person takes a chat."""
