"""What a whole installation holds while nobody is there: each process from the inside, PostgreSQL and Valkey as they see it.

A census is compared with one that was taken at rest before; whatever there is more of is named. Nothing may grow but what is kept on
purpose within a bound of its own (`KEPT`), and objects by less than a leak would leave.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp
import asyncpg
import msgspec

from tests.harness.inspected import Inside
from tests.harness.server import ServerProcess
from tests.harness.valkey import Valkey

__all__ = ["Census", "Place"]

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Census:
    """Everything that was counted at one instant."""

    inside: Mapping[str, Inside]
    database: Mapping[str, int]
    bus: Mapping[str, int]

    def resident(self) -> dict[str, float]:
        """MiB of memory of each process."""
        return {name: round(inside.resident / MIB, 1) for name, inside in self.inside.items()}

    def most_files(self, name: str) -> dict[str, int]:
        """Files by kind that this process may have open: of a node, as many as either node had, since one that was just started opens
        connections to the bus as it comes to need them."""
        alike = [name] if name == "worker" else [other for other in self.inside if other != "worker"]
        kinds = {kind for other in alike for kind in self.inside[other].files}
        return {kind: max(self.inside[other].files.get(kind, 0) for other in alike) for kind in kinds}

    def grown(self, empty: Census, warm: Census, visits: int) -> list[str]:
        """Whatever there is more of than there was before anybody came, and than once everything had been used, beyond what
        that many visits may leave."""
        found = _grown("PostgreSQL", self.database, warm.database) + _grown(
            "Valkey", self.bus, {**warm.bus, "keys": empty.bus["keys"]}
        )
        for name, now in self.inside.items():
            first, then = empty.inside[name], warm.inside[name]
            found += _grown(f"{name} tasks", now.tasks, first.tasks)
            found += _grown(f"{name} entries", now.entries, first.entries, KEPT)
            found += _grown(f"{name} files", now.files, warm.most_files(name))
            found += _grown(f"{name} objects", now.types, then.types, _more_objects(now, then, visits))
            cycles = {kind: count for kind, count in now.garbage.items() if kind.startswith(FREED_AT_ONCE)}
            found += _grown(f"{name} left to the garbage collector", cycles, {})
        return found


def _grown(
    what: str, now: Mapping[str, int], then: Mapping[str, int], more: Mapping[str, int] | None = None
) -> list[str]:
    return [
        f"{what}: {name} {then.get(name, 0)} -> {count}"
        for name, count in now.items()
        if count > then.get(name, 0) + (more or {}).get(name, 0)
    ]


def _more_objects(now: Inside, then: Inside, visits: int) -> dict[str, int]:
    """How many more objects of each type there may be: one for each account, and one for each tenth visit, far less than a leak
    leaves. A statement is prepared when a connection first needs it, and has some objects of asyncpg's and Python's own."""
    statements = now.types[STATEMENT] - then.types[STATEMENT]
    few = PEOPLE + visits // 10
    return {
        name: few + KEPT_OBJECTS.get(name, 0) + (0 if name.startswith(STRICT) else 10 * max(0, statements))
        for name in now.types
    }


STATEMENT: Final = "asyncpg.protocol.protocol.PreparedStatementState"
STRICT: Final = ("fairwire", "asyncio", "_asyncio", "aiohttp", "redis")
KEPT_OBJECTS: Final = {"fairwire_server.hub.first.Frames": 40, "asyncpg.pgproto.pgproto.UUID": 300}
"""First states, as many as fit into their bytes, and the ids in them."""
FREED_AT_ONCE: Final = ("fairwire_server.doors", "fairwire_server.hub", "fairwire_protocol")
"""What a connection is made of: garbage is looked for so seldom that strangers could fill the memory with what only that frees."""
PEOPLE: Final = 100
"""More than there are accounts, and chats of theirs."""
LABELS: Final = ("sockets_closed", "frames_refused", "resumes", "events", "rate_limited", "http_requests", "callbacks")
KEPT: Final[dict[str, int]] = {
    **{f"Metrics.{name}": 50 for name in LABELS},
    "OperationMetrics.outcomes": 200,  # each operation's codes
    "Folding._words": 100,  # characters that were met
    "FirstStates._kept": 40,  # as many as fit into their bytes
    "Codec._decoders": 300,  # types of the catalogue that were met
    "Ephemera._seen": 4 * PEOPLE,  # chats, and who looked at each
    "Sender._homes": PEOPLE,
    "Sender._answers": 3,  # exhibitors that have answered, until that is written
    "Receipts._written": PEOPLE,  # of the last second in which there was something to write
    "ImageWorker._idle": 2,
    "ImageWorker._started": 2,
    "SmtpPool._idle": 2,
    "_Table._states": 10 * PEOPLE,  # the throttle of signing in, until it is swept
    "_Class._young": 50 * PEOPLE,  # an account's rates, until all of them are full again
    "_Class._old": 50 * PEOPLE,
}
"""Entries that stay on purpose, within a bound of their own, and how many there may be."""


class Place:
    """Where a census is taken."""

    def __init__(self, url: str, valkey: Valkey, processes: Mapping[str, ServerProcess]) -> None:
        self._url = url
        self._valkey = valkey
        self._processes = processes

    async def empty(self) -> bool:
        """Whether nobody is connected nor shown as here any more, as operators see it."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
            for process in self._processes.values():
                async with session.get(f"{process.admin}/metrics") as answer:
                    if any(float(value) for value in _PEOPLE.findall(await answer.text())):
                        return False
        return True

    async def census(self) -> Census:
        """Count everything now."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
            inside = {name: await self._inside(session, one) for name, one in self._processes.items()}
        return Census(inside, await self._database(), await self._bus())

    async def _inside(self, session: aiohttp.ClientSession, process: ServerProcess) -> Inside:
        async with session.get(f"{process.admin}/inside") as answer:
            assert answer.status == 200, process.said
            return msgspec.json.decode(await answer.read(), type=Inside)

    async def _database(self) -> dict[str, int]:
        connection = await asyncpg.connect(self._url)
        try:
            return {row["what"]: row["count"] for row in await connection.fetch(_DATABASE)}
        finally:
            await connection.close()

    async def _bus(self) -> dict[str, int]:
        clients, keys = await self._valkey.command("CLIENT", "LIST"), await self._valkey.command("DBSIZE")
        channels = await self._valkey.command("PUBSUB", "SHARDCHANNELS")
        heard = await self._valkey.command("PUBSUB", "SHARDNUMSUB", *channels) if channels else []
        return {"keys": keys, "clients": len(bytes(clients).splitlines()), "subscriptions": sum(heard[1::2])}


_PEOPLE: Final = re.compile(r"^fairwire_(?:sockets|present|lagging) (\S+)$", re.MULTILINE)
_DATABASE: Final = """
WITH other AS (
    SELECT pid, application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
)
SELECT 'connections of ' || application_name AS what, count(*) FROM other GROUP BY 1
UNION ALL
SELECT 'locks: ' || locktype || ' ' || mode, count(*) FROM pg_locks JOIN other USING (pid) GROUP BY 1
"""
