"""The interactive mode: a prompt at the bottom, the conversation scrolling above it, completion of commands and names."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Iterable
from io import StringIO
from typing import Final
from uuid import UUID

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import ANSI, HTML
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.shortcuts import print_formatted_text
from rich.console import Console
from rich.text import Text

from fairwire.client import Client
from fairwire.errors import FairwireError, Stopped
from fairwire.terminal.commands import COMMANDS, Leave, execute
from fairwire.terminal.desk import Desk

__all__ = ["run_interactive"]

SIGNS: Final = {
    "online": ("✔", "green"), "offline": ("✘", "yellow"), "error": ("!", "red"), "failed": ("!", "red"), "new": ("✉", "bold yellow"),
    "offer": ("⇄", "bold cyan"), "waiting": ("⏳", "yellow"), "announcement": ("📢", ""), "empty": ("·", "bright_black"),
}  # fmt: skip
TYPING_MS: Final = 3000
NAMED: Final = frozenset({"open", "star", "unstar", "pin", "unpin", "block", "unblock"})


class RichOut:
    """Styled lines above the prompt."""

    plain = False

    def say(self, kind: str, text: Text | str = "") -> None:
        """The text, behind a sign for some kinds."""
        line = Text()
        if kind in SIGNS:
            sign, style = SIGNS[kind]
            line.append(f"{sign} ", style=style)
        line.append_text(text if isinstance(text, Text) else Text(text))
        buffer = StringIO()
        width = shutil.get_terminal_size().columns
        Console(file=buffer, force_terminal=True, width=width, highlight=False, legacy_windows=False).print(line)
        print_formatted_text(ANSI(buffer.getvalue().rstrip("\n")))


class DeskCompleter(Completer):
    """Commands after a slash, contacts after the commands that take one."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What could stand at the cursor."""
        text = document.text_before_cursor
        if not text.startswith("/"):
            return
        word, space, rest = text[1:].partition(" ")
        if not space:
            for name, command in COMMANDS.items():
                if name.startswith(word):
                    yield Completion(name, start_position=-len(word), display_meta=command.sentence)
        elif word in NAMED:
            for entry in self._desk.client.state.recent:
                name = self._desk.name(entry)
                if name.casefold().startswith(rest.casefold()):
                    yield Completion(name, start_position=-len(rest))


async def run_interactive(client: Client, *, language: str) -> int:
    """Until the user leaves, or the server closes the socket for good."""
    desk = Desk(client, RichOut(), language)
    session: PromptSession[str] = PromptSession(
        history=InMemoryHistory(), completer=DeskCompleter(desk), complete_while_typing=True, refresh_interval=1.0
    )
    teller = TypingTeller(desk)
    session.default_buffer.on_text_changed += lambda buffer: teller.changed(buffer.text)
    me = client.me
    desk.out.say("welcome", Text.assemble("You are ", (me.name, "bold"), f" ({me.kind}). /help lists the commands."))
    try:
        with patch_stdout(raw=True):
            await execute(desk, "/list")
            while True:
                line = await session.prompt_async(lambda: _prompt(desk), bottom_toolbar=lambda: _toolbar(desk))
                await execute(desk, line)
    except (Leave, EOFError, KeyboardInterrupt):
        return 0
    except Stopped as stopped:
        desk.out.say("error", Text(str(stopped), style="bold red"))
        return 1
    finally:
        await teller.close()


def _prompt(desk: Desk) -> HTML:
    if desk.current is None:
        return HTML("<b>›</b> ")
    return HTML("<ansicyan><b>{}</b></ansicyan> <b>›</b> ").format(desk.name(desk.current))


def _toolbar(desk: Desk) -> HTML:
    client = desk.client
    state = client.state
    parts = [
        "online" if client.online else "offline, reconnecting",
        f"{state.unread} unread",
        f"{len(state.entries)} contacts",
    ]
    offered = sum(offer.to.id == client.me.id for offer in state.offers.values())
    if offered:
        parts.append(f"{offered} offered: /offers")
    if client.unsent:
        parts.append(f"{len(client.unsent)} unsent")
    if desk.current is not None and desk.typing.get(desk.current.conversation, 0) > client.now_ms():
        parts.append(f"{desk.name(desk.current)} is typing …")
    return HTML(" {} ").format("  ·  ".join(parts))


class TypingTeller:
    """Tells the other side that somebody is typing here, at most every few seconds (C16)."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._told_at = 0
        self._task: asyncio.Task[None] | None = None

    def changed(self, text: str) -> None:
        """The line being typed has changed."""
        desk, now = self._desk, self._desk.client.now_ms()
        if not text or text.startswith("/") or desk.current is None or now - self._told_at < TYPING_MS:
            return
        if self._task is None or self._task.done():
            self._told_at = now
            self._task = asyncio.create_task(self._tell(desk.current.conversation))

    async def _tell(self, conversation: UUID) -> None:
        with contextlib.suppress(FairwireError, Stopped):
            await self._desk.client.chat.typing(conversation=conversation, timeout=5)

    async def close(self) -> None:
        """Nothing is told any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
