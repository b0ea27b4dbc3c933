"""The fair's directory: the fair itself, its exhibitors, and what they show (A1, A2, C2)."""

from __future__ import annotations

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import Fair
from fairwire_protocol.operations import identity as ops
from fairwire_server.accounts.directory_store import DirectoryStore
from fairwire_server.accounts.fair_settings import fair_settings
from fairwire_server.accounts.paging import page_cursor
from fairwire_server.accounts.ports import SearchQuery
from fairwire_server.accounts.rules import Caller
from fairwire_server.clock import milliseconds
from fairwire_server.context import Context
from fairwire_server.database.work import Works

__all__ = ["Directory"]

EXHIBITS_SHOWN = 100


class Directory:
    """Handlers of `fair.show` and `exhibitors.*`; a caller sees its own fair."""

    def __init__(self, *, works: Works, directory: DirectoryStore, search_query: SearchQuery) -> None:
        self._works = works
        self._directory = directory
        self._search_query = search_query

    async def fair(self, context: Context, request: ops.FairRef) -> ops.FairReply:
        """A fair by its code, before signing in."""
        async with self._works.read() as work:
            row = await self._directory.fair(work.connection, request.fair)
        if row is None:
            raise Refused("not_found")
        return ops.FairReply(
            fair=Fair(
                id=row.id,
                code=row.code,
                name_zh=row.name_zh,
                name_en=row.name_en,
                time_zone=row.time_zone,
                opens_at=milliseconds(row.opens_at),
                closes_at=milliseconds(row.closes_at),
                sections=row.sections,
                profile_fields=fair_settings(row.settings).profile_fields,
            )
        )

    async def exhibitors(self, caller: Caller, context: Context, request: ops.ListExhibitors) -> ops.ExhibitorList:
        """The fair's exhibitors by name. A query without a word in it finds nothing."""
        after = page_cursor(request.after)
        words = self._search_query(request.query) if request.query.strip() else None
        if words is None and request.query.strip():
            return ops.ExhibitorList(exhibitors=())
        # By words the best plan depends on how rare they are; a page by name has but one.
        async with self._works.read() if words is None else self._works.begin(planned="each_time") as work:
            cards = await self._directory.exhibitors(
                work.connection, caller.fair, words, request.section, after, request.limit + 1
            )
        page = cards[: request.limit]
        return ops.ExhibitorList(exhibitors=tuple(page), next=str(page[-1].id) if len(cards) > request.limit else None)

    async def exhibitor(self, caller: Caller, context: Context, request: ops.ExhibitorRef) -> ops.ExhibitorReply:
        """An exhibitor and its listed exhibits, the newest of them."""
        async with self._works.read() as work:
            card = await self._directory.exhibitor(work.connection, request.exhibitor, caller.fair)
            if card is None:
                raise Refused("not_found")
            exhibits = await self._directory.listed_exhibits(work.connection, request.exhibitor, EXHIBITS_SHOWN)
        return ops.ExhibitorReply(exhibitor=card, exhibits=exhibits)
