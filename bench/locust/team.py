"""Exhibitors' people: they answer after a human time, transfer to colleagues, search, star, pin, and close what is done."""

from __future__ import annotations

import time
from uuid import UUID

from bench.locust.agenda import Act
from bench.locust.assigning import Assigner
from bench.locust.cast import TEAM
from bench.locust.person import Chat
from bench.locust.texts import WORDS
from fairwire_protocol.models import Message, Offer, Subject
from fairwire_protocol.operations.base import Request
from fairwire_protocol.operations.chat import (
    ANSWER_OFFER,
    COLLEAGUES,
    HANDLE,
    LIST,
    SEARCH,
    TRANSFER,
    AnswerOffer,
    ConversationRef,
    ListChats,
    Search,
    TransferChat,
)
from fairwire_protocol.operations.contacts import ADD_CUSTOMER, PIN, STAR, WATCH, BuyerRef, Pin, Star, Watch

__all__ = ["Exhibitor"]

RACES = ("not_holder", "not_found", "no_offer", "bad_target", "conflict", "blocked", "pin_limit")
"""What happens when two colleagues do something with one chat at once."""


class Exhibitor(Assigner):
    """A main, manager or business account."""

    weight = TEAM
    role = "team"
    answer = "team.answer"
    answers = "team.answers"

    def on_start(self) -> None:
        """Come in, and look who else is here."""
        self._pinned: set[UUID] = set()
        self._colleagues: tuple[UUID, ...] = ()
        super().on_start()
        found = self.call(COLLEAGUES, Request())
        self._colleagues = tuple(one.id for one in found.colleagues if one.id != self.actor.id) if found else ()
        if "team.slots" in self.acts():
            self.agenda.add(time.monotonic(), self.plan_slots)

    def acts(self) -> dict[str, Act]:
        """By habit."""
        return {
            "team.transfer": self.transfer,
            "team.search": self.search,
            "team.star": self.star,
            "team.pin": self.pin,
            "team.list": self.list_open,
            "team.handle": self.handle,
            **self.planning(),
        }

    def transferred(self, message: Message, chat: Chat | None) -> None:
        """Whoever gave a chat away and sees only its own is told nothing more of it (C9)."""
        mine = message.transfer is not None and message.transfer.to.id == self.actor.id
        if chat is not None:
            chat.holds = mine
        if not mine and self.actor.kind == "business":
            self.device.leave(message.conversation)

    def offered(self, offer: Offer) -> None:
        """Accept it after a moment."""
        self.later(
            "both.read",
            lambda: self.call(ANSWER_OFFER, AnswerOffer(offer=offer.id, accept=True), may_fail=RACES),
        )

    def transfer(self) -> None:
        """Give one of the held chats to a colleague."""
        chat = self._held()
        if chat is None or not self._colleagues:
            return
        ask = self.station.habits.happens("team.ask_first", self.chance)
        request = TransferChat(
            conversation=chat.id, to=self.chance.choice(self._colleagues), note="请跟进这位客户", ask_first=ask
        )
        self.call(TRANSFER, request, may_fail=RACES)

    def search(self) -> None:
        """In everything that this account may read."""
        self.call(SEARCH, Search(query=self.chance.choice(WORDS)))

    def star(self) -> None:
        """Into the customer base, then starred (K3)."""
        chat = self._held()
        if chat is not None and self.call(ADD_CUSTOMER, BuyerRef(buyer=chat.other), may_fail=RACES) is not None:
            self.call(STAR, Star(conversation=chat.id, starred=self.chance.random() < 0.8), may_fail=RACES)

    def pin(self) -> None:
        """Pin a chat, or let a pinned one go."""
        chat = self._held()
        if chat is None:
            return
        pinned = chat.id not in self._pinned
        (self._pinned.add if pinned else self._pinned.discard)(chat.id)
        self.call(PIN, Pin(conversation=chat.id, pinned=pinned), may_fail=RACES)

    def list_open(self) -> None:
        """What is open, and which of those buyers are here."""
        listed = self.call(LIST, ListChats(state="open"))
        mine = [entry for entry in listed.entries if entry.conversation in self.chats] if listed is not None else []
        if mine:
            subjects = tuple(Subject(kind="account", id=entry.contact.id) for entry in mine[:50])
            self.call(WATCH, Watch(subjects=subjects))

    def handle(self) -> None:
        """A chat is dealt with."""
        if (chat := self._held()) is not None:
            self.call(HANDLE, ConversationRef(conversation=chat.id), may_fail=RACES)

    def _held(self) -> Chat | None:
        held = [chat for chat in self.chats.values() if chat.holds]
        return self.chance.choice(held) if held else None
