"""`make bench-search`: search, the recent list and the first state over 1,000,000 messages.

    python -m bench.search [--data FOLDER]

Builds the data set of `bench.search_data` in an embedded PostgreSQL of its own (in a temporary folder, or in FOLDER, where it is
kept and found again) and runs the real handlers in this process, one call at a time, as a client would meet them on an idle
server: scope, plan, queries, entries of the contacts found, and marks. A line a figure, the headline last.

The words come from the data: the most frequent ones, those in one of some hundred messages (where neither way of looking is at
its best), those in a handful, and one that is nowhere, for one and two Chinese characters and for prefixes of Latin words.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import quantiles
from typing import Final, Literal
from uuid import UUID

import asyncpg
import uvloop

from bench import search_data
from bench.common import Cores, database, headline, say
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
from fairwire_server.contacts.service import ContactLimits, Contacts
from fairwire_server.contacts.store import ContactStore
from fairwire_server.context import Context
from fairwire_server.database.engine import EmbeddedEngine
from fairwire_server.database.migrate import migrate_database
from fairwire_server.database.pool import Database
from fairwire_server.database.work import Works
from fairwire_server.folding import Folding
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

Kind = Literal["zh1", "zh2", "latin"]
CONTEXT: Final = Context(cid=None, correlation="bench", address="127.0.0.1")


def main() -> None:
    """The bench, from its command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="keep the data set here and use it again")
    uvloop.run(_bench(parser.parse_args().data))


async def _bench(kept: Path | None) -> None:
    headline()
    async with AsyncExitStack() as stack:
        if kept is None:
            engine, _ = await stack.enter_async_context(database(Cores.of_machine()))
        else:
            engine = EmbeddedEngine(kept)
            await engine.start()
            stack.push_async_callback(engine.stop)
        tokens = SearchTokens(Folding())
        await _prepare(engine.dsn(), tokens)
        words = {of: await _words(engine.dsn(), of) for of in (0, 1)}
        # No other time limit than the one of a fair: a search that takes longer than the server allows fails here too.
        works = Works(await stack.enter_async_context(await Database.open(engine.dsn())), SystemClock())
        worst = await _searches(works, tokens, words)
        await _lists(works)
        _say("search.p95.worst", worst, SEARCH_MS)


async def _prepare(dsn: str, tokens: SearchTokens) -> None:
    await migrate_database(dsn)
    connection = await asyncpg.connect(dsn)
    empty = not await connection.fetchval("SELECT EXISTS (SELECT FROM fair)")
    await connection.close()
    if empty:
        started = time.perf_counter()
        await search_data.build(dsn, tokens)
        say("data.built", time.perf_counter() - started, "s", messages=search_data.MESSAGES)


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


async def _searches(works: Works, tokens: SearchTokens, words: dict[int, dict[tuple[Kind, str], list[str]]]) -> float:
    """Every scope with every kind of word; answers the worst p95."""
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
            found, times = 0, []
            for _ in range(REPEATS):
                for word in chosen:
                    request = operations.Search(query=word)
                    started = time.perf_counter()
                    reply = await handler.search(caller, CONTEXT, request)
                    times.append(time.perf_counter() - started)
                    found += len(reply.hits)
                    if reply.next is not None and len(times) % 3 == 0:
                        request = operations.Search(query=word, before=reply.next)
                        started = time.perf_counter()
                        await handler.search(caller, CONTEXT, request)
                        times.append(time.perf_counter() - started)
            p95 = _p95(times)
            worst = max(worst, p95)
            _say(f"search.{scope}.{kind}.{frequency}.p95", p95, SEARCH_MS, hits=found / (REPEATS * len(chosen)))
    return worst


async def _lists(works: Works) -> None:
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
    snapshots = Snapshots(works, chat_parts(), (RECENT, OPEN_CHATS, OPEN_MESSAGES))

    async def recent() -> int:
        return len((await contacts.recent(caller, CONTEXT, Request())).entries)

    async def snapshot() -> int:
        return len((await snapshots.take(caller)).entries)

    await _list("recent_list.300.p95", recent, RECENT_MS)
    await _list("snapshot.300.p95", snapshot, SNAPSHOT_MS)


async def _list(name: str, call: Callable[[], Awaitable[int]], bound: float) -> None:
    times = []
    entries = 0
    for _ in range(CALLS):
        started = time.perf_counter()
        entries = await call()
        times.append(time.perf_counter() - started)
    _say(name, _p95(times), bound, entries=entries)


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


def _p95(times: list[float]) -> float:
    return quantiles(times, n=20)[-1] * 1000


def _say(name: str, value: float, bound: float, **more: float) -> None:
    say(name, value, "ms", ratio=value / bound, against=f"bound_{bound:g}_ms", **more)


if __name__ == "__main__":
    main()
