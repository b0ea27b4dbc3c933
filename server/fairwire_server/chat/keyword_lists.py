"""Every fair's keyword list in memory, so that sending asks nobody (C18).

A change on this node counts at once, one on another node within `REFRESH_S`. While the database is away the last list counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import structlog

from fairwire_protocol.errors import Unavailable
from fairwire_server.chat.keywords import Action, KeywordList
from fairwire_server.chat.moderation_store import ModerationStore
from fairwire_server.database.work import Works
from fairwire_server.folding import Folding

__all__ = ["KeywordLists"]

REFRESH_S: Final = 3.0


class KeywordLists:
    """`lists(fair)` is the fair's list. `refresh` once before serving; `run` keeps up with other nodes."""

    def __init__(self, works: Works, store: ModerationStore, folding: Folding) -> None:
        self._works = works
        self._store = store
        self._folding = folding
        self._nothing = KeywordList((), folding)
        self._lists: dict[UUID, KeywordList] = {}
        self._versions: dict[UUID, str] = {}
        self._puts = 0
        self._log = structlog.get_logger("keywords")

    def __call__(self, fair: UUID) -> KeywordList:
        """The fair's list as far as this node knows."""
        return self._lists.get(fair, self._nothing)

    async def build(self, words: Mapping[str, Action]) -> KeywordList:
        """A list ready for use. Raises `invalid` for a word without a visible character. Thousands of words take a while, so
        this happens in a thread."""
        return await asyncio.to_thread(KeywordList, words.items(), self._folding)

    def put(self, fair: UUID, built: KeywordList) -> None:
        """This node has just committed a new list."""
        self._lists[fair] = built
        self._versions.pop(fair, None)
        self._puts += 1

    async def run(self) -> None:
        """Keep up, until cancelled."""
        while True:
            await self._works.clock.sleep(REFRESH_S)
            try:
                await self.refresh()
            except Unavailable as error:
                self._log.warning("keyword lists not refreshed", code=error.code)

    async def refresh(self) -> None:
        """Read again what has changed."""
        puts = self._puts
        async with self._works.read() as work:
            versions = await self._store.keyword_versions(work.connection)
            changed = [fair for fair, version in versions.items() if self._versions.get(fair) != version]
            read = {fair: await self._store.keywords(work.connection, fair) for fair in changed}
        built = {
            fair: await self.build({keyword.word: keyword.action for keyword in words}) for fair, words in read.items()
        }
        if puts != self._puts:
            return  # what was read may be older than what was put meanwhile; the next round reads again
        self._lists = {fair: built[fair] if fair in built else self._lists[fair] for fair in versions}
        self._versions = versions
