"""Our server as a process of its own, which can be killed: `python -m fairwire_server serve`, or `worker`, on free ports.

A restart takes the same port, so clients come back to where they were. What it wrote to its standard error is kept.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

__all__ = ["ServerProcess", "server_process"]

READY_S: Final = 60.0
_URL: Final = re.compile(r"Fairwire is running at (http://[\d.]+:(\d+))")
_ADMIN: Final = re.compile(r"health and metrics (http://[\d.]+:\d+)")


class ServerProcess:
    """One installation; `start` and `kill` as often as wanted. `settings` become `FAIRWIRE_*` variables."""

    def __init__(
        self, folder: Path, command: str = "serve", module: str = "fairwire_server", /, **settings: object
    ) -> None:
        self._arguments = "-m", module, command
        self.port = 0
        self.admin = ""
        self.said = ""
        """All that was written to standard error, over all starts."""
        self._settings = {"data_dir": folder, "admin_port": 0, "rate_factor": 0, "log_format": "json", **settings}
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    @property
    def url(self) -> str:
        """Where clients connect, once it has been started."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> float:
        """Start, and return the seconds it took to be ready. Raises with what it said when it ends instead."""
        began = time.monotonic()
        self._ready = asyncio.Event()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("FAIRWIRE_")}
        for name, value in {**self._settings, "port": self.port}.items():
            environment[f"FAIRWIRE_{name.upper()}"] = str(value)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *self._arguments,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env=environment,
        )  # fmt: skip
        self._listening = asyncio.create_task(self._listen(self._process))
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._listening}, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.is_set():
            ready.cancel()
            raise AssertionError(f"the server did not start:\n{self.said}")
        return time.monotonic() - began

    async def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """A signal, and the exit code it led to."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        """Its exit code, once it has ended by itself or by a signal."""
        assert self._process is not None
        assert self._listening is not None
        code = await self._process.wait()
        await self._listening
        return code

    def send(self, number: signal.Signals) -> None:
        """Send a signal, and wait for nothing."""
        assert self._process is not None
        self._process.send_signal(number)

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator[None]:
        """It stands still while the body runs."""
        self.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send(signal.SIGCONT)

    async def stop(self) -> None:
        """Be gone, however."""
        if self._process is not None and self._process.returncode is None:
            await self.kill()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            text = line.decode(errors="replace")
            self.said += text
            if (found := _URL.search(text)) is not None:
                self.port = int(found[2])
            if (found := _ADMIN.search(text)) is not None:
                self.admin = found[1]
                self._ready.set()


@asynccontextmanager
async def server_process(folder: Path, **settings: object) -> AsyncIterator[ServerProcess]:
    """A started server, gone at the end."""
    server = ServerProcess(folder, **settings)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
