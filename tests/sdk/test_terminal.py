"""The terminal: both modes and the tap, against a peer (C9, C14, C15, W1)."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.text import Text

from fairwire.client import Client
from fairwire.terminal import view
from fairwire.terminal.commands import COMMANDS, execute
from fairwire.terminal.desk import Desk
from fairwire.terminal.interactive import run_interactive
from fairwire_protocol import frames as f
from fairwire_protocol.errors import Refused
from fairwire_protocol.models import BuyerCard, Entry, Message, Person, Transfer
from fairwire_protocol.operations.chat import Hit
from tests.protocol.in_memory import ACCOUNT, exhibitor_entry
from tests.sdk.peer import Chat, Peer, peer
from tests.sdk.test_client import client_of

CHAT = UUID(int=1001)


def message(seq: int, text: str = "hello", **fields: object) -> Message:
    sender = Person(id=UUID(int=9), name="Ana")
    values = {"kind": "text", "side": "buyer", "ts": 0, "text": text, "sender": sender, **fields}
    return Message(conversation=CHAT, seq=seq, **values)  # type: ignore[arg-type]


class Heard:
    """Lines that were told."""

    plain = True

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, kind: str, text: Text | str = "") -> None:
        self.lines.append(f"{kind} {text.plain if isinstance(text, Text) else text}".strip())


@asynccontextmanager
async def desk() -> AsyncIterator[tuple[Peer, Client, Desk, Heard]]:
    async with peer() as it:
        it.streams.entries = [exhibitor_entry(1, open=True), exhibitor_entry(2)]
        it.answers["chat.history"] = lambda _call, _args: {"messages": []}
        it.answers["presence.watch"] = lambda _call, _args: {"states": []}
        async with client_of(it) as client:
            heard = Heard()
            yield it, client, Desk(client, heard), heard


async def test_every_command_answers_something_typed_wrongly_without_raising() -> None:
    """Whatever is typed, the user hears why; nothing but leaving leaves."""
    async with desk() as (it, _, at, heard):
        it.answers = {}
        for name in COMMANDS:
            if name not in {"quit", "signout", "handled", "transfers", "take", "colleagues", "exhibitors"}:
                it.answers |= {
                    op: lambda _call, _args: Refused("forbidden") for op in ("chat.list", "contacts.starred")
                }
                await execute(at, f"/{name} %")
        await execute(at, "/nonsense")
        await execute(at, "/s")
        await execute(at, "hello")
        assert any("there is no /nonsense" in line for line in heard.lines)
        assert any("which one?" in line for line in heard.lines)
        assert heard.lines[-1].startswith("error no conversation is open")


async def test_opening_sending_and_reading() -> None:
    async with desk() as (it, _, at, heard):
        chat = it.answers["chat.send"] = Chat()
        await execute(at, "/list")
        await execute(at, "/open Exhibitor 1")
        await execute(at, "good morning")
        await execute(at, "//not a command")
        assert chat.stored == ["good morning", "/not a command"]
        assert heard.lines[-1] == "sent #2"
        assert "chat.read" in [call.op for call in it.calls]


async def test_c15_search_shows_where_it_matches() -> None:
    hit = Hit(entry=exhibitor_entry(1), message=message(7, "展位在哪里"), marks=((0, 2),))
    assert "«展位»在哪里" in view.hit_line(1, hit, "en", plain=True).plain
    styled = view.hit_line(1, hit, "en", plain=False)
    assert [styled.plain[span.start : span.end] for span in styled.spans if "reverse" in str(span.style)] == ["展位"]


def test_a_line_tells_without_colour_what_a_contact_is() -> None:
    card = BuyerCard(id=UUID(int=9), name="Ana")
    entry = Entry(
        conversation=CHAT, contact=card, at=1, last_seq=5, read=3, open=True, waiting_since=1, pinned_at=1, starred=True,
        holder=Person(id=UUID(int=4), name="Mei"), last=message(5), blocked_by_buyer=True,
    )  # fmt: skip
    line = view.entry_line(3, entry, "away", "en").plain
    for part in ("3", "◐", "Ana", "(2)", "📌", "★", "with Mei", "waiting", "blocked", "hello"):
        assert part in line


def test_c8_c12_messages_of_every_kind_have_their_words() -> None:
    ana, mei, wang = (Person(id=UUID(int=n), name=name) for n, name in ((1, "Ana"), (2, "Mei"), (3, "Wang")))
    assert view.message_text(message(1, recalled=True, text=None)) == "(recalled)"  # type: ignore[arg-type]
    moved = Transfer(to=mei, source=ana, by=wang, note="speaks Spanish")
    assert view.message_text(message(1, transfer=moved)) == "[transfer: Ana → Mei by Wang] note: speaks Spanish"
    assert view.message_text(message(1, transfer=Transfer(to=mei))) == "[transfer: now with Mei]"
    read = view.message_line(message(4, sender=ana), ana.id, read_to=4).plain
    assert read.startswith("#4 ")
    assert read.endswith("you: hello ✓✓")


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fairwire", *arguments, stdin=pipe, stdout=pipe
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def lines_until(process: asyncio.subprocess.Process, start: str) -> list[str]:
    """What it prints, up to a line that starts so."""
    assert process.stdout is not None
    seen: list[str] = []
    async with asyncio.timeout(20):
        while not seen or not seen[-1].startswith(start):
            line = await process.stdout.readline()
            assert line, f"it ended after {seen}"
            seen.append(line.decode().rstrip("\n"))
    return seen


async def test_the_plain_mode_talks_through_pipes(tmp_path: Path) -> None:
    async with peer() as it:
        it.streams.entries = [exhibitor_entry(1)]
        it.answers["chat.send"] = Chat()
        it.answers["chat.history"] = lambda _call, _args: {"messages": []}
        it.answers["presence.watch"] = lambda _call, _args: {"states": []}
        arguments = ("--url", it.url, "--token", "t", "--data-dir", str(tmp_path), "--plain")
        async with program(*arguments) as process:
            assert process.stdin is not None
            await lines_until(process, f"ready {ACCOUNT.name} (business), 1 contacts, 1 unread")
            process.stdin.write("/list\n/open 1\n你好\n".encode())
            seen = await lines_until(process, "sent #1")
            assert seen[0].startswith("contact   1 · Exhibitor 1 (1)")
            await it.push(fair=True)
            await lines_until(process, "announcement 1")
            process.stdin.write(b"/quit\n")
            assert await process.wait() == 0


async def test_the_plain_mode_leaves_when_it_is_turned_away(tmp_path: Path) -> None:
    async with peer() as it:
        it.greet = lambda _: f.Bye(code=4501, reason="suspended")
        async with program("--url", it.url, "--token", "t", "--data-dir", str(tmp_path), "--plain") as process:
            assert await process.wait() == 1


@pytest.mark.parametrize("codec", ["msgpack", "json"])
async def test_w1_the_tap_prints_plain_maps_and_answers_beats(codec: str) -> None:
    async with peer() as it:
        async with program("tap", it.url, "--token", "secret", "--codec", codec) as process:
            first = await lines_until(process, "")
            await it.wait(lambda: bool(it.hellos))
            await it.push()
            await it.send(f.Beat(pos=1, fair_pos=0))
            await it.wait(lambda: f.Ack(pos=1, fair_pos=0) in it.acks)
            await it.cut(4000)
            assert process.stdout is not None
            rest = (await process.stdout.read()).decode().splitlines()
            assert await process.wait() == 0
        maps = [json.loads(line.partition(" B  ")[2]) for line in (*first, *rest) if " B  " in line]
        assert [it["t"] for it in maps] == [
            "hello",
            "welcome",
            "resumed",
            "snapshot",
            "snapshot",
            "live",
            "event",
            "beat",
            "ack",
        ]
        assert "secret" not in "".join((*first, *rest))
        assert rest[-1] == "closed 4000"


async def test_the_interactive_mode_runs_commands_and_leaves() -> None:
    async with desk() as (it, client, _, __):
        chat = it.answers["chat.send"] = Chat()
        with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
            keys.send_text("/open 1\rhello there\r/help\r/quit\r")
            async with asyncio.timeout(20):
                assert await run_interactive(client, language="en") == 0
        assert chat.stored == ["hello there"]
