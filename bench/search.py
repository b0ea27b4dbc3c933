"""`make bench-search`: search, the recent list and the first state over 1,000,000 messages.

    python -m bench.search [--data FOLDER] [--quick] [--json FILE]

Builds the data set of `bench.search_data` in an embedded PostgreSQL of its own (in a temporary folder, or in FOLDER, where it is
kept and found again) and runs the real handlers in this process, one call at a time, as a client would meet them on an idle
server: scope, plan, queries, entries of the contacts found, and marks. The reference is the bound that users are promised; `cpu_ms` is
what a call costs in the mean, server and database together. `--quick` asks for fewer words; the data set is what takes time, keep it.

The words come from the data: the most frequent ones, those in one of some hundred messages (where neither way of looking is at
its best), those in a handful, and one that is nowhere, for one and two Chinese characters and for prefixes of Latin words.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import quantiles
from typing import Final, Literal, TypeVar
from uuid import UUID

import asyncpg
import uvloop

from bench import search_data
from bench.common import Cores, database, spent
from bench.report import Options, Report, options, progress
from fairwire_protocol.models import AccountKind
from fairwire_protocol.operations import Request
from fairwire_protocol.operations import chat as operations
from fairwire_server.accounts.callers import Callers
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import DEFAULT, Caller
from fairwire_server.accounts.store import AccountStore
from fairwire_server.chat.search import Search
from fairwire_server.chat.search_store import SearchStore
from fairwire_server.chat.search_tokens import SearchTokens
from fairwire_server.chat.snapshot import OPEN_CHATS, OPEN_MESSAGES, chat_parts
from fairwire_server.clock import SystemClock
from fairwire_server.commands.common import collect_seldom
from fairwire_server.contacts.service import ContactLimits, Contacts
from fairwire_server.contacts.store import ContactStore
from fairwire_server.context import Context
from fairwire_server.database.engine import EmbeddedEngine
from fairwire_server.database.migrate import migrate_database
from fairwire_server.database.pool import Database
from fairwire_server.database.work import Works
from fairwire_server.folding import Folding
from fairwire_server.meetings.snapshot import meeting_parts
from fairwire_server.streams.service import Streams
from fairwire_server.streams.snapshot import Snapshots
from fairwire_server.streams.store import StreamStore

SEARCH_MS: Final = 100.0
RECENT_MS: Final = 20.0
SNAPSHOT_MS: Final = 60.0
RECENT: Final = 300
WORDS: Final = 10  # of each kind
REPEATS: Final = 6  # of each word
CALLS: Final = 100  # of the lists

Result = TypeVar("Result")
Kind = Literal["zh1", "zh2", "latin"]
CONTEXT: Final = Context(cid=None, correlation="bench", address="127.0.0.1")


class Meter:
    """How long calls take, and what of it is work: CPU of this process and of the one backend of PostgreSQL."""

    def __init__(self, report: Report, backend: int) -> None:
        self.report = report
        self._pids = (os.getpid(), backend)
        self.times: list[float] = []
        self._cpu = 0.0

    async def run(self, call: Awaitable[Result]) -> Result:
        """Time one call."""
        cpu, started = spent(*self._pids), time.perf_counter()
        result = await call
        self.times.append(time.perf_counter() - started)
        self._cpu += spent(*self._pids) - cpu
        return result

    def say(self, name: str, bound: float, **more: float) -> float:
        """p95 in milliseconds beside its bound, and the CPU of a call in the mean; then begin anew."""
        p95 = quantiles(self.times, n=20)[-1] * 1000
        cpu = self._cpu / len(self.times) * 1000
        self.report.bound(name, [p95], "ms", bound, cpu_ms=cpu, **more)
        self.times, self._cpu = [], 0.0
        return p95


def main() -> int:
    """The bench, from its command line."""
    own = (("--data", {"type": Path, "metavar": "FOLDER", "help": "keep the data set here and use it again"}),)
    return uvloop.run(_bench(options(__doc__, pairs=1, quick=1, add=own)))


async def _bench(chosen: Options) -> int:
    report = Report(chosen)
    kept: Path | None = chosen.chosen.data
    async with AsyncExitStack() as stack:
        if kept is None:
            engine, _ = await stack.enter_async_context(database(Cores.of_machine().server))
        else:
            engine = EmbeddedEngine(kept)
            await engine.start()
            stack.push_async_callback(engine.stop)
        tokens = SearchTokens(Folding())
        await _prepare(report, engine.dsn(), tokens)
        words = {of: await _words(engine.dsn(), of) for of in (0, 1)}
        # No other time limit than the one of a fair: a search that takes longer than the server allows fails here too.
        opened = await Database.open(engine.dsn(), min_size=1, max_size=1)
        works = Works(await stack.enter_async_context(opened), SystemClock())
        async with works.read() as work:
            meter = Meter(report, await work.connection.fetchval("SELECT pg_backend_pid()"))
        if chosen.quick:
            words = {of: {kind: chosen_words[:3] for kind, chosen_words in some.items()} for of, some in words.items()}
        collect_seldom()  # as `serve` does
        worst = await _searches(works, tokens, words, meter)
        await _lists(works, meter)
        report.bound("search.p95.worst", [worst], "ms", SEARCH_MS)
    return report.headline()


async def _prepare(report: Report, dsn: str, tokens: SearchTokens) -> None:
    await migrate_database(dsn)
    connection = await asyncpg.connect(dsn)
    empty = not await connection.fetchval("SELECT EXISTS (SELECT FROM fair)")
    await connection.close()
    if empty:
        started = time.perf_counter()
        progress("building the data set")
        await search_data.build(dsn, tokens)
        report.say("data.built", time.perf_counter() - started, "s", messages=search_data.MESSAGES)


async def _words(dsn: str, of: int) -> dict[tuple[Kind, str], list[str]]:
    """What to search for in an exhibitor, by kind and frequency."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        "SELECT word, ndoc FROM ts_stat(format('SELECT tokens FROM message_search WHERE exhibitor_id = %L', $1::uuid))",
        search_data.exhibitor(of),
    )
    await connection.close()
    counts: dict[Kind, Counter[str]] = {"zh1": Counter(), "zh2": Counter(), "latin": Counter()}
    for word, found in rows:
        if word.isdecimal():
            continue
        if word.isascii():
            if len(word) >= 4:
                counts["latin"][word[:4]] += found
        else:
            counts["zh1"][word[0]] += found
            if len(word) == 2:
                counts["zh2"][word] += found
    messages = search_data.PER_CHAT * (search_data.SMALL_CHATS if of else search_data.LARGE_CHATS)
    return {
        (kind, name): chosen for kind, counter in counts.items() for name, chosen in _chosen(counter, messages).items()
    } | {("zh2", "absent"): ["龘龘"], ("zh1", "absent"): ["龘"], ("latin", "absent"): ["zzzy"]}


def _chosen(counter: Counter[str], messages: int) -> dict[str, list[str]]:
    ranked = [word for word, _ in counter.most_common()]
    middle = sorted(ranked, key=lambda word: (abs(counter[word] - messages // 300), word))
    return {"common": ranked[:WORDS], "middle": middle[:WORDS], "rare": ranked[-WORDS:]}


async def _searches(
    works: Works, tokens: SearchTokens, words: dict[int, dict[tuple[Kind, str], list[str]]], meter: Meter
) -> float:
    """Every scope with every kind of word, first pages and some that follow; answers the worst p95."""
    handler = Search(works, SearchStore(), ContactStore(), tokens)
    scopes = {
        "all_100k": (0, _caller(0, "main", search_data.account(0))),
        "own_300_chats": (0, _caller(0, "business", search_data.account(0, 1))),
        "all_200": (1, _caller(1, "main", search_data.account(1))),
        "buyer": (0, _caller(None, "buyer", search_data.buyer(0))),
    }
    worst = 0.0
    for scope, (of, caller) in scopes.items():
        for (kind, frequency), chosen in words[of].items():
            hits = 0
            for number, word in enumerate(chosen * REPEATS):
                reply = await meter.run(handler.search(caller, CONTEXT, operations.Search(query=word)))
                hits += len(reply.hits)
                if reply.next is not None and number % 3 == 0:
                    following = operations.Search(query=word, before=reply.next)
                    await meter.run(handler.search(caller, CONTEXT, following))
            mean = hits / (REPEATS * len(chosen))
            worst = max(worst, meter.say(f"search.{scope}.{kind}.{frequency}.p95", SEARCH_MS, hits=mean))
    return worst


async def _lists(works: Works, meter: Meter) -> None:
    """Opening the recent list, and the whole first state, of the account with 300 contacts."""
    caller = _caller(0, "business", search_data.account(0, 1))
    accounts = AccountStore()
    contacts = Contacts(
        works,
        Commands(works, Callers(accounts), accounts),
        ContactStore(),
        Streams(StreamStore(), lambda _: None),
        ContactLimits(recent=RECENT, pins=50),
    )
    snapshots = Snapshots(works, [*chat_parts(), *meeting_parts()], (RECENT, OPEN_CHATS, OPEN_MESSAGES))
    listed = await contacts.recent(caller, CONTEXT, Request())
    for _ in range(CALLS):
        await meter.run(contacts.recent(caller, CONTEXT, Request()))
    meter.say("recent_list.300.p95", RECENT_MS, entries=len(listed.entries))
    state = await snapshots.take(caller)
    for _ in range(CALLS):
        await meter.run(snapshots.take(caller))
    meter.say("snapshot.300.p95", SNAPSHOT_MS, entries=len(state.recent.entries), messages=len(state.messages))


def _caller(of: int | None, kind: AccountKind, account: UUID) -> Caller:
    return Caller(
        account=account,
        fair=search_data.fair(),
        kind=kind,
        name=kind,
        session=account,
        device="bench",
        exhibitor=None if of is None else search_data.exhibitor(of),
        table=DEFAULT,
    )


if __name__ == "__main__":
    raise SystemExit(main())
