"""Reports, keywords, figures and announcements: what the organiser sees and does about the chats (A4, C18).

The organiser reads no chat. What a report names is read as the team would see it, and every reading is in the audit log, in the
transaction that reads. A message that the keyword list flags is counted in the figures and marked in its row, and is not shown to
anybody for that: a list is no report, and A4 opens a chat for reports alone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.events import Announcement
from fairwire_protocol.operations import Empty, Request
from fairwire_protocol.operations import chat as chat_operations
from fairwire_protocol.operations import organiser as operations
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.store import AccountStore
from fairwire_server.chat.keyword_lists import KeywordLists
from fairwire_server.chat.keywords import Action
from fairwire_server.chat.moderation_store import ModerationStore
from fairwire_server.chat.noticing import ChatNoticing
from fairwire_server.chat.reading import page_cursor, read_cursor, readable_end
from fairwire_server.chat.rules import normal_text
from fairwire_server.clock import milliseconds
from fairwire_server.contacts.rules import check_visible
from fairwire_server.contacts.store import ContactStore
from fairwire_server.context import Context
from fairwire_server.database.ids import uuid7
from fairwire_server.database.together import Together
from fairwire_server.database.work import Work, Works
from fairwire_server.streams.messages import render_message
from fairwire_server.streams.service import Streams

__all__ = ["Live", "LiveFigures", "Moderation"]

PAGE: Final = 50
TITLE_MAX: Final = 200
TEXT_MAX: Final = 4_000


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """What only the hub and presence know of a fair: open sockets, and accounts online by kind."""

    sockets: int
    accounts_online: Mapping[str, int]


Live = Callable[[UUID], LiveFigures]
"""The live figures of a fair."""


class Moderation:
    """Handlers of `chat.report`, `organiser.reports`, `…read_report`, `…close_report`, `…keywords`, `…set_keywords`, `…figures` and
    `fair.announce`."""

    def __init__(
        self,
        works: Works,
        commands: Commands,
        store: ModerationStore,
        accounts: AccountStore,
        contacts: ContactStore,
        streams: Streams,
        noticing: ChatNoticing,
        lists: KeywordLists,
        live: Live,
    ) -> None:
        self._works = works
        self._commands = commands
        self._together = Together(works)
        self._store = store
        self._accounts = accounts
        self._contacts = contacts
        self._streams = streams
        self._noticing = noticing
        self._lists = lists
        self._live = live

    async def report(
        self, caller: Caller, context: Context, request: chat_operations.ReportChat
    ) -> chat_operations.Reported:
        """C18: only messages that the reporter may read (C9); the organisers are told."""

        async def apply(work: Work, caller: Caller) -> chat_operations.Reported:
            view = await self._contacts.view_of(work.connection, caller.account, request.conversation)
            sight = check_visible(caller, view)
            seqs = sorted(set(request.seqs))
            if seqs[0] < 1 or seqs[-1] > readable_end(caller, sight):
                raise Refused("not_found", "No such message.", field="seqs")
            report = uuid7()
            reason = _text(request.reason, "reason")
            await self._store.insert_report(
                work.connection, report, caller.fair, sight.conversation, caller.account, seqs, reason, work.now
            )
            organisers = await self._store.organisers(work.connection, caller.fair)
            await self._noticing.reported(work, caller.fair, report, organisers)
            return chat_operations.Reported(report=report)

        return await self._commands.run(chat_operations.REPORT, caller, context, request, apply)

    async def reports(self, caller: Caller, _: Context, request: operations.ListReports) -> operations.ReportList:
        """Newest first, without what was said."""
        at, last = read_cursor(request.after)
        async with self._works.read() as work:
            found = await self._store.reports(work.connection, caller.fair, request.state, at, last, PAGE + 1)
        page = found[:PAGE]
        following = page_cursor(page[-1][0], page[-1][1].id) if len(found) > PAGE else None
        return operations.ReportList(reports=tuple(summary for _, summary in page), next=following)

    async def read_report(
        self, caller: Caller, context: Context, request: operations.ReportRef
    ) -> operations.ReportReply:
        """A4: the reported messages and no others; the audit log says who read them."""

        async def apply(work: Work, caller: Caller) -> operations.ReportReply:
            summary = await self._store.report(work.connection, caller.fair, request.report)
            if summary is None:
                raise Refused("not_found")
            await self._note(work, caller, "report.read", summary.id)
            rows = await self._store.reported_messages(work.connection, summary.id)
            return operations.ReportReply(report=summary, messages=tuple(render_message(row, "team") for row in rows))

        return await self._commands.run(operations.READ_REPORT, caller, context, request, apply)

    async def close_report(self, caller: Caller, context: Context, request: operations.ReportRef) -> Empty:
        """C18: dealt with. Closing it twice is no error."""

        async def apply(work: Work, caller: Caller) -> Empty:
            if await self._store.close_report(work.connection, caller.fair, request.report, work.now):
                await self._note(work, caller, "report.close", request.report)
            elif await self._store.report(work.connection, caller.fair, request.report) is None:
                raise Refused("not_found")
            return Empty()

        return await self._commands.run(operations.CLOSE_REPORT, caller, context, request, apply)

    async def keywords(self, caller: Caller, _: Context, __: Request) -> operations.KeywordsReply:
        """The list as it is stored."""
        async with self._works.read() as work:
            return operations.KeywordsReply(keywords=await self._store.keywords(work.connection, caller.fair))

    async def set_keywords(
        self, caller: Caller, context: Context, request: operations.SetKeywords
    ) -> operations.KeywordsReply:
        """C18: the whole list anew; on this node it counts from the commit on."""
        words = _graver(request.keywords)
        built = await self._lists.build(words)

        async def apply(work: Work, caller: Caller) -> operations.KeywordsReply:
            await self._store.replace_keywords(work.connection, caller.fair, words)
            await self._note(work, caller, "keywords.set", None, count=len(words))
            work.on_commit(lambda: self._lists.put(caller.fair, built))
            return operations.KeywordsReply(keywords=await self._store.keywords(work.connection, caller.fair))

        return await self._commands.run(operations.SET_KEYWORDS, caller, context, request, apply)

    async def figures(self, caller: Caller, _: Context, __: Request) -> operations.Figures:
        """What is stored, and who is here now."""
        async with self._works.read() as work:
            stored = await self._store.figures(work.connection, caller.fair)
        live = self._live(caller.fair)
        return operations.Figures(sockets=live.sockets, accounts_online=dict(live.accounts_online), **stored)

    async def announce(self, caller: Caller, context: Context, request: operations.Announce) -> operations.Announced:
        """W2: one row on the fair stream, whoever reads it. Several at once are one transaction, and one write for each reader."""

        async def apply(work: Work, caller: Caller) -> operations.Announced:
            event = Announcement(
                id=uuid7(),
                ts=milliseconds(work.now),
                title=normal_text(request.title, TITLE_MAX),
                text=_text(request.text, "text"),
                language=request.language,
            )
            await self._note(work, caller, "fair.announce", event.id)
            pos = await self._streams.announce_fair(work, caller.fair, event)
            return operations.Announced(id=event.id, pos=pos)

        return await self._together.run(
            caller.fair,
            lambda work: self._commands.within(work, operations.ANNOUNCE, caller, context, request, apply),
        )

    async def _note(self, work: Work, caller: Caller, action: str, subject: UUID | None, **detail: object) -> None:
        await self._accounts.audit(work.connection, caller.fair, caller.account, action, subject, work.now, detail)


def _text(text: str, field: str) -> str:
    """A text of the organiser's or a reporter's own: it may be empty, but the database must hold it."""
    if "\0" in text:
        raise Refused("invalid", "The text holds a character that is none.", field=field)
    return unicodedata.normalize("NFC", text)


def _graver(keywords: Sequence[operations.Keyword]) -> dict[str, Action]:
    """Word → action; of a word listed twice the graver action counts."""
    words: dict[str, Action] = {}
    for keyword in keywords:
        word = _text(keyword.word.strip(), "keyword")
        if words.get(word) != "refuse":
            words[word] = keyword.action
    return words
