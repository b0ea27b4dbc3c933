"""How many nodes a fair needs, from the figures measured last: the arithmetic of SIZING.md, line by line.

    python -m bench.sizing --exhibitors 26000 --buyers 50000

Reads `bench/figures/*.json`; a figure that is missing names the bench that measures it. What people do is assumed and can be
changed on the command line; what it costs is measured.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bench.report import Run

__all__ = ["Fair", "Need", "needs", "nodes"]

FIGURES: Final = Path(__file__).with_name("figures")
BUSY: Final = 0.6
"""Of a core in the peak hour: what remains is for the minute in which a node dies."""
STORM_S: Final = 30.0
"""A node's sockets are back on the others within this time."""
LAST_S: Final = 0.4
NODE_MIB: Final = 2048
BASE_MIB: Final = 150
"""A node without sockets."""
CROSSING: Final = 1.25
"""What a message costs of that on one node, where its people are on several: at most (bench.nodes)."""


@dataclass(frozen=True, kw_only=True)
class Fair:
    """Who comes, and what they do in the peak hour."""

    exhibitors: int
    buyers: int
    online: float = 0.2
    """Share of all accounts with a socket at the same time; an exhibitor counts as one account."""
    messages: float = 1.0
    """That each socket sends in a minute."""
    changes: float = 4.0
    """Of presence, of each socket in a minute."""
    opening_s: float = 600.0
    """In which everybody arrives."""

    @property
    def sockets(self) -> int:
        """At the same time."""
        return math.ceil(self.online * (self.exhibitors + self.buyers))


@dataclass(frozen=True, slots=True)
class Need:
    """A line: what is needed of one kind, how it comes about, and where: a `node` core, `postgres`, or a count of `nodes`."""

    what: str
    where: str
    amount: float
    arithmetic: str


def needs(fair: Fair, figures: Mapping[str, float]) -> list[Need]:
    """Every line of the arithmetic."""
    f, sockets = figures, fair.sockets
    sent, changes, arrivals = sockets * fair.messages / 60, sockets * fair.changes / 60, sockets / fair.opening_s
    server, database = f["commit.full.cpu.server"], f["commit.full.cpu.database"]
    idle, presence = f["idle.cpu.each"] / 1e6, f["presence.each"] / 1e6
    join, joined = f["connect.50.cpu.server"] / 1000, f["connect.50.cpu.database"] / 1000
    back, log = f["resume.cpu.server"] / 1000, f["resume.cpu.database"] / 1000
    delivery = f["fanout.one.cpu"] / 1e6
    memory, room = f["idle.memory"] / 1024, NODE_MIB - BASE_MIB
    return [
        Need("messages", "node", sent * server / 1000 * CROSSING, f"{sent:.0f}/s × {server:.2f} s per 1,000 × {CROSSING}"),
        Need("beats", "node", sockets * idle, f"{sockets:,} sockets × {idle * 1e6:.2f} µs/s"),
        Need("presence", "node", changes * presence, f"{changes:.0f} changes/s × {presence * 1e6:.0f} µs"),
        Need("arrivals", "node", arrivals * join, f"{arrivals:.0f}/s × {join * 1e3:.2f} ms"),
        Need("messages", "postgres", sent * database / 1000, f"{sent:.0f}/s × {database:.2f} s per 1,000"),
        Need("arrivals", "postgres", arrivals * joined, f"{arrivals:.0f}/s × {joined * 1e3:.2f} ms"),
        Need("all back in 30 s", "postgres", sockets * log / STORM_S, f"{sockets:,} × {log * 1e3:.2f} ms / {STORM_S:g} s"),
        Need("all back in 30 s", "nodes", sockets * back / STORM_S, f"{sockets:,} × {back * 1e3:.2f} ms / {STORM_S:g} s"),
        Need("announcement in 0.4 s", "nodes", sockets * delivery / LAST_S, f"{sockets:,} × {delivery * 1e6:.1f} µs / {LAST_S:g} s"),
        Need("memory", "nodes", sockets * memory / room, f"{sockets:,} × {memory * 1024:.1f} KiB / {room} MiB"),
    ]  # fmt: skip


def nodes(found: list[Need]) -> tuple[int, int]:
    """Nodes of one core, one of them spare, and cores of PostgreSQL."""
    steady = sum(need.amount for need in found if need.where == "node") / BUSY
    peaks = [need.amount for need in found if need.where == "nodes"]
    storm = max(need.amount for need in found if need.where == "postgres" and "back" in need.what)
    database = max(
        sum(need.amount for need in found if need.where == "postgres" and "back" not in need.what) / BUSY, storm
    )
    return max(1, math.ceil(max([steady, *peaks]))) + 1, max(1, math.ceil(database))


def _count(text: str) -> int:
    if (number := int(text)) < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


def _share(text: str) -> float:
    if not 0 < (number := float(text)) <= 1:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1, as in 0.2")
    return number


def _rate(text: str) -> float:
    if not 0 <= (number := float(text)) < math.inf:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


def measured() -> dict[str, float]:
    """All figures kept, by name."""
    files = sorted(FIGURES.glob("*.json"))
    return {one.name: one.value for file in files for one in msgspec.json.decode(file.read_bytes(), type=Run).figures}


def main() -> None:
    """The table, from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exhibitors", type=_count, required=True, help="an account each")
    parser.add_argument("--buyers", type=_count, required=True)
    parser.add_argument(
        "--online", type=_share, default=Fair.online, help="share with a socket at once (default %(default)s)"
    )
    parser.add_argument(
        "--messages", type=_rate, default=Fair.messages, help="a socket and minute (default %(default)s)"
    )
    parser.add_argument(
        "--changes", type=_rate, default=Fair.changes, help="of presence, a socket and minute (default %(default)s)"
    )
    fair = Fair(**vars(parser.parse_args()))
    try:
        found = needs(fair, measured())
    except KeyError as missing:
        raise SystemExit(
            f"The figure {missing} is not there; run `make bench-{missing.args[0].split('.')[0]}`."
        ) from None
    print(f"{fair.exhibitors:,} exhibitors and {fair.buyers:,} buyers: {fair.sockets:,} sockets in the peak hour\n")
    for need in found:
        unit = {"node": "cores of nodes", "postgres": "cores of PostgreSQL", "nodes": "nodes at least"}[need.where]
        print(f"{need.what:22} {need.amount:8.2f} {unit:20} = {need.arithmetic}")
    count, database = nodes(found)
    print(f"\n{count} nodes of one core (at {BUSY:.0%}, one spare) and {database} core(s) for PostgreSQL")


if __name__ == "__main__":
    main()
