"""The desk: one signed-in account at a terminal. What is open, what the numbers on the screen mean, and what events show.

Both modes share it: the interactive one prints with style above its prompt, the plain one prints bare lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from rich.text import Text

from fairwire.client import Client
from fairwire.errors import FairwireError, Pending
from fairwire.feed import Happening, Offline, Online, Resynced, SendFailed, SendQueued
from fairwire.terminal.view import (
    contact_key,
    contact_name,
    entry_line,
    message_line,
    message_text,
    notice_text,
    offer_line,
)
from fairwire_protocol import events as e
from fairwire_protocol.frames import Typing
from fairwire_protocol.models import (
    Booking,
    BuyerCard,
    Entry,
    Exhibit,
    ExhibitorCard,
    Guest,
    Message,
    Offer,
    Person,
    Subject,
)
from fairwire_protocol.operations.rooms import Invitation
from fairwire_protocol.session import Delivered

__all__ = ["Desk", "Mistake", "Out"]

WATCHED = 50


class Out(Protocol):
    """Where lines go. `kind` is one word that says what the line is; the plain mode prints it first."""

    plain: bool

    def say(self, kind: str, text: Text | str = "") -> None:
        """One line."""
        ...


class Mistake(Exception):
    """What the user typed cannot be done; the text says why."""


class Desk:
    """Keeps what the user is looking at."""

    def __init__(self, client: Client, out: Out, language: str = "en") -> None:
        self.client = client
        self.out = out
        self.language = language
        self.current: Entry | None = None
        self.oldest = 0
        """The first seq of the open conversation that was shown; `/history` goes on before it."""
        self.listed: list[Entry] = []
        self.exhibitors: list[ExhibitorCard] = []
        self.exhibits: list[Exhibit] = []
        self.bookings: list[Booking] = []
        self.slots: list[UUID] = []
        self.fair_zone: ZoneInfo | None = None
        self.invitations: list[Invitation] = []
        self.guests: list[Guest] = []
        self.typing: dict[UUID, float] = {}
        client.on("*")(self.show)

    # what numbers and names mean

    def entry(self, conversation: UUID) -> Entry | None:
        """A contact by conversation, from the state or from what was listed."""
        found = self.client.state.find(conversation)
        return found or next((entry for entry in self.listed if entry.conversation == conversation), None)

    def pick(self, word: str) -> Entry:
        """A contact by its number in the last list, or by the start of its name."""
        if word.isdecimal():
            if 1 <= int(word) <= len(self.listed):
                return self.fresh(self.listed[int(word) - 1])
            raise Mistake(f"there is no number {word} in the last list; /list shows the contacts")
        folded = word.casefold()
        entries = (*self.listed, *self.client.state.recent)
        found = [entry for entry in entries if self.name(entry).casefold().startswith(folded)]
        if not found:
            raise Mistake(f"no contact begins with {word!r}; /list shows them, /search finds others")
        return self.fresh(found[0])

    def fresh(self, entry: Entry) -> Entry:
        """The entry as it is now."""
        return self.client.state.find(entry.conversation) or entry

    def open_chat(self) -> Entry:
        """The conversation that is open."""
        if self.current is None:
            raise Mistake("no conversation is open; /open one first")
        self.current = self.fresh(self.current)
        return self.current

    async def colleague(self, word: str) -> Person:
        """A colleague by the start of the name."""
        reply = await self.client.chat.colleagues()
        found = [person for person in reply.colleagues if person.name.casefold().startswith(word.casefold())]
        if len(found) != 1:
            names = ", ".join(person.name for person in found or reply.colleagues) or "nobody"
            raise Mistake(f"{'which one' if found else 'no such colleague'}? {names}")
        return found[0]

    def offer(self, word: str) -> Offer:
        """An offer to this account, by number; the only one without."""
        mine = [offer for offer in self.client.state.offers.values() if offer.to.id == self.client.me.id]
        if not mine:
            raise Mistake("nobody has offered you a chat")
        if not word and len(mine) == 1:
            return mine[0]
        if word.isdecimal() and 1 <= int(word) <= len(mine):
            return mine[int(word) - 1]
        raise Mistake("which one? /offers shows their numbers")

    def name(self, entry: Entry) -> str:
        """What to call a contact."""
        return contact_name(entry.contact, self.language)

    # showing

    async def show_list(self, entries: Sequence[Entry]) -> None:
        """A numbered list of contacts, with their presence."""
        self.listed = list(entries)
        if not entries:
            self.out.say("empty", "nobody here yet")
        await self._watch(entries[:WATCHED])
        for number, entry in enumerate(entries, 1):
            presence = self.client.presence_of.get(contact_key(entry.contact))
            self.out.say("contact", entry_line(number, entry, presence, self.language))

    async def _watch(self, entries: Sequence[Entry]) -> None:
        subjects = tuple(
            Subject(kind="account" if isinstance(entry.contact, BuyerCard) else "exhibitor", id=entry.contact.id)
            for entry in entries
        )
        try:
            await self.client.presence.watch(subjects=subjects, timeout=5)
        except FairwireError:
            return  # the list is worth showing without it (W10)

    def show_messages(self, messages: Sequence[Message]) -> None:
        """Messages of the open conversation, oldest first."""
        mine = self.client.me.id
        read_to = self._read_to()
        for message in messages:
            self.out.say("message", message_line(message, mine, read_to=read_to))
        if messages:
            self.oldest = messages[0].seq

    def _read_to(self) -> int:
        """How far the other side has read the open conversation."""
        if self.current is None:
            return 0
        other = "team" if self.client.me.kind == "buyer" else "buyer"
        return max((marker.read for marker in self.fresh(self.current).markers if marker.side == other), default=0)

    def show_offers(self) -> None:
        """Offers that wait for this account, then those it has made."""
        mine = self.client.me.id
        offers = sorted(self.client.state.offers.values(), key=lambda offer: offer.to.id != mine)
        if not offers:
            self.out.say("empty", "no transfer waits for an answer")
        for number, offer in enumerate(offers, 1):
            self.out.say("offer", offer_line(number, offer, mine))

    async def mark_read(self) -> None:
        """Tell that the open conversation was read to its end."""
        entry = self.open_chat()
        if entry.last_seq > entry.read and self.client.state.find(entry.conversation) is not None:
            await self.client.chat.read(conversation=entry.conversation, seq=entry.last_seq)

    # events

    async def show(self, happening: Happening) -> None:
        """Tell the user what has happened."""
        match happening:
            case Delivered():
                await self._event(happening.body)
            case Online():
                self.out.say("online", "connected" if not happening.resumed else "connected again, nothing was lost")
            case Offline():
                self.out.say(
                    "offline", f"{happening.reason or 'the line was cut'}; again in {happening.retry_in:.1f} s"
                )
            case Resynced():
                self.current = self.fresh(self.current) if self.current is not None else None
            case SendQueued():
                self.out.say("queued", f"not sent yet: {happening.error.message}")
            case SendFailed():
                self.out.say("failed", f"not sent: {happening.error.message}")
            case Typing():
                self._typing(happening)
            case _:
                pass

    def _typing(self, typing: Typing) -> None:
        if self.current is not None and typing.conversation == self.current.conversation:
            self.typing[typing.conversation] = self.client.now_ms() + typing.for_ms

    async def _event(self, body: object) -> None:
        match body:
            case e.MessagePosted():
                await self._message(body.message)
            case e.MessageRecalled():
                self._about(body.conversation, "recalled", f"#{body.seq} was recalled")
            case e.OfferMade():
                self.out.say("offer", offer_line(1, body.offer, self.client.me.id))
            case e.OfferClosed():
                self._about(body.conversation, "offer_closed", body.outcome)
            case e.Waiting():
                self._about(body.conversation, "waiting", "nobody has answered yet")
            case e.Handled():
                self._about(body.conversation, "handled", "handled" + (f" by {body.by.name}" if body.by else ""))
            case e.BlockChanged():
                blocked = body.blocked_by_buyer or body.blocked_by_team
                self._about(body.conversation, "block", "blocked" if blocked else "not blocked any more")
            case e.Announcement():
                self.out.say("announcement", Text(f"{body.title}  {body.text}".strip(), style="bold yellow"))
            case e.LobbyChanged(guest=guest):
                self.out.say("lobby", f"{guest.name} [{guest.state}]; /lobby lists your guests")
            case e.Notice():
                self.out.say("notice", notice_text(body))
            case _:
                pass

    async def _message(self, message: Message) -> None:
        if self.current is not None and message.conversation == self.current.conversation:
            self.typing.pop(message.conversation, None)
            self.out.say("message", message_line(message, self.client.me.id))
            try:
                await self.mark_read()
            except (FairwireError, Pending):
                return  # the next message, or opening the chat again, reads it
        elif message.sender is None or message.sender.id != self.client.me.id:
            self._about(message.conversation, "new", message_text(message))

    def _about(self, conversation: UUID, kind: str, text: str) -> None:
        entry = self.entry(conversation)
        name = self.name(entry) if entry is not None else "another chat"
        self.out.say(kind, Text.assemble((f"{name}: ", "bold"), text))
