"""What an import shows while it works and when it is done: on standard error how far it is, on standard output the counts."""

from __future__ import annotations

import sys
import time
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from fairwire_server.importing.report import REASONS, Report

__all__ = ["Meter", "show_report"]

LINE_EVERY_S = 5.0


class Meter:
    """A bar for each step on a terminal; elsewhere a line at each step's beginning and every few seconds."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, console=Console(stderr=True))
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, float] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` of a step is done."""
        if self._bars is None:
            self._say(what, done, total)
            return
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total or None)
        self._bars.update(self._tasks[what], completed=done, total=total or None)

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def _say(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if what not in self._said or (done < total and now - self._said[what] >= LINE_EVERY_S):
            self._said[what] = now
            share = f" {done * 100 // total} %" if 0 < done < total else ""
            click.echo(f"{what}{share}", err=True)


def show_report(report: Report) -> None:
    """The counts as a table, then why rows failed and where they are."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("kind")
    for name in ("total", "created", "updated", "unchanged", "failed", "duplicate"):
        table.add_column(name, justify="right")
    for kind, counts in report.ordered():
        numbers = (counts.total, counts.created, counts.updated, counts.unchanged, sum(counts.failed.values()))
        table.add_row(kind, *(f"{number:,}" for number in (*numbers, counts.duplicate)))
    console.print(table)
    for kind, counts in report.ordered():
        for reason, rows in sorted(counts.failed.items(), key=lambda pair: -pair[1]):
            click.echo(f"failed     {kind} {rows:,} × {reason}: {REASONS[reason]}")
        if counts.kept:
            click.echo(
                f"kept       {kind} {counts.kept:,} × an address that its owner has verified; the file has another (A8)"
            )
    for sample in report.samples if report.failed else ():
        click.echo(f"           {sample.file}:{sample.line} {sample.kind} {sample.reason}: {sample.message}")
    for path in report.failures:
        click.echo(f"see        {path}")
    if report.resets:
        click.echo(f"reloaded   {report.resets:,} accounts whose clients show something that changed")
    click.echo(f"{'undone (dry run) after' if report.dry_run else 'done in'} {report.seconds:.1f} s")
