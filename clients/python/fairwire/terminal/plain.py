"""The plain mode: commands on stdin, one line on stdout for everything that is told, beginning with one word that says what it is.

Made for pipes and tests. The next command is read when the one before is done; at the end of the input the program waits until
the outbox is empty, then leaves.
"""

from __future__ import annotations

import asyncio
import sys
from threading import Thread
from typing import Final, TextIO

from rich.text import Text

from fairwire.client import Client
from fairwire.errors import Stopped
from fairwire.terminal.commands import Leave, execute
from fairwire.terminal.desk import Desk

__all__ = ["PlainOut", "run_plain"]

FLUSH_SECONDS: Final = 10.0


class PlainOut:
    """Bare lines, each flushed."""

    plain = True

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def say(self, kind: str, text: Text | str = "") -> None:
        """`kind`, then the text on one line."""
        words = text.plain if isinstance(text, Text) else text
        self._stream.write(f"{kind} {words}".rstrip().replace("\n", "⏎") + "\n")
        self._stream.flush()


async def run_plain(client: Client, *, language: str, source: TextIO = sys.stdin, target: TextIO = sys.stdout) -> int:
    """Until the input ends, `/quit`, or the server closes the socket for good."""
    out = PlainOut(target)
    desk = Desk(client, out, language)
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        for line in source:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, None)

    Thread(target=read, name="fairwire-stdin", daemon=True).start()  # a read of stdin cannot be cancelled
    state = client.state
    out.say("ready", f"{client.me.name} ({client.me.kind}), {len(state.entries)} contacts, {state.unread} unread")
    try:
        while (line := await lines.get()) is not None:
            await execute(desk, line)
    except Leave:
        return 0
    except Stopped as stopped:
        out.say("stopped", str(stopped))
        return 1
    feed = client.events()
    try:
        async with asyncio.timeout(FLUSH_SECONDS):
            while client.unsent:
                await anext(feed)
    except (TimeoutError, StopAsyncIteration):
        out.say("unsent", str(len(client.unsent)))
    return 0
