"""The tutorial is true: a real server process, a real terminal client per window, every command typed, every answer seen."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.harness.until import until

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs/tutorial.md").read_text("utf-8")
LOGINS = {"buyer": "buyer1", "main": "acme-main", "sales": "acme-sales"}
PATIENCE_S = 20.0
START_S = 60.0
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


class Window:
    """One terminal: what was printed since the last command, and a way to wait for a line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._more = asyncio.Condition()
        self.reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for raw in self.process.stdout:
            async with self._more:
                self.lines.append(re.sub(r" \d\d:\d\d ", " HH:MM ", raw.decode().rstrip()))
                self._more.notify_all()

    async def type(self, command: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(command.encode() + b"\n")
        await self.process.stdin.drain()

    async def see(self, wanted: str, *, start: int = 0, within: float = PATIENCE_S) -> None:
        """Wait until a line printed after `start` holds `wanted`."""
        try:
            async with asyncio.timeout(within), self._more:
                await self._more.wait_for(lambda: any(wanted in line for line in self.lines[start:]))
        except TimeoutError:
            pytest.fail(f"never saw {wanted!r}; saw {self.lines[start:]}")


class Outbox:
    """The page where mails and short messages stay."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/outbox"

    async def see(self, wanted: str) -> None:
        """Look again until it is there."""

        async def shown() -> bool:
            async with session.get(self._url) as answer:
                return wanted in await answer.text()

        async with ClientSession() as session:
            await until(shown, within=PATIENCE_S)


@asynccontextmanager
async def process(*args: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python module as a process of its own, ended with the body."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("FAIRWIRE_")} | environment
    one = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=env,
        cwd=ROOT,
    )
    try:
        yield one
    finally:
        if one.returncode is None:
            one.terminate()
        await one.wait()


@asynccontextmanager
async def fair(data: Path) -> AsyncIterator[str]:
    """`make run`, as far as the server is concerned; gives its URL."""
    settings = {"FAIRWIRE_DEMO": "1", "FAIRWIRE_DATA_DIR": str(data), "FAIRWIRE_PORT": "0", "FAIRWIRE_ADMIN_PORT": "0"}
    async with process("fairwire_server", "serve", **settings) as server:
        screen = Window(server)
        await screen.see("Ctrl-C stops it", within=START_S)
        found = re.search(r"running at (http://[\d.:]+)", "\n".join(screen.lines))
        assert found is not None
        yield found[1]
    await screen.reader


@asynccontextmanager
async def window(url: str, name: str, folder: Path) -> AsyncIterator[Window]:
    """The command of the tutorial's table, for one window."""
    args = ["fairwire", "--plain", "--profile", name, "--fair", "demo", "--login", LOGINS[name]]
    async with process(*args, "--password", "fairwire-demo", "--data-dir", str(folder), "--url", url) as one:
        opened = Window(one)
        await opened.see("ready")
        yield opened
        await opened.type("/quit")
        await one.wait()
        await opened.reader


@pytest.mark.timeout(180)
async def test_every_command_of_the_tutorial_answers_as_written(tmp_path: Path) -> None:
    blocks = [text for language, text in BLOCK.findall(TUTORIAL) if language == "console"]
    assert blocks
    async with fair(tmp_path / "data") as url:
        async with window(url, "main", tmp_path) as main, window(url, "buyer", tmp_path) as buyer:
            windows = {"main": main, "buyer": buyer}
            outbox = Outbox(url)
            alone = next(
                i for i, block in enumerate(blocks) if "sales>" in block
            )  # so that routing finds the main account
            for block in blocks[:alone]:
                await follow(block, windows, outbox)
            async with window(url, "sales", tmp_path) as sales:
                windows["sales"] = sales
                for block in blocks[alone:]:
                    await follow(block, windows, outbox)
        await program(url)


async def search(window: Window, command: str, wanted: str) -> None:
    """Ask until the index, which is up to 2 s behind, has it (C15)."""
    for _ in range(200):
        start = len(window.lines)
        await window.type(command)
        await window.see("", start=start)
        if any(wanted in line for line in window.lines[start:]):
            return
    pytest.fail(f"{command} never found {wanted}")


async def follow(block: str, windows: dict[str, Window], outbox: Outbox) -> None:
    """Type each command, then see each of the lines under it."""
    current, start, asked = None, 0, ""
    for line in block.splitlines():
        name, sign, command = line.partition("> ")
        if sign and name in windows:
            current = windows[name]
            start = len(current.lines)
            asked = command
            if not command.startswith("/search"):
                await current.type(command)
        elif (told := line.partition("< "))[1] and told[0] in windows:
            await windows[told[0]].see(told[2].strip())
        elif told[1] and told[0] == "outbox":
            await outbox.see(told[2].strip())
        elif line.strip():
            assert current is not None
            if asked.startswith("/search"):
                await search(current, asked, line.strip())
            else:
                await current.see(line.strip(), start=start)


async def program(url: str) -> None:
    """The last part: the program prints what the page says."""
    (source,) = [text for language, text in BLOCK.findall(TUTORIAL) if language == "python"]
    (printed,) = [text for language, text in BLOCK.findall(TUTORIAL) if language == "text"]
    one = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"URL = {url!r}\n{source}", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await one.communicate()
    assert (out.decode().strip(), err.decode()) == (printed.strip(), "")
