"""Buyers: they browse exhibitors and exhibits, watch who is there, open chats, write, book, leave and come back."""

from __future__ import annotations

from typing import Final

from bench.locust.agenda import Act
from bench.locust.booking import INCOMPLETE, Booker
from bench.locust.cast import BUYERS
from bench.locust.person import Chat
from bench.locust.texts import WORDS
from fairwire_protocol.models import Exhibit, Subject
from fairwire_protocol.operations.chat import HISTORY, OPEN, History, OpenChat
from fairwire_protocol.operations.contacts import WATCH, Watch
from fairwire_protocol.operations.identity import EXHIBITOR, EXHIBITORS, ExhibitorRef, ListExhibitors

__all__ = ["Buyer"]

ON_SCREEN: Final = 20
SOUGHT: Final = 0.3  # of the lists are found by a word, the others by turning pages


class Buyer(Booker):
    """A buyer with a browser open."""

    weight = BUYERS
    role = "buyer"
    answer = "buyer.answer"
    answers = "buyer.answers"

    def on_start(self) -> None:
        """Come in at the first page."""
        self._page: str | None = None
        self._exhibits: tuple[Exhibit, ...] = ()
        super().on_start()

    def acts(self) -> dict[str, Act]:
        """By habit."""
        return {
            "buyer.browse": self.browse,
            "buyer.card": self.card,
            "buyer.open": self.open_chat,
            "buyer.write": self.write_somewhere,
            "buyer.scroll": self.scroll,
            "buyer.leave": self.leave,
            "buyer.book": self.book,
            "buyer.cancel": self.cancel,
        }

    def browse(self) -> None:
        """A list, and the presence of those on it."""
        word = self.chance.choice(WORDS) if self.chance.random() < SOUGHT else ""
        found = self.call(EXHIBITORS, ListExhibitors(query=word, after=None if word else self._page, limit=ON_SCREEN))
        if found is None:
            return
        if not word:
            self._page = found.next
        if found.exhibitors:
            subjects = tuple(Subject(kind="exhibitor", id=card.id) for card in found.exhibitors)
            self.call(WATCH, Watch(subjects=subjects))

    def card(self) -> None:
        """The page of an exhibitor, mostly of one of the well-attended."""
        shown = self.call(EXHIBITOR, ExhibitorRef(exhibitor=self.chance.choice(self.station.cast.staffed)))
        self._exhibits = shown.exhibits if shown is not None else ()

    def open_chat(self) -> None:
        """From an exhibit that was just looked at, or from an exhibitor's page; the buyer writes first."""
        if self._visits:
            self.card()
            return
        if len(self.chats) >= self.station.habits.value("buyer.chats"):
            self.write_somewhere()
            return
        if self._exhibits and self.chance.random() < 0.6:
            exhibit = self.chance.choice(self._exhibits)
            request = OpenChat(exhibitor=exhibit.exhibitor, exhibit=exhibit.id)
        else:
            request = OpenChat(exhibitor=self.chance.choice(self.station.cast.staffed))
        opened = self.call(OPEN, request, may_fail=(INCOMPLETE,))
        if opened is None:
            self._visits = self.refusal == INCOMPLETE
        else:
            entry = opened.entry
            chat = self.chats.setdefault(entry.conversation, Chat(entry.conversation, entry.contact.id))
            self.write(chat)

    def write_somewhere(self) -> None:
        """In one of the own chats."""
        if self.chats:
            self.write(self.chance.choice(list(self.chats.values())))

    def scroll(self) -> None:
        """Back in a chat's history."""
        if self.chats:
            chat = self.chance.choice(list(self.chats.values()))
            self.call(HISTORY, History(conversation=chat.id, before=chat.last or None, limit=50))

    def leave(self) -> None:
        """Close the page for a while."""
        self.go_away(self.station.habits.delay("buyer.away", self.chance))
