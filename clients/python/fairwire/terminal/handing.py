"""Commands of an exhibitor's team: who holds a chat, who is asked to take it, and the customer base (C7–C11, K2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from fairwire.terminal.desk import Desk, Mistake
from fairwire.terminal.view import clock
from fairwire_protocol.models import BuyerCard

__all__ = ["TEAM"]


async def transfer(desk: Desk, words: str, *, ask_first: bool = False) -> None:
    entry = desk.open_chat()
    name, _, note = words.partition(" ")
    if not name:
        raise Mistake("to whom? /colleagues lists them; what follows the name is a note for the team")
    to = await desk.colleague(name)
    reply = await desk.client.chat.transfer(
        conversation=entry.conversation, to=to.id, note=note.strip(), ask_first=ask_first
    )
    away = ", who is not here now" if reply.target_offline else ""
    desk.out.say("transferred" if reply.offer is None else "asked", f"{to.name}{away}")


async def ask(desk: Desk, words: str) -> None:
    await transfer(desk, words, ask_first=True)


async def accept(desk: Desk, word: str) -> None:
    offer = desk.offer(word)
    await desk.client.chat.answer_offer(offer=offer.id, accept=True)
    desk.out.say("accepted", offer.contact.name)


async def decline(desk: Desk, word: str) -> None:
    offer = desk.offer(word)
    await desk.client.chat.answer_offer(offer=offer.id, accept=False)
    desk.out.say("declined", offer.contact.name)


async def offers(desk: Desk, _: str) -> None:
    desk.show_offers()


async def take_over(desk: Desk, _: str) -> None:
    await desk.client.chat.take_over(conversation=desk.open_chat().conversation)
    desk.out.say("taken", "you hold this chat now")


async def handled(desk: Desk, _: str) -> None:
    await desk.client.chat.handle(conversation=desk.open_chat().conversation)


async def transfers(desk: Desk, _: str) -> None:
    log = await desk.client.chat.transfers(conversation=desk.open_chat().conversation)
    if not log.transfers:
        desk.out.say("empty", "this chat was never handed over")
    for record in log.transfers:
        source = record.transfer.source.name if record.transfer.source else "?"
        note = f"  {record.transfer.note}" if record.transfer.note else ""
        desk.out.say("transfer", f"#{record.seq} {clock(record.ts)} {source} → {record.transfer.to.name}{note}")


async def colleagues(desk: Desk, _: str) -> None:
    for person in (await desk.client.chat.colleagues()).colleagues:
        desk.out.say("colleague", person.name)


def _buyer(desk: Desk) -> UUID:
    contact = desk.open_chat().contact
    if not isinstance(contact, BuyerCard):
        raise Mistake("that is for exhibitors; your contact is one itself")
    return contact.id


async def add_customer(desk: Desk, _: str) -> None:
    reply = await desk.client.customers.add(buyer=_buyer(desk))
    desk.out.say("added", reply.contact.name)


async def show_card(desk: Desk, _: str) -> None:
    card = (await desk.client.customers.show(buyer=_buyer(desk))).contact
    desk.out.say("card", ", ".join(filter(None, (card.name, card.country, *card.interests))))
    if card.details is not None:
        details = card.details
        desk.out.say(
            "card", ", ".join(filter(None, (details.company, details.email, details.mobile, *details.profile.values())))
        )


TEAM: Final[dict[str, tuple[str, str, Callable[[Desk, str], Awaitable[None]]]]] = {
    "transfer": ("COLLEAGUE [NOTE]", "hand the chat over", transfer),
    "ask": ("COLLEAGUE [NOTE]", "hand the chat over, but ask first", ask),
    "offers": ("", "transfers that wait for an answer", offers),
    "accept": ("[NUMBER]", "accept an offered chat", accept),
    "decline": ("[NUMBER]", "decline an offered chat", decline),
    "take": ("", "take the open chat over from a colleague", take_over),
    "handled": ("", "mark the chat as handled", handled),
    "transfers": ("", "who held the chat", transfers),
    "colleagues": ("", "to whom a chat may be transferred", colleagues),
    "add": ("", "add the buyer to the customer base", add_customer),
    "card": ("", "the buyer's card", show_card),
}
"""Arguments, sentence and function by name."""
