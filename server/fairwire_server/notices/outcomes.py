"""Outcomes: how attempts ended, in batches, fenced by their number; and what nobody said anything about (N4, N6)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from fairwire_server.database.present import Present
from fairwire_server.database.work import Work, Works
from fairwire_server.notices.claiming import Held, claimed_of
from fairwire_server.notices.fall_over import FallOver
from fairwire_server.notices.parcels import Taken
from fairwire_server.notices.records import Claimed
from fairwire_server.notices.rules import Failure, Verdict, after_failure, after_loss
from fairwire_server.notices.store import NoticeStore

__all__ = ["LOST_AFTER_S", "Ended", "Outcomes"]

LOST_AFTER_S: Final = 30.0
"""Counted from the end of the lease: longer than any channel's own time-out, so that a slow answer is not taken for a lost one."""
BATCH: Final = 500
PAUSE_S: Final = 5.0
"""For a provider that says it has had too much and not for how long."""


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt and how it ended. `throttled`: the whole provider is to pause."""

    held: Held
    result: Taken | Failure
    provider: str
    throttled: bool = False


class Outcomes:
    """Writes them, and gives up what was lost."""

    def __init__(self, works: Works, store: NoticeStore, fall_over: FallOver, present: Present) -> None:
        self._works = works
        self._store = store
        self._fall_over = fall_over
        self._present = present
        self._random = random.Random()  # noqa: S311 - jitter is no secret

    async def write(self, ended: Sequence[Ended]) -> None:
        """In one transaction; what counts no more changes nothing."""
        async with self._works.begin() as work:
            now = await self._present(work)
            verdicts = [self._verdict(one, now) for one in ended]
            await self._finish(
                work,
                now,
                [
                    (one.held.notice, one.held.number, _outcome(one.result, verdict), one.result, verdict)
                    for one, verdict in zip(ended, verdicts, strict=True)
                ],
            )
            await self._tell_providers(work, ended, now)

    async def sweep(self) -> int:
        """Attempts whose worker is gone, and what nobody sent in time. Answers how many of the first."""
        async with self._works.begin() as work:
            now = await self._present(work)
            rows = await self._store.fetch(work.connection, "lost", now - timedelta(seconds=LOST_AFTER_S), BATCH)
            lost = [(claimed_of(row), row["attempts"]) for row in rows]
            await self._finish(work, now, [(one, number, "lost", _LOST, _loss(one, now)) for one, number in lost])
        while True:
            async with self._works.begin() as work:
                now = await self._present(work)
                if len(await self._store.fetch(work.connection, "end_useless", now, BATCH)) < BATCH:
                    return len(lost)

    def _verdict(self, one: Ended, now: datetime) -> Verdict:
        if isinstance(one.result, Taken):
            return Verdict(state="sent")
        notice = one.held.notice
        return after_failure(
            notice.kind,
            one.result,
            attempts=one.held.number,
            duplicate=notice.maybe_duplicate,
            now=now,
            useless_at=notice.useless_at,
            jitter=self._random.random(),
        )

    async def _finish(
        self, work: Work, now: datetime, ended: Sequence[tuple[Claimed, int, str, Taken | Failure, Verdict]]
    ) -> None:
        if not ended:
            return
        rows = [_row(*one) for one in ended]
        counted = {row["id"] for row in await self._store.rows(work.connection, "finish", rows, now)}
        fallen = [notice for notice, _, _, _, verdict in ended if verdict.falls_over and notice.id in counted]
        await self._fall_over.of(work, fallen, now)

    async def _tell_providers(self, work: Work, ended: Sequence[Ended], now: datetime) -> None:
        """N6: 429 is obeyed by all workers. Locked by name, as nothing else locks two of them."""
        errors: dict[str, tuple[str, datetime | None]] = {}
        for one in ended:
            if isinstance(one.result, Failure):
                until = errors.get(one.provider, ("", None))[1]
                if one.throttled:
                    pause = now + timedelta(seconds=one.result.after_s if one.result.after_s is not None else PAUSE_S)
                    until = pause if until is None else max(until, pause)
                errors[one.provider] = one.result.reason, until
        for name, (reason, until) in sorted(errors.items()):
            if until is not None:
                await self._store.run(work.connection, "pause_provider", name, until, reason, now)
            elif reason != "lease_over":
                await self._store.run(work.connection, "note_error", name, reason, now)


_LOST: Final = Failure(reason="lost")


def _loss(one: Claimed, now: datetime) -> Verdict:
    return after_loss(one.kind, duplicate=one.maybe_duplicate, now=now, useless_at=one.useless_at)


def _outcome(result: Taken | Failure, verdict: Verdict) -> str:
    if isinstance(result, Taken):
        return "sent"
    if result.final:
        return "final"
    return "lost" if verdict.state == "unknown" else "retry"


def _row(notice: Claimed, number: int, outcome: str, result: Taken | Failure, verdict: Verdict) -> tuple[Any, ...]:
    taken = result if isinstance(result, Taken) else None
    reason = result.reason if isinstance(result, Failure) else None
    return (
        notice.id, number, outcome, reason, taken.reference if taken else None, taken.segments if taken else 0, verdict.state,
        verdict.due_at, verdict.maybe_duplicate,
    )  # fmt: skip
