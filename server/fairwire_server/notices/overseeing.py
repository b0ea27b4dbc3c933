"""The organiser's view of notices: how many in which state, how late, one with all its attempts, and the providers (N4–N6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from fairwire_protocol.errors import Refused
from fairwire_protocol.operations import Empty, Request
from fairwire_protocol.operations import notices as operations
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.paging import page_cursor
from fairwire_server.accounts.rules import Caller
from fairwire_server.context import Context
from fairwire_server.database.present import Present
from fairwire_server.database.work import Work, Works
from fairwire_server.notices.records import Keep
from fairwire_server.notices.store import NoticeStore
from fairwire_server.notices.views import attempt_of, notice_item, optional_ms

__all__ = ["Overseeing"]

PAGE: Final = 50
LATENESS_OF: Final = timedelta(hours=24)
HEALTH_OF: Final = timedelta(minutes=15)


class Overseeing:
    """Handlers of `organiser.notices`, `…notice`, `…retry_notice` and `…providers`."""

    def __init__(
        self,
        works: Works,
        commands: Commands,
        store: NoticeStore,
        keep: Keep,
        present: Present,
        hint: Callable[[], None],
    ) -> None:
        self._works = works
        self._commands = commands
        self._store = store
        self._keep = keep
        self._present = present
        self._hint = hint

    async def find(self, caller: Caller, _: Context, request: operations.FindNotices) -> operations.FairNotices:
        """A page, and figures over the same filter."""
        after = page_cursor(request.after)
        chosen = (caller.fair, request.state, request.kind, request.channel)
        async with self._works.read() as work:
            now = await self._present(work)
            rows = await self._store.fetch(work.connection, "fair_notices", *chosen, after, PAGE + 1)
            counts = await self._store.fetch(work.connection, "notice_counts", *chosen)
            late = await self._store.row(work.connection, "lateness", caller.fair, now - LATENESS_OF, now)
        assert late is not None
        p50, p95, most = (round(seconds * 1000) for seconds in late["late"]) if late["late"] else (None, None, None)
        page = tuple(notice_item(row, organiser=True) for row in rows[:PAGE])
        return operations.FairNotices(
            counts=tuple(operations.NoticeCount(**dict(row)) for row in counts),
            overdue=late["overdue"],
            late_p50_ms=p50,
            late_p95_ms=p95,
            late_max_ms=most,
            notices=page,
            next=str(page[-1].id) if len(rows) > PAGE else None,
        )

    async def show(self, caller: Caller, _: Context, request: operations.NoticeRef) -> operations.NoticeReply:
        """One of the own fair, with all its attempts."""
        async with self._works.read() as work:
            row = await self._store.row(work.connection, "notice", request.notice, caller.fair)
            if row is None:
                raise Refused("not_found")
            attempts = await self._store.fetch(work.connection, "attempts", request.notice)
        return operations.NoticeReply(
            notice=notice_item(row, organiser=True), attempts=tuple(attempt_of(attempt) for attempt in attempts)
        )

    async def retry(self, caller: Caller, context: Context, request: operations.NoticeRef) -> Empty:
        """A failed one is planned again while it is of use (N3); one that is planned already stays so."""

        async def apply(work: Work, caller: Caller) -> Empty:
            row = await self._store.row(work.connection, "notice", request.notice, caller.fair)
            if row is None:
                raise Refused("not_found")
            if row["state"] == "planned":
                return Empty()
            await self._keep(work.connection, [row["subject_id"]])
            now = await self._present(work)
            if not await self._store.value(work.connection, "retry_notice", request.notice, caller.fair, now):
                raise Refused("not_retryable")
            work.on_commit(self._hint)
            return Empty()

        return await self._commands.run(operations.RETRY, caller, context, request, apply)

    async def providers(self, _: Caller, __: Context, ___: Request) -> operations.Providers:
        """Those of the installation, which its fairs share."""
        async with self._works.read() as work:
            rows = await self._store.fetch(work.connection, "providers", await self._present(work) - HEALTH_OF)
        return operations.Providers(
            providers=tuple(
                operations.ProviderHealth(
                    name=row["name"],
                    channel=row["channel"],
                    per_minute=round(row["rate"] * 60),
                    paused_until=optional_ms(row["paused_until"]),
                    last_error=row["last_error"],
                    last_error_at=optional_ms(row["last_error_at"]),
                    sent=row["sent"],
                    failed=row["failed"],
                    retried=row["retried"],
                )
                for row in rows
            )
        )
