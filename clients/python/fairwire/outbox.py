"""The outbox: messages that were not acknowledged yet, on disk (W16).

A message is written here before it is sent and leaves when the server has stored it or has refused it for good. It keeps its
cid, so that sending it again after a crash, a cut or a time-out is the same command and never a second message (W7). SQLite is
called on a thread of its own: its fsync must not hold up the reader.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypeVar
from uuid import UUID

__all__ = ["Outbox", "Unsent"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unsent:
    """A message that the server has not acknowledged."""

    cid: UUID
    conversation: UUID
    kind: str
    text: str | None = None
    image: UUID | None = None


class Outbox:
    """The unacknowledged messages of one account, in the order they were written. `path` None keeps them in memory."""

    def __init__(self, path: Path | None, account: UUID) -> None:
        self._account = str(account)
        self._queries = _queries()
        self._thread = ThreadPoolExecutor(1, "fairwire-outbox")
        self._database = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        if path is not None:
            path.chmod(0o600)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute(self._queries["create"])

    async def add(self, message: Unsent) -> None:
        """Durable when this returns."""
        row = (
            self._account, str(message.cid), str(message.conversation), message.kind, message.text,
            str(message.image) if message.image else None,
        )  # fmt: skip
        statement = (
            "INSERT OR IGNORE INTO unsent (account, cid, conversation, kind, text, image) VALUES (?, ?, ?, ?, ?, ?)"
        )
        await self._run(lambda: self._database.execute(statement, row).close())

    async def remove(self, cid: UUID) -> None:
        """It was stored, or refused for good."""
        await self._run(lambda: self._database.execute(self._queries["remove"], (str(cid),)).close())

    async def all(self) -> list[Unsent]:
        """What is left from before, oldest first."""
        return await self._run(self._all)

    def _all(self) -> list[Unsent]:
        with closing(self._database.execute(self._queries["all"], (self._account,))) as rows:
            return [
                Unsent(UUID(cid), UUID(conversation), kind, text, UUID(image) if image else None)
                for cid, conversation, kind, text, image in rows
            ]

    async def close(self) -> None:
        """Nothing of the outbox may be called afterwards."""
        await self._run(self._database.close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _queries() -> dict[str, str]:
    """The named queries of `outbox.sql`."""
    parts = files("fairwire").joinpath("outbox.sql").read_text(encoding="utf-8").split("\n-- ")[1:]
    return {part.partition(":")[0]: part.partition("\n")[2].strip() for part in parts}
