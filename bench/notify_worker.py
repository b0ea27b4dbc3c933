"""A worker of `bench.notify`: the lanes as compose builds them, over channels that count, or over a real mail server.

    python -m bench.notify_worker COUNT [SMTP_PORT]

Writes "ready", drains until nothing is planned or claimed, and then one line of JSON: what left, the references, its largest memory.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.resources import files

import msgspec
import uvloop

from bench.common import SECRET
from fairwire_server.accounts.callers import Callers
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.store import AccountStore
from fairwire_server.accounts.tokens import Tokens
from fairwire_server.channels.email import EmailChannel
from fairwire_server.channels.mail_message import MailWriter
from fairwire_server.channels.sms_text import words_of
from fairwire_server.channels.smtp_pool import SmtpServer
from fairwire_server.clock import SystemClock
from fairwire_server.compose.noticing import build_notices
from fairwire_server.database.pool import Database
from fairwire_server.database.present import database_time
from fairwire_server.database.queries import parse_queries
from fairwire_server.database.work import Works
from fairwire_server.jobs.hints import Hints
from fairwire_server.meetings.calendar import Calendars, Party
from fairwire_server.meetings.links import Links
from fairwire_server.meetings.own_links import OwnLinks
from fairwire_server.meetings.rooms_store import RoomStore
from fairwire_server.notices.parcels import Channel, ChannelKind, Mail, Parcel, Taken
from fairwire_server.notices.planning import Planning
from fairwire_server.notices.sms_catalogue import SmsCatalogue, default_catalogue
from fairwire_server.notices.store import NoticeStore
from fairwire_server.settings import from_environment
from fairwire_server.streams.service import Streams
from fairwire_server.streams.store import StreamStore

RATE = 1e5
CONNECTIONS = 32


class Done(msgspec.Struct, frozen=True):
    """What a worker did."""

    left: dict[str, list[str]]
    largest_mib: float


@dataclass(slots=True)
class Counting:
    """Takes everything, as the bytes or the words that a provider would get."""

    kind: ChannelKind
    catalogue: SmsCatalogue
    name: str = "counting"
    rate: float = RATE
    writer: MailWriter = field(default_factory=lambda: MailWriter("Fair <fair@bench.test>"))
    left: list[str] = field(default_factory=list)

    async def send(self, parcel: Parcel, may_leave: Callable[[], bool] | None = None) -> Taken:
        """Count it."""
        if isinstance(parcel, Mail):
            self.writer.write(parcel, parcel.to, SystemClock().now())
        else:
            words_of(parcel, self.catalogue)
        assert may_leave is not None
        assert may_leave()
        self.left.append(parcel.reference.hex)
        return Taken(provider=self.name, reference=parcel.reference.hex, segments=1)


async def drain(count: int, port: int | None) -> Done:
    """Everything that is due, and nothing else."""
    settings, clock = from_environment(), SystemClock()
    catalogue = default_catalogue("https://fair.bench.test")
    kinds: tuple[ChannelKind, ...] = ("sms",) if port else ("email", "sms")
    counted = [Counting(kind, catalogue, f"counting-{kind}") for kind in kinds]
    channels: list[Channel] = [*counted]
    async with await Database.open(settings.database_url, min_size=4, max_size=8, command_timeout=20.0) as database:
        works, store = Works(database, clock), AccountStore()
        if port:
            server = SmtpServer(host="127.0.0.1", port=port, user="", password="", starttls=False, timeout_s=20.0)
            mail = EmailChannel(server, clock, sender="Fair <fair@bench.test>", connections=CONNECTIONS, rate=RATE)
            channels.append(mail)
        tokens = Tokens(SECRET.encode(), timedelta(days=1))
        hints, present = Hints(database, clock, tells=False), database_time()
        parts = build_notices(
            settings, works, present, tokens, Commands(works, Callers(store), store), Streams(StreamStore(), lambda _: None),
            Planning(NoticeStore(), hints, present), hints, OwnLinks(RoomStore(), Links(tokens.key, "https://fair.bench.test")),
            Calendars(Party("Fair", "fair@bench.test")), channels,
        )  # fmt: skip
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        running = asyncio.ensure_future(parts["lanes"].run())
        # Asked of the database, since the other worker may have had the last of it.
        while parts["lanes"].handed_over < count and not await _nothing_left(database):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        await parts["lanes"].drain(30.0)
        await asyncio.gather(running, return_exceptions=True)
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Done({one.kind: one.left for one in counted}, largest)


async def _nothing_left(database: Database) -> bool:
    sql = parse_queries(files("bench").joinpath("notify.sql").read_text("utf-8"), "notify.sql")
    async with database.reader() as connection:
        return not await connection.fetchval(sql["open"])


if __name__ == "__main__":
    done = uvloop.run(drain(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None))
    print(msgspec.json.encode(done).decode(), flush=True)
