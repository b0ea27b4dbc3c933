"""Falling over: what one channel cannot deliver goes by the next, and who is not reached at all is shown to main (N6, A8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from fairwire_server.database.ids import uuid7
from fairwire_server.database.work import Work
from fairwire_server.notices.planning import Planning
from fairwire_server.notices.records import Claimed, Wanted
from fairwire_server.notices.rules import KINDS, fall_over
from fairwire_server.notices.store import NoticeStore

__all__ = ["FallOver"]


class FallOver:
    """SMS → email → app. The app has its own notice of everything, so what falls over to it is there already."""

    def __init__(self, store: NoticeStore, planning: Planning, hint: Callable[[], None]) -> None:
        self._store = store
        self._planning = planning
        self._hint = hint

    async def of(self, work: Work, notices: Sequence[Claimed], now: datetime) -> None:
        """For notices that have ended undelivered, and whose use is not over."""
        useful = [one for one in notices if one.useless_at > now]
        by_mail = [one for one in useful if fall_over(one.channel, one.kind) == "email"]
        if by_mail:
            await self._store.columns(work.connection, "plan", [_instead_of(one, now) for one in by_mail], now, None)
            work.on_commit(self._hint)
        unreached = [
            one
            for one in useful
            if fall_over(one.channel, one.kind) == "in_app" and one.side == "team" and KINDS[one.kind].n1
        ]
        if not unreached:
            return
        mains = await self._store.mains(work.connection, [one.recipient for one in unreached])
        await self._planning.plan(work, [_unreached(one, mains) for one in unreached if one.recipient in mains])


def _instead_of(one: Claimed, now: datetime) -> tuple[Any, ...]:
    """The same by email, at once. Where the recipient has added email itself, that notice is there and this one is not (N4)."""
    return (
        uuid7(), one.fair, one.subject, one.subject_id, one.kind, one.recipient, one.side, "email", one.time_revision, one.assignment,
        None, KINDS[one.kind].priority, now, one.useless_at, "planned", None, one.id,
    )  # fmt: skip


def _unreached(one: Claimed, mains: dict[Any, Any]) -> Wanted:
    return Wanted(
        subject=one.subject,
        subject_id=one.subject_id,
        fair=one.fair,
        kind="unreached",
        recipient=mains[one.recipient],
        side="team",
        useless_at=one.useless_at,
        time_revision=one.time_revision,
        assignment=one.assignment,
    )
