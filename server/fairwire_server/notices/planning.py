"""Planning (N1–N4): who is to be told what, as rows in the transaction of what they are told about.

What is stored is an offset and a channel, never a text. Taking back what was planned is the same call's other half: what has not
been claimed ends as skipped, and what is just being handed to a provider is waited for, so that nothing leaves for the old time
after the change was acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from fairwire_protocol.errors import Unavailable
from fairwire_protocol.events import NoticeKind
from fairwire_protocol.models import Side
from fairwire_server.database.ids import uuid7
from fairwire_server.database.present import Present
from fairwire_server.database.work import Work
from fairwire_server.notices.records import SubjectKind, Wanted
from fairwire_server.notices.rules import KINDS, Addressee, ChannelName, NoticeState, channels_for, planned_state
from fairwire_server.notices.store import NoticeStore
from fairwire_server.streams.told import Draft

__all__ = ["Planning", "Withdrawal"]

WAIT_S: Final = 1.0
LOOK_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What is no longer to be sent of a subject: everything planned, or what does not belong to these counters (N2)."""

    subject_id: UUID
    reason: str
    time_revision: int | None = None
    assignment: int | None = None


class Planning:
    """Joins the caller's transaction. `hint` tells the workers, after commit, that something is due at once."""

    def __init__(self, store: NoticeStore, hint: Callable[[], None], present: Present) -> None:
        self._store = store
        self._hint = hint
        self._present = present
        self._told_by = uuid4()  # whose attempts those are that need no worker

    async def plan(
        self, work: Work, wanted: Sequence[Wanted], known: Mapping[UUID, Addressee] | None = None
    ) -> Sequence[Draft]:
        """Rows for everything wanted, however much, in two statements, or one if all recipients are `known`. Before streams are
        locked. Answers what this transaction itself is to tell."""
        if not wanted:
            return ()
        known = known or {}
        if missing := {one.recipient for one in wanted} - known.keys():
            known = {**known, **await self._store.addressees(work.connection, missing)}
        rows: dict[tuple[object, ...], tuple[Any, ...]] = {}
        drafts: list[Draft] = []
        hint = False
        for one in wanted:
            for channel in channels_for(one.kind, known[one.recipient]) if one.recipient in known else ():
                told = one.draft if channel == "in_app" else None
                # N4: the key; two changes of one booking in one batch may want the same.
                key = (one.subject_id, one.kind, one.recipient, channel, one.time_revision, one.assignment)
                rows[key] = _row(one, channel, work.now, told=told is not None)
                if told is not None:
                    drafts.append(told)
                elif one.offset_s is None:
                    hint = True
        await self._store.columns(work.connection, "plan", list(rows.values()), work.now, self._told_by)
        if hint:
            work.on_commit(self._hint)
        return drafts

    async def news(
        self,
        work: Work,
        kind: NoticeKind,
        about: tuple[SubjectKind, UUID],
        fair: UUID,
        people: Iterable[tuple[UUID, Side]],
        useless_at: datetime,
    ) -> None:
        """Tell these people at once of what happens once (N10)."""
        wanted = [
            Wanted(
                subject=about[0],
                subject_id=about[1],
                fair=fair,
                kind=kind,
                recipient=account,
                side=side,
                useless_at=useless_at,
            )
            for account, side in people
        ]
        await self.plan(work, wanted)

    async def withdraw(self, work: Work, withdrawals: Sequence[Withdrawal]) -> None:
        """End what was planned and is not wanted any more. Raises `busy` when something of it does not stop being handed over."""
        if not withdrawals:
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + WAIT_S
        while not await self._taken_back(work, withdrawals):
            if loop.time() >= until:
                raise Unavailable("busy", "A notice of this is being sent just now.", retry_after_ms=500)
            await asyncio.sleep(LOOK_S)  # real time: what is waited for is another process

    async def _taken_back(self, work: Work, withdrawals: Sequence[Withdrawal]) -> bool:
        """N4: nothing of it is being claimed, and what was claimed has its outcome, or its lease is over and it cannot leave any more."""
        rows = [(one.subject_id, one.reason, one.time_revision, one.assignment) for one in withdrawals]
        await self._store.columns(work.connection, "withdraw", rows, work.now)
        subjects = [(one.subject_id, one.time_revision, one.assignment) for one in withdrawals]
        (row,) = await self._store.rows(work.connection, "under_way", subjects)
        if row["being_claimed"]:
            return False
        if not row["claimed"]:
            return True
        now = await self._present(work)
        if row["lease_until"] > now:
            return False
        lapsed = await self._store.fetch(work.connection, "keep_lapsed", [one[0] for one in subjects], now)
        return len(lapsed) >= int(row["claimed"])


def _row(one: Wanted, channel: ChannelName, now: datetime, *, told: bool) -> tuple[Any, ...]:
    kind = KINDS[one.kind]
    if one.offset_s is None or one.starts_at is None:
        at_once, due_at = True, now
    else:
        at_once, due_at = False, one.starts_at - timedelta(seconds=one.offset_s)
    state: NoticeState
    if told:
        state, reason = "sent", None
    else:
        state, reason = planned_state(one.kind, due_at=due_at, useless_at=one.useless_at, at_once=at_once, now=now)
    return (
        uuid7(), one.fair, one.subject, one.subject_id, one.kind, one.recipient, one.side, channel, one.time_revision, one.assignment,
        one.offset_s, kind.priority, max(due_at, now) if state == "planned" else due_at, one.useless_at, state, reason, None,
    )  # fmt: skip
