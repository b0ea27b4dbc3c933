"""A node: services, hub, doors and background work on one database, started and stopped in order.

Everything that runs in the background is a task of one group; the body of `open_node` runs with all of it up, and leaving it
stops it in reverse (quality: habit 5).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import blake2b
from typing import Any, Final

import structlog

from fairwire_protocol.codec import Codec
from fairwire_protocol.depth import DEPTH_MAX
from fairwire_protocol.errors import FairwireError, Refused
from fairwire_protocol.frames import BeatPlan
from fairwire_protocol.models import Limits as WireLimits
from fairwire_server import __version__
from fairwire_server.accounts.installation import ensure_installation
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.sessions import Sessions
from fairwire_server.accounts.store import AccountStore
from fairwire_server.accounts.tokens import Tokens
from fairwire_server.accounts.views import own_account
from fairwire_server.bus.bus import Bus, Ears, News
from fairwire_server.bus.local import LocalBus
from fairwire_server.bus.redis_bus import RedisBus
from fairwire_server.channels.email import EmailChannel
from fairwire_server.channels.outbox import OutboxChannel
from fairwire_server.channels.post import Post
from fairwire_server.clock import Clock, SystemClock, milliseconds
from fairwire_server.compose.bindings import bind
from fairwire_server.compose.services import Ground, Services, build_ground, build_services
from fairwire_server.database.pool import Database
from fairwire_server.database.work import Works
from fairwire_server.doors.dispatch import Dispatch
from fairwire_server.doors.limits import ADDRESS_RATES, Limits
from fairwire_server.doors.socket import Authenticated, SocketSettings
from fairwire_server.hub.beats import Beats
from fairwire_server.hub.ephemera import EPHEMERAL_MS
from fairwire_server.hub.hub import Hub
from fairwire_server.hub.reconcile import Reconciler
from fairwire_server.hub.socket import Link, QueueLimits, Socket
from fairwire_server.observe import LoopLag, Metrics
from fairwire_server.registry import Registry
from fairwire_server.settings import Settings
from fairwire_server.streams.standing import Standings
from fairwire_server.streams.store import StreamStore

__all__ = ["Node", "open_node"]

PAGE_MAX: Final = 100
ERRANDS_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A running node, before anybody listens: `commands/serve.py` puts doors in front of it."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    lag: LoopLag
    works: Works
    ground: Ground
    services: Services
    registry: Registry
    dispatch: Dispatch
    outbox: OutboxChannel | None
    bus: Bus
    reconciler: Reconciler

    async def authenticate_socket(self, token: str) -> Authenticated:
        """Who opens a socket with this token (W1)."""
        facts = self.ground.tokens.verify(token, self.clock.now())
        async with self.works.read() as work:
            caller = await self.ground.callers.find(work, facts.session)
            row = await self.ground.store.account(work.connection, caller.account)
        if row is None:
            raise Refused("unauthenticated")
        return Authenticated(caller, own_account(row), milliseconds(facts.expires_at))

    def make_socket(
        self, number: int, caller: Caller, device: str, codec: Codec, link: Link, *, now: float, expires_at: float
    ) -> Socket:
        """A socket of this node's hub, for the door that has accepted it."""
        hub = self.ground.hub
        limits = QueueLimits(
            max_bytes=self.settings.queue_max_bytes,
            max_frames=self.settings.queue_max_frames,
            blocked_s=self.settings.lagging_max_s,
            lagging_s=self.settings.lagging_max_s,
        )
        return Socket(
            number,
            caller,
            device,
            codec,
            link,
            limits,
            self.metrics,
            now=now,
            expires_at=expires_at,
            dirty=hub.dirty,
            spawn=hub.spawn,
            on_lag=hub.lagged,
        )

    async def drain(self) -> None:
        """W14: every socket is told to come back elsewhere, then what was put off for later is done."""
        await self.ground.hub.drain(self.settings.drain_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(ERRANDS_S):
                await self.ground.errands.idle()

    def socket_settings(self) -> SocketSettings:
        """What `welcome` tells (W15)."""
        s = self.settings
        return SocketSettings(
            limits=WireLimits(
                frame_bytes=s.frame_max_bytes,
                depth=DEPTH_MAX,
                text_chars=s.text_max,
                image_bytes=s.image_max_bytes,
                image_pixels=s.image_max_pixels,
                image_quota_bytes=s.image_quota_bytes,
                devices=s.devices_max,
                subscriptions=s.subscriptions_max,
                in_flight=s.in_flight_max,
                recent=s.recent_max,
                pins=s.pins_max,
                recall_ms=s.recall_s * 1000,
                offer_ms=s.offer_s * 1000,
                ephemeral_ms=EPHEMERAL_MS,
                page=PAGE_MAX,
                resume_events=s.resume_max_events,
                resume_window_ms=int(s.resume_window_hours * 3_600_000),
            ),
            queue=QueueLimits(s.queue_max_bytes, s.queue_max_frames, s.lagging_max_s, s.lagging_max_s),
            beat=BeatPlan(interval_ms=int(s.beat_interval_s * 1000), answer_ms=int(s.beat_answer_s * 1000)),
            first_frame_s=s.first_frame_s,
            build=__version__,
        )


@asynccontextmanager
async def open_node(settings: Settings, database: Database, clock: Clock | None = None) -> AsyncIterator[Node]:
    """A node with everything running but the doors. Raises `AnotherNodeError` when one runs already on this database."""
    clock = clock or SystemClock()
    works = Works(database, clock)
    metrics = Metrics()
    store = AccountStore()
    async with works.begin() as work:
        installation = await ensure_installation(work, store, demo=settings.demo)
    secret = settings.secret.encode() or installation.secret
    tokens = Tokens(secret, timedelta(seconds=settings.access_token_s))
    ground = build_ground(settings, works, metrics, tokens)
    outbox = None if settings.smtp_host else OutboxChannel(works)
    post = Post(outbox or _email(settings), ground.errands.defer, clock)
    services = build_services(ground, post)
    metrics.levels.update(
        queue_bytes=("Bytes queued for sockets now (W12).", lambda: ground.hub.queue_bytes()),
        unindexed=("Texts committed and not yet searchable (C15).", lambda: services.indexer.waiting),
        errands=("Letters and other errands not done yet.", lambda: ground.errands.unfinished),
    )
    registry = bind(Registry(), services)
    factor = settings.rate_factor
    dispatch = Dispatch(
        registry, Limits(clock, factor=factor), Limits(clock, rates=ADDRESS_RATES, factor=factor), metrics
    )
    lag = LoopLag(clock, metrics)
    bus, reconciler = _open_bus(settings, database, ground, services.sessions, installation.secret)
    node = Node(
        settings=settings,
        clock=clock,
        metrics=metrics,
        lag=lag,
        works=works,
        ground=ground,
        services=services,
        registry=registry,
        dispatch=dispatch,
        outbox=outbox,
        bus=bus,
        reconciler=reconciler,
    )
    async with _running(node):
        yield node


def _email(settings: Settings) -> EmailChannel:
    return EmailChannel(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_from,
        user=settings.smtp_user,
        password=settings.smtp_password,
        starttls=settings.smtp_starttls,
    )


@asynccontextmanager
async def _running(node: Node) -> AsyncIterator[None]:
    """The background: claimed database first, then every loop, stopped together."""
    ground, services, settings = node.ground, node.services, node.settings
    beats = Beats(ground.hub, node.clock, interval_s=settings.beat_interval_s, answer_s=settings.beat_answer_s)
    claimed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    tasks: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:
        tasks.append(group.create_task(node.bus.run(claimed)))
        try:
            await claimed
            async with node.works.begin() as work:
                await StreamStore().follow_lineage(work.connection)
            await services.image_worker.__aenter__()
            await services.files.prepare()
            await services.keyword_lists.refresh()
            loops = [
                ground.hub.run(),
                ground.relay.run(),
                node.reconciler.run(),
                beats.run(),
                ground.presences.run(),
                ground.errands.run(),
                services.sender.run(),
                services.receipts.run(),
                services.keyword_lists.run(),
                services.images.run(),
                node.lag.run(),
                *([services.indexer.run()] if settings.search_index else []),
                *_periodic(node),
            ]
            tasks.extend(group.create_task(loop) for loop in loops)
            await asyncio.sleep(0)
            yield
        finally:
            for task in reversed(tasks):
                task.cancel()
            await services.image_worker.close()
            services.passwords.close()


def _periodic(node: Node) -> list[Coroutine[Any, Any, None]]:
    """Sweeps: what falls due or grows old."""
    services, ground = node.services, node.ground

    async def forget() -> None:
        async with node.works.begin() as work:
            await ground.store.forget_results(work.connection, work.now - timedelta(hours=24))
            await services.codes.forget(work)
            await services.sessions.forget(work)
        services.throttle.sweep()

    every = partial(_every, node.clock)
    return [
        every(1.0, "expire offers", services.transfers.expire),
        every(30.0, "write answer times", services.sender.write_answer_times),
        every(2.0, "sweep waiting chats", services.acts.sweep_waiting),
        every(600.0, "prune logs", ground.log.prune),
        every(600.0, "forget results, codes, sessions", forget),
    ]


async def _every(clock: Clock, seconds: float, what: str, work: Callable[[], Awaitable[object]]) -> None:
    """Do something again and again; one failure is logged and the next time comes."""
    log = structlog.get_logger("background")
    while True:
        await clock.sleep(seconds)
        try:
            await work()
        except FairwireError as error:
            log.warning("background work put off", work=what, code=error.code)
        except Exception:
            log.exception("background work failed", work=what)


def _open_bus(
    settings: Settings, database: Database, ground: Ground, sessions: Sessions, installation: bytes
) -> tuple[Bus, Reconciler]:
    """The bus of this node, and what makes good for all that it loses (W4)."""
    relay, hub, clock = ground.relay, ground.hub, ground.works.clock
    standings = Standings(ground.works, StreamStore())
    reconciler = Reconciler(hub, standings.read, sessions.over, lambda: bus.connected, clock)

    def connected() -> None:
        relay.connected()
        reconciler.look()

    ears = Ears(partial(_heard, hub, reconciler), reconciler.look, relay.heard, connected)
    bus: Bus
    if settings.redis_url:
        namespace = blake2b(installation, digest_size=6, person=b"bus").hexdigest()
        bus = RedisBus(settings.redis_url, database, clock, ears, relay.node, namespace=namespace)
        relay.join(bus.tell)
    else:
        bus = LocalBus(database, clock, ears, relay.node)
    return bus, reconciler


def _heard(hub: Hub, reconciler: Reconciler, news: News) -> None:
    if news.reset == "all":
        hub.reset(hub.accounts())
    elif not isinstance(news.reset, str):
        hub.reset(news.reset)
    hub.wake(news.wake, news.wake_fairs)
    if news.look:
        reconciler.look(None if isinstance(news.look, str) else news.look)
