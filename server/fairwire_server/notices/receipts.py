"""Receipts: what became of parcels that a provider had taken (N6). A bounce is an outcome as good as a refusal: it falls over."""

from __future__ import annotations

from collections.abc import Sequence

from fairwire_server.database.present import Present
from fairwire_server.database.work import Works
from fairwire_server.notices.claiming import claimed_of
from fairwire_server.notices.fall_over import FallOver
from fairwire_server.notices.parcels import Receipt
from fairwire_server.notices.records import Keep
from fairwire_server.notices.rules import KINDS
from fairwire_server.notices.store import NoticeStore

__all__ = ["TakingIn"]


class TakingIn:
    """`take_in` is what channels are given."""

    def __init__(self, works: Works, store: NoticeStore, fall_over: FallOver, keep: Keep, present: Present) -> None:
        self._works = works
        self._store = store
        self._fall_over = fall_over
        self._keep = keep
        self._present = present

    async def take_in(self, receipts: Sequence[Receipt]) -> None:
        """Keep what became of parcels; receipts that fit nothing are dropped."""
        if not receipts:
            return
        rows = [
            (one.provider, one.reference or None, one.notice, one.outcome, one.reason[:200], one.at) for one in receipts
        ]
        async with self._works.begin() as work:
            now = await self._present(work)
            known = await self._store.rows(work.connection, "take_in", rows)
            bad = [(row["id"], row["reason"] or row["outcome"]) for row in known if row["outcome"] != "delivered"]
            if not bad:
                return
            about = await self._store.fetch(work.connection, "subjects", [notice for notice, _ in bad])
            await self._keep(work.connection, [row["subject_id"] for row in about])
            failed = await self._store.rows(work.connection, "undelivered", bad, now)
            notices = [claimed_of(row) for row in failed]
            # N6: an assignment or a T−15 that did not arrive is still worth another channel; a day-ahead reminder is news of yesterday.
            await self._fall_over.of(work, [one for one in notices if KINDS[one.kind].again], now)
