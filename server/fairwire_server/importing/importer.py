"""One run: read and check everything, copy it aside, then write it kind by kind (see the package's own words).

Reading touches nothing of the fair. Writing goes in batches of one transaction, so that a run that breaks off leaves whole
rows, and running it again goes on from there. When the database refuses a batch, its halves are tried, down to the row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from fairwire_protocol.errors import Unavailable
from fairwire_server.accounts.logins import fold_login
from fairwire_server.chat.search_tokens import SearchTokens
from fairwire_server.clock import Clock
from fairwire_server.database.ids import uuid7
from fairwire_server.database.pool import Database
from fairwire_server.folding import Folding
from fairwire_server.importing.failures import FailureFiles
from fairwire_server.importing.report import REASONS, Failure, Report, Sample
from fairwire_server.importing.rows import KINDS, Damaged, Item, Kind, RowFault, Source
from fairwire_server.importing.staging import Batch, NewId, Stager
from fairwire_server.importing.store import ImportStore, RowsRefused
from fairwire_server.importing.writing import Tell, Writer, Written

__all__ = ["Importer", "Options", "Progress", "fresh_id"]

COPY_ROWS: Final = 2000
BATCH_ROWS: Final = 4000
ATTEMPTS: Final = 6
FAILURE_PAGE: Final = 1000

Progress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and how much there is (0: nobody knows)."""


def fresh_id(what: str, key: str) -> UUID:
    """A new id, whatever it is for."""
    return uuid7()


def _silent(what: str, done: int, total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the operator chose."""

    fair: str | None = None
    """For rows that name none."""
    phone_region: str | None = None
    """How numbers without a country code are read."""
    sub_account_limit: int = 5
    """Of fairs and exhibitors that say nothing (A2)."""
    password_hash: str | None = None
    """Demo and bench installations: what every new account signs in with."""
    organisers: bool = False
    """Whether rows may describe organisers."""
    dry_run: bool = False


class Importer:
    """Brings sources into a fair. One instance, one run."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        tell: Tell,
        options: Options | None = None,
        *,
        new_id: NewId = fresh_id,
        progress: Progress = _silent,
    ) -> None:
        self._database = database
        self._clock = clock
        self._tell = tell
        self._options = options or Options()
        self._new_id = new_id
        self._progress = progress

    async def run(self, sources: Sequence[Source], failures: FailureFiles) -> Report:
        """Import everything in `sources`; rows that fail go to `failures`. Raises only when the database goes away."""
        started = self._clock.monotonic()
        report = Report(dry_run=self._options.dry_run)
        async with self._database.dedicated() as connection:
            store = ImportStore(connection)
            await store.prepare()
            intake = _Intake(store, self._stager(), report, failures, self._progress)
            for number, source in enumerate(sources):
                await intake.read(number, source)
            await store.execute("index_staging")
            async with store.rehearsal(self._options.dry_run):
                await self._write(store, report)
                await intake.explain([source.name for source in sources])
        report.failures = failures.written
        report.seconds = round(self._clock.monotonic() - started, 3)
        return report

    def _stager(self) -> Stager:
        options = self._options
        return Stager(
            SearchTokens(Folding()).index_tokens,
            fold_login,
            self._new_id,
            fair=options.fair,
            phone_region=options.phone_region,
            organisers=options.organisers,
        )

    async def _write(self, store: ImportStore, report: Report) -> None:
        writer = Writer(
            store,
            self._clock.now(),
            self._tell,
            sub_account_limit=self._options.sub_account_limit,
            password_hash=self._options.password_hash,
        )
        await store.execute("name_the_fair")
        await store.execute("mark_duplicates")
        for kind in KINDS:
            await self._write_kind(store, writer, kind, report)
            if kind == "fair":
                await store.execute("mark_unknown_fairs")
                await store.execute("settle_companies")
        report.resets += await writer.recompute()

    async def _write_kind(self, store: ImportStore, writer: Writer, kind: Kind, report: Report) -> None:
        after = done = 0
        counts = report.kinds.get(kind)
        while (batch := await store.next_batch(kind, after, BATCH_ROWS)) is not None:
            last, rows = batch
            await self._write_span(store, writer, kind, after, last, report)
            after, done = last, done + rows
            self._progress(f"Writing {kind}s", done, counts.total if counts else done)

    async def _write_span(
        self, store: ImportStore, writer: Writer, kind: Kind, after: int, last: int, report: Report
    ) -> None:
        """Write a batch; if it is refused, its halves, down to the row that cannot be written."""
        try:
            written = await self._patiently(store, writer, kind, after, last)
        except RowsRefused as refused:
            numbers = [row["n"] for row in await store.fetch("batch_rows", kind, after, last)]
            if len(numbers) < 2:
                for n in numbers:
                    await store.execute("mark_refused", n, refused.what)
                return
        else:
            report.add(kind, written.outcomes, written.kept, written.reset)
            return
        middle = numbers[len(numbers) // 2 - 1]
        await self._write_span(store, writer, kind, after, middle, report)
        await self._write_span(store, writer, kind, middle, last, report)

    async def _patiently(self, store: ImportStore, writer: Writer, kind: Kind, after: int, last: int) -> Written:
        """Write a batch, again and again while it only meets the locks of the running fair."""
        for attempt in range(ATTEMPTS):
            try:
                return await writer.write(kind, after, last)
            except Unavailable:
                if attempt == ATTEMPTS - 1 or store.connection.is_closed():
                    raise
            await self._clock.sleep(0.1 * 2**attempt)
        raise AssertionError("unreachable")


class _Intake:
    """The way of rows from sources into the staged tables, and of those that fail into the failures files."""

    def __init__(
        self, store: ImportStore, stager: Stager, report: Report, failures: FailureFiles, progress: Progress
    ) -> None:
        self._store = store
        self._stager = stager
        self._report = report
        self._failures = failures
        self._progress = progress

    async def read(self, number: int, source: Source) -> None:
        """Check the rows of one source and copy the sound ones aside."""
        what = f"Reading {source.name}"
        batch = Batch()
        for item in source:
            self._report.of(item.kind).total += 1
            if (failure := self._take(item, number, batch)) is not None:
                self._report.of(item.kind).fail(failure.reason)
                self._fail(number, source.name, failure)
            if len(batch) >= COPY_ROWS:
                await self._store.copy(batch)
                batch = Batch()
                self._progress(what, source.done, source.size)
        await self._store.copy(batch)
        self._progress(what, source.size, source.size)

    async def explain(self, names: Sequence[str]) -> None:
        """Count and write down what failed beside the database, a page at a time."""
        for row in await self._store.fetch("count_problems"):
            self._report.of(row["kind"]).fail(row["problem"], row["rows"])
        last = 0
        while rows := await self._store.fetch("failed_rows", last, FAILURE_PAGE):
            last = rows[-1]["n"]
            for row in rows:
                failure = Failure(
                    line=row["line"],
                    kind=row["kind"],
                    reason=row["problem"],
                    field=row["field"],
                    message=REASONS[row["problem"]],
                    row=None if row["raw"] is None else msgspec.Raw(row["raw"].encode()),
                )
                self._fail(row["source"], names[row["source"]], failure)

    def _take(self, item: Item, number: int, batch: Batch) -> Failure | None:
        """Stage a sound row; else what is wrong with it."""
        if isinstance(item, Damaged):
            kind = item.kind or "unknown"
            return Failure(line=item.line, kind=kind, reason=item.reason, message=item.message, row=item.text)
        try:
            self._stager.stage(item, number, batch)
        except RowFault as fault:
            return Failure(
                line=item.line,
                kind=item.kind,
                reason=fault.reason,
                field=fault.field,
                message=fault.message,
                row=None if item.raw is None else msgspec.Raw(item.raw.encode()),
            )
        return None

    def _fail(self, source: int, name: str, failure: Failure) -> None:
        self._failures.write(source, failure)
        self._report.sample(
            Sample(file=name, line=failure.line, kind=failure.kind, reason=failure.reason, message=failure.message)
        )
