"""What both buses promise, over both (`bus/bus.py`), and what the one of several nodes adds to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from redis.asyncio import SSLConnection

from fairwire_server.bus.bus import AnotherNodeError, Bus, Ears, News
from fairwire_server.bus.link import let_go
from fairwire_server.bus.local import HelperBus, LocalBus
from fairwire_server.bus.notify import notify
from fairwire_server.bus.redis_bus import RedisBus
from fairwire_server.bus.shards import channel_names, read_url
from fairwire_server.clock import SystemClock
from fairwire_server.database.pool import Database
from tests.harness.until import until
from tests.harness.valkey import Valkey, valkey_cluster


@dataclass
class End:
    """One bus and what came in by it."""

    bus: Bus
    node: UUID
    news: list[News] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    missed: int = 0
    connections: int = 0


Open = Callable[..., Awaitable[End]]


@asynccontextmanager
async def ends(database: Database, default: str = "") -> AsyncIterator[Open]:
    """Opens buses; all of them end with the test."""
    async with AsyncExitStack() as stack:

        async def open_(url: str = default, *, helper: bool = False) -> End:
            end = End(None, uuid4())  # type: ignore[arg-type]

            def count(what: str) -> None:
                setattr(end, what, getattr(end, what) + 1)

            ears = Ears(end.news.append, lambda: count("missed"), end.messages.append, lambda: count("connections"))
            clock = SystemClock()
            if helper:
                end.bus = HelperBus(database, clock, ears, end.node)
            elif url:
                end.bus = RedisBus(url, database, clock, ears, end.node, namespace="contract")
            else:
                end.bus = LocalBus(database, clock, ears, end.node)
            claimed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(end.bus.run(claimed))

            async def stop() -> None:
                task.cancel()
                await asyncio.wait([task])

            stack.push_async_callback(stop)
            await claimed
            return end

        yield open_


@pytest.fixture(params=["local", "redis"])
async def opens(request: pytest.FixtureRequest, database: Database, valkey: Valkey) -> AsyncIterator[Open]:
    """Opens buses of one kind."""
    async with ends(database, valkey.url if request.param == "redis" else "") as open_:
        yield open_


async def test_news_of_helpers_are_heard(opens: Open, database: Database) -> None:
    end, account = await opens(), uuid4()
    async with database.transaction() as connection:
        await notify(connection, {"look": [str(account)]})
    await until(lambda: bool(end.news))
    assert end.news == [News(look=(account,))]


async def test_what_a_node_tells_never_comes_back(opens: Open, database: Database) -> None:
    end = await opens()
    for _ in range(100):
        end.bus.tell(uuid4(), b"mine")
    async with database.transaction() as connection:
        await notify(connection, {"look": []})
    await until(lambda: bool(end.news))
    assert end.messages == []


async def test_telling_before_and_after_neither_waits_nor_raises(database: Database, valkey: Valkey) -> None:
    quiet = Ears(lambda _: None, lambda: None, lambda _: None, lambda: None)
    buses: list[Bus] = [
        LocalBus(database, SystemClock(), quiet, uuid4()),
        RedisBus(valkey.url, database, SystemClock(), quiet, uuid4(), namespace="contract"),
        HelperBus(database, SystemClock(), quiet, uuid4()),
    ]
    for bus in buses:
        bus.tell(uuid4(), b"too early")
        assert await bus.take("bucket", 1.0, 1) is None


async def test_a_lost_database_connection_is_made_anew_and_said(opens: Open, database: Database) -> None:
    end = await opens()
    async with database.reader() as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LISTEN%' AND pid <> pg_backend_pid()"
        )
    await until(lambda: end.missed == 1)


async def test_nodes_with_and_without_redis_never_stand_beside_each_other(database: Database, valkey: Valkey) -> None:
    async with ends(database) as open_:
        await open_("")
        for url in ("", valkey.url):
            with pytest.raises(AnotherNodeError):
                await open_(url)
        await open_(helper=True)
    async with ends(database) as open_:
        await open_(valkey.url)
        await open_(valkey.url)
        with pytest.raises(AnotherNodeError):
            await open_("")


async def test_a_node_waits_a_moment_for_the_end_of_the_one_before(database: Database) -> None:
    """PostgreSQL notices a moment later that a killed server is gone, and a supervisor has started the next one by then."""
    tried = """
    SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%try_advisory_lock%' AND pid <> pg_backend_pid()
                   AND datname = current_database())
    """
    key = "(hashtext('fairwire'), hashtext('single node'))"
    async with ends(database) as open_, database.dedicated() as before:
        await before.execute(f"SELECT pg_advisory_lock{key}")
        opened = asyncio.ensure_future(open_(""))
        await until(lambda: before.fetchval(tried))
        await before.execute(f"SELECT pg_advisory_unlock{key}")
        await opened


async def test_messages_of_a_key_arrive_in_order_at_every_other_node(database: Database, valkey: Valkey) -> None:
    async with ends(database, valkey.url) as open_:
        one, two, three = await open_(), await open_(), await open_()
        keys = [uuid4() for _ in range(50)]
        for number in range(2_000):
            one.bus.tell(keys[number % 50], b"%d %d" % (number % 50, number))
            if number % 7 == 0:
                await asyncio.sleep(0)
        await until(lambda: len(two.messages) == len(three.messages) == 2_000)
        for end in (two, three):
            for key in range(50):
                numbers = [int(one.split()[1]) for one in end.messages if int(one.split()[0]) == key]
                assert numbers == sorted(numbers)


async def test_what_cannot_be_told_is_looked_up_unless_it_may_be_dropped_w4(database: Database) -> None:
    async with Valkey() as server, ends(database, server.url) as open_:
        one, two = await open_(), await open_()
        await server.kill()
        await until(lambda: not one.bus.connected)
        lost, dropped = uuid4(), uuid4()
        one.bus.tell(dropped, b"typing", droppable=True)
        one.bus.tell(lost, b"event")
        await until(lambda: bool(two.news))
        assert [news.look for news in two.news] == [(lost,)]
        assert one.news == [], "a node does not listen to itself"
        await server.start()
        await until(lambda: one.connections == two.connections == 2)
        one.bus.tell(lost, b"again")
        await until(lambda: two.messages == [b"again"])


async def test_what_a_frozen_server_never_confirmed_is_looked_up_w4(database: Database) -> None:
    async with Valkey() as server, ends(database, server.url) as open_:
        one, two = await open_(), await open_()
        server.freeze()
        try:
            key = uuid4()
            one.bus.tell(key, b"event")
            await until(lambda: bool(two.news))
            assert [news.look for news in two.news] == [(key,)]
        finally:
            server.thaw()


async def test_what_a_frozen_server_does_not_take_is_bounded_and_looked_up_w4(database: Database) -> None:
    async with Valkey() as server, ends(database, server.url) as open_:
        one, two = await open_(), await open_()
        assert isinstance(one.bus, RedisBus)
        keys = [uuid4() for _ in range(200)]
        server.freeze()
        try:
            for key in keys:
                one.bus.tell(key, bytes(64 * 1024))
                await asyncio.sleep(0)
            assert 50 < one.bus.dropped < 100, "8 MiB wait for the server, and no more"
            await until(lambda: {key for news in two.news for key in news.look} == {*keys})
        finally:
            server.thaw()


@pytest.mark.parametrize("turns", range(1, 6))
async def test_who_is_cancelled_while_it_lets_go_of_a_server_leaves_no_connection(turns: int) -> None:
    async with Valkey() as server:
        client = read_url(server.url).client()
        await asyncio.gather(client.ping(), client.ping())
        closing = asyncio.create_task(let_go(client))
        for _ in range(turns):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        assert turns > 2 or closing.cancelled()  # later ones may be through
        assert (await server.command("CLIENT", "LIST")).count(b"\n") == 1, "whoever asks this"


async def test_a_server_that_asks_for_a_password_is_told_it(database: Database) -> None:
    async with Valkey() as server, ends(database) as open_:
        await server.command("CONFIG", "SET", "requirepass", "open sesame")
        url = server.url.replace("redis://", "redis://:open%20sesame@").replace("unix://", "unix://:open%20sesame@")
        one, two = await open_(url), await open_(url)
        assert one.bus.connected
        one.bus.tell(uuid4(), b"in")
        await until(lambda: two.messages == [b"in"])


async def test_a_helper_tells_through_postgresql(database: Database) -> None:
    async with ends(database) as open_:
        node, helper = await open_(), await open_(helper=True)
        key = uuid4()
        helper.bus.tell(key, b"event")
        await until(lambda: bool(node.news))
        assert node.news[0].look == (key,)


async def test_buckets_are_shared_and_exact_w12(database: Database, valkey: Valkey) -> None:
    async with ends(database, valkey.url) as open_:
        one, two = await open_(), await open_()
        waits = await asyncio.gather(*(end.bus.take("exact", 60.0, 10) for _ in range(10) for end in (one, two)))
        assert waits.count(0) == 10
        assert all(wait is not None and 0 <= wait <= 60 for wait in waits)
        assert await one.bus.take("another", 60.0, 10) == 0


async def test_a_valkey_cluster_carries_it_by_sharded_channels(database: Database) -> None:
    async with valkey_cluster() as servers, ends(database, servers[0].url) as open_:
        one, two = await open_(), await open_(servers[2].url)
        carried = [await server.command("PUBSUB", "SHARDCHANNELS") for server in servers]
        assert all(carried), "every shard carries some of the channels"
        assert sorted(channel for channels in carried for channel in channels) == sorted(channel_names("contract"))
        keys = [uuid4() for _ in range(64)]
        for key in keys:
            one.bus.tell(key, key.bytes)
            two.bus.tell(key, key.bytes)
        await until(lambda: len(one.messages) == len(two.messages) == 64)
        assert {*one.messages} == {key.bytes for key in keys}
        assert [await two.bus.take("bucket", 60.0, 1), await one.bus.take("bucket", 60.0, 1) != 0] == [0, True]


async def test_a_channel_that_moves_to_another_shard_is_followed(database: Database) -> None:
    async with valkey_cluster() as servers, ends(database, servers[0].url) as open_:
        one, two = await open_(), await open_(servers[1].url)
        key = UUID(int=0)  # told on the first channel
        slot = int(await servers[0].command("CLUSTER", "KEYSLOT", channel_names("contract")[0].decode()))
        home = slot * 3 // 16384
        target = await servers[(home + 1) % 3].command("CLUSTER", "MYID")
        await servers[(home + 1) % 3].command("CLUSTER", "BUMPEPOCH")  # or gossip of the old owner may take it back
        for number in range(3):  # its new owner first, then the others
            await servers[(home + 1 + number) % 3].command("CLUSTER", "SETSLOT", slot, "NODE", target.decode())
        await until(lambda: one.connections > 1 and two.connections > 1 and one.bus.connected and two.bus.connected)
        one.bus.tell(key, b"moved")
        await until(lambda: two.messages == [b"moved"])


@pytest.mark.parametrize("url", ["http://host", "redis://", "unix://", "redis", "redis://host?no=option"])
def test_a_wrong_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL must"):
        read_url(url)


def test_an_address_says_how_to_sign_in() -> None:
    tls = read_url("rediss://fair:p%40ss@valkey.example:7000").options
    assert (tls["host"], tls["port"], tls["username"], tls["password"]) == ("valkey.example", 7000, "fair", "p@ss")
    assert read_url("rediss://host").connection is SSLConnection
    socket = read_url("unix:///run/valkey.sock?password=x").options
    assert (socket["path"], socket["password"]) == ("/run/valkey.sock", "x")
