"""What the user can type. One table: name, arguments, sentence, function; `/help` and the completion come from it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

from rich.text import Text

from fairwire.errors import FairwireError, Pending
from fairwire.terminal.desk import Desk, Mistake
from fairwire.terminal.handing import TEAM
from fairwire.terminal.meetings import MEETINGS
from fairwire.terminal.noticing import (
    fair_notices,
    notice_line,
    notify,
    retry_notice,
    show_fair,
    show_notice,
    show_providers,
)
from fairwire.terminal.rooms import ROOMS
from fairwire.terminal.slots import SLOTS
from fairwire.terminal.view import contact_name, hit_line
from fairwire_protocol.models import Entry, ExhibitorCard

__all__ = ["COMMANDS", "Command", "Leave", "execute"]

PAGE: Final = 20


class Leave(Exception):
    """The user goes."""


@dataclass(frozen=True, slots=True)
class Command:
    """`arguments` as help shows them; `run` gets the desk and what stands behind the command."""

    arguments: str
    sentence: str
    run: Callable[[Desk, str], Awaitable[None]]


async def execute(desk: Desk, line: str) -> None:
    """One line of the user: a command, or a message to the open conversation. Raises `Leave`."""
    line = line.strip()
    if not line:
        return
    try:
        if line.startswith("/") and not line.startswith("//"):
            word, _, rest = line[1:].partition(" ")
            await _command(word).run(desk, rest.strip())
        else:
            await send(desk, line.removeprefix("/") if line.startswith("//") else line)
    except Mistake as mistake:
        desk.out.say("error", Text(str(mistake), style="red"))
    except Pending as pending:
        desk.out.say("pending", Text(f"no answer yet ({pending.operation})", style="yellow"))
    except FairwireError as error:
        desk.out.say("error", Text.assemble((f"{error.code}: ", "bold red"), (error.message, "red")))


def _command(word: str) -> Command:
    found = [name for name in COMMANDS if name == word] or [name for name in COMMANDS if name.startswith(word)]
    if len(found) == 1:
        return COMMANDS[found[0]]
    raise Mistake(
        f"which one? {', '.join('/' + name for name in found)}" if found else f"there is no /{word}; /help lists all"
    )


# conversations


async def list_recent(desk: Desk, _: str) -> None:
    await desk.show_list(desk.client.state.recent)


async def list_starred(desk: Desk, _: str) -> None:
    await desk.show_list((await desk.client.contacts.starred()).entries)


async def list_team(desk: Desk, word: str) -> None:
    if word not in {"", "all", "open", "waiting"}:
        raise Mistake("/team all, /team open or /team waiting")
    state = cast("Literal['all', 'open', 'waiting']", word or "open")
    await desk.show_list((await desk.client.chat.list(state=state)).entries)


async def open_chat(desk: Desk, word: str) -> None:
    if not word:
        raise Mistake("/open a number of the last list, or a name")
    await _show(desk, desk.pick(word))


async def _show(desk: Desk, entry: Entry) -> None:
    desk.current = entry
    desk.out.say("open", Text(desk.name(entry), style="bold underline"))
    window = desk.client.state.windows.get(entry.conversation, ())
    if not window or (window[0].seq > 1 and len(window) < PAGE):
        window = (await desk.client.chat.history(conversation=entry.conversation, limit=PAGE)).messages
    desk.show_messages(window)
    await desk.mark_read()
    with contextlib.suppress(FairwireError):
        await desk.client.chat.looking(conversation=entry.conversation, timeout=5)


async def history(desk: Desk, word: str) -> None:
    entry = desk.open_chat()
    if word and not word.isdecimal():
        raise Mistake("/history, or /history and the number of a message to jump to")
    if word:
        page = await desk.client.chat.history(conversation=entry.conversation, around=int(word), limit=PAGE)
    else:
        page = await desk.client.chat.history(conversation=entry.conversation, before=desk.oldest, limit=PAGE)
    desk.show_messages(page.messages)
    desk.out.say("more" if page.more_before else "beginning", "/history shows older ones" if page.more_before else "")


async def send(desk: Desk, text: str) -> None:
    entry = desk.open_chat()
    sent = await desk.client.chat.send(conversation=entry.conversation, text=text)
    desk.out.say("sent", f"#{sent.seq}") if desk.out.plain else None


async def send_image(desk: Desk, word: str) -> None:
    entry = desk.open_chat()
    try:
        content = await asyncio.to_thread(lambda: Path(word).expanduser().read_bytes())
    except OSError as error:
        raise Mistake(f"{word} cannot be read: {error.strerror}") from None
    image = await desk.client.chat.upload_image(content=content)
    sent = await desk.client.chat.send(conversation=entry.conversation, kind="image", image=image.id)
    desk.out.say("sent", f"#{sent.seq}") if desk.out.plain else None


async def save_image(desk: Desk, words: str) -> None:
    number, _, place = words.partition(" ")
    if not number.isdecimal() or not place:
        raise Mistake("/save, the number of the message, and where to")
    entry = desk.open_chat()
    page = await desk.client.chat.history(conversation=entry.conversation, around=int(number), limit=1)
    image = next((message.image for message in page.messages if message.seq == int(number)), None)
    if image is None:
        raise Mistake(f"#{number} is no image")
    content = await desk.client.chat.image(image=image.id)
    try:
        await asyncio.to_thread(lambda: Path(place).expanduser().write_bytes(content))
    except OSError as error:
        raise Mistake(f"{place} cannot be written: {error.strerror}") from None
    desk.out.say("saved", place)


async def recall(desk: Desk, word: str) -> None:
    if not word.isdecimal():
        raise Mistake("/recall and the number of the message")
    await desk.client.chat.recall(conversation=desk.open_chat().conversation, seq=int(word))


async def search(desk: Desk, words: str) -> None:
    if not words:
        raise Mistake("/search and what to look for")
    reply = await desk.client.chat.search(query=words)
    desk.listed = [*reply.contacts, *(hit.entry for hit in reply.hits)]
    for number, entry in enumerate(reply.contacts, 1):
        desk.out.say("found", Text.assemble((f"{number:>3} ", "bright_black"), (desk.name(entry), "bold")))
    for number, hit in enumerate(reply.hits, len(reply.contacts) + 1):
        desk.out.say("hit", hit_line(number, hit, desk.language, plain=desk.out.plain))
    if not desk.listed:
        desk.out.say("empty", "nothing found")


# the buyer's side


async def exhibitors(desk: Desk, words: str) -> None:
    desk.exhibitors = list((await desk.client.exhibitors.list(query=words)).exhibitors)
    for number, card in enumerate(desk.exhibitors, 1):
        desk.out.say("exhibitor", f"{number:>3} {contact_name(card, desk.language)}")


async def visit(desk: Desk, word: str) -> None:
    card = _exhibitor(desk, word)
    reply = await desk.client.exhibitors.show(exhibitor=card.id)
    desk.exhibits = list(reply.exhibits)
    seconds = reply.exhibitor.answer_seconds
    usual = f", usually answers in {max(1, seconds // 60)} min" if seconds is not None else ""
    desk.out.say("exhibitor", Text(contact_name(reply.exhibitor, desk.language) + usual, style="bold"))
    for number, exhibit in enumerate(desk.exhibits, 1):
        desk.out.say("exhibit", f"{number:>3} {exhibit.name_en or exhibit.name_zh} {exhibit.code}")


async def chat_with(desk: Desk, words: str) -> None:
    word, _, number = words.partition(" ")
    card, exhibit = _exhibitor(desk, word), None
    if number:
        if not number.isdecimal() or not 1 <= int(number) <= len(desk.exhibits):
            raise Mistake(f"/visit {word} shows its exhibits and their numbers")
        exhibit = desk.exhibits[int(number) - 1].id
    reply = await desk.client.chat.open(exhibitor=card.id, exhibit=exhibit)
    await _show(desk, reply.entry)


def _exhibitor(desk: Desk, word: str) -> ExhibitorCard:
    if word.isdecimal() and 1 <= int(word) <= len(desk.exhibitors):
        return desk.exhibitors[int(word) - 1]
    raise Mistake("/exhibitors shows them and their numbers")


# marks and manners


def _mark(name: str, value: bool) -> Callable[[Desk, str], Awaitable[None]]:
    async def run(desk: Desk, word: str) -> None:
        entry = desk.pick(word) if word else desk.open_chat()
        if name == "star":
            await desk.client.contacts.star(conversation=entry.conversation, starred=value)
        elif name == "pin":
            await desk.client.contacts.pin(conversation=entry.conversation, pinned=value)
        else:
            await desk.client.chat.block(conversation=entry.conversation, blocked=value)
        desk.out.say("ok", f"{'' if value else 'un'}{name} {desk.name(entry)}")

    return run


async def report(desk: Desk, words: str) -> None:
    seqs, reason = words.partition(" ")[::2]
    numbers = [part for part in seqs.split(",") if part.isdecimal()]
    if not numbers or not reason.strip():
        raise Mistake("/report, the numbers of the messages as 3,4,5, and why")
    await desk.client.chat.report(
        conversation=desk.open_chat().conversation, seqs=tuple(map(int, numbers)), reason=reason.strip()
    )
    desk.out.say("reported", "the organiser will read these messages and no others")


async def presence(desk: Desk, word: str) -> None:
    if word not in {"online", "busy", "away"}:
        raise Mistake("/presence online, busy or away")
    await desk.client.presence.set(state=cast("Literal['online', 'busy', 'away']", word))
    desk.out.say("ok", word)


async def outbox(desk: Desk, _: str) -> None:
    if not desk.client.unsent:
        desk.out.say("empty", "everything was sent")
    for message in desk.client.unsent:
        desk.out.say("unsent", message.text or "[image]")


async def me(desk: Desk, _: str) -> None:
    account = desk.client.me
    desk.out.say("me", f"{account.name} ({account.kind}), {desk.client.state.unread} unread")


async def sign_out(desk: Desk, _: str) -> None:
    await desk.client.sign_out()
    raise Leave


async def leave(_: Desk, __: str) -> None:
    raise Leave


async def notices(desk: Desk, words: str) -> None:
    """The own notices; for an organiser the fair's, of one state if it is named."""
    if desk.client.me.kind == "organiser":
        await fair_notices(desk, words)
        return
    for one in (await desk.client.notices.list()).notices[:PAGE]:
        desk.out.say("notice", notice_line(one))


async def show_help(desk: Desk, _: str) -> None:
    for name, command in COMMANDS.items():
        head = f"/{name} {command.arguments}".strip()
        desk.out.say("help", Text.assemble((f"{head:<32} ", "bold cyan"), command.sentence))
    desk.out.say(
        "help", "Anything else is sent to the open conversation. A command may be shortened while it is clear."
    )


COMMANDS: Final[dict[str, Command]] = {
    "list": Command("", "recent contacts: pinned first, then by newest message", list_recent),
    "open": Command("NUMBER|NAME", "open a conversation and read it", open_chat),
    "history": Command("[MESSAGE]", "older messages, or those around one", history),
    "search": Command("WORDS", "find contacts and messages", search),
    "image": Command("FILE", "send an image", send_image),
    "save": Command("MESSAGE FILE", "save an image", save_image),
    "recall": Command("MESSAGE", "take a message back within 2 minutes", recall),
    "exhibitors": Command("[WORDS]", "the fair's exhibitors", exhibitors),
    "visit": Command("NUMBER", "an exhibitor and its exhibits", visit),
    "chat": Command("NUMBER [EXHIBIT]", "start a chat with an exhibitor, about an exhibit", chat_with),
    **{name: Command(*row) for name, row in TEAM.items()},
    "team": Command("[all|open|waiting]", "the team's chats", list_team),
    "star": Command("[NUMBER|NAME]", "star a buyer of the customer base", _mark("star", True)),
    "unstar": Command("[NUMBER|NAME]", "take the star away", _mark("star", False)),
    "starred": Command("", "starred contacts, also the old ones", list_starred),
    "pin": Command("[NUMBER|NAME]", "keep a contact on top", _mark("pin", True)),
    "unpin": Command("[NUMBER|NAME]", "let it go again", _mark("pin", False)),
    "block": Command("[NUMBER|NAME]", "block the other side", _mark("block", True)),
    "unblock": Command("[NUMBER|NAME]", "unblock it", _mark("block", False)),
    "report": Command("3,4,5 REASON", "report messages to the organiser", report),
    "presence": Command("online|busy|away", "how you are shown", presence),
    **{name: Command(*row) for name, row in (SLOTS | MEETINGS | ROOMS).items()},
    "notices": Command("[STATE]", "what you were told and by which channel; for organisers the fair's", notices),
    "notice": Command("ID", "a notice with all its attempts, for organisers", show_notice),
    "retry": Command("ID", "try a failed notice again, for organisers", retry_notice),
    "fair": Command("", "the fair's bookings by state and day, for organisers", show_fair),
    "providers": Command("", "how email and SMS providers fare, for organisers", show_providers),
    "notify": Command(
        "[KIND email,sms | quiet FROM-TO | quiet off]", "how you are told; without words, what is set", notify
    ),
    "outbox": Command("", "messages not sent yet", outbox),
    "me": Command("", "who you are", me),
    "signout": Command("", "end the session on this device", sign_out),
    "help": Command("", "this list", show_help),
    "quit": Command("", "leave; the session is kept", leave),
}
