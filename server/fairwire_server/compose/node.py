"""A node: services, hub, doors and background work on one database, started and stopped in order.

Everything that runs in the background is a task of one group; the body of `open_node` runs with all of it up, and leaving it
stops it in reverse (quality: habit 5).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from fairwire_protocol.codec import Codec
from fairwire_protocol.depth import DEPTH_MAX
from fairwire_protocol.frames import BeatPlan, Resume
from fairwire_protocol.models import Limits as WireLimits
from fairwire_server import __version__
from fairwire_server.accounts.installation import ensure_installation
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.store import AccountStore
from fairwire_server.accounts.tokens import TokenFacts, Tokens
from fairwire_server.bus.bus import Bus
from fairwire_server.bus.notify import notify_reset
from fairwire_server.channels.build import Channels, build_channels
from fairwire_server.channels.post import Post
from fairwire_server.clock import Clock, SystemClock
from fairwire_server.compose.background import due_loops, node_loops
from fairwire_server.compose.bindings import bind
from fairwire_server.compose.buses import open_bus
from fairwire_server.compose.ground import Ground, build_ground
from fairwire_server.compose.services import Services, build_services
from fairwire_server.database.pool import Database
from fairwire_server.database.present import database_time, own_time
from fairwire_server.database.work import Works
from fairwire_server.doors.dispatch import Dispatch
from fairwire_server.doors.limits import ADDRESS_RATES, Limits, SharedLimits
from fairwire_server.doors.socket import SocketSettings
from fairwire_server.hub.ephemera import EPHEMERAL_MS
from fairwire_server.hub.reconcile import Reconciler
from fairwire_server.hub.socket import Link, QueueLimits, Socket
from fairwire_server.notices.parcels import TakeIn
from fairwire_server.observe import LoopLag, Metrics
from fairwire_server.registry import Registry
from fairwire_server.settings import Settings
from fairwire_server.streams.arrivals import Arrival
from fairwire_server.streams.store import StreamStore

__all__ = ["Node", "open_node"]

PAGE_MAX: Final = 100
ERRANDS_S: Final = 3.0
LANES_S: Final = 10.0
"""Longest wait for notices that are just being handed over; what takes longer is left to its lease (N4)."""


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
    channels: Channels
    take_in: TakeIn
    """Keeps what became of parcels that channels took (N6)."""
    bus: Bus
    reconciler: Reconciler

    def verify(self, token: str) -> TokenFacts:
        """What the token of a hello or a refresh says (W1, W13)."""
        return self.ground.tokens.verify(token, self.clock.now())

    async def arrive(self, facts: TokenFacts, resume: Resume | None) -> Arrival:
        """Who opens a socket, from one statement (W1, W6)."""
        arrivals = self.ground.arrivals
        if resume is None:
            return await arrivals.anew(facts.session)
        return await arrivals.resuming(facts.session, resume.account, resume.fair)

    async def caller(self, facts: TokenFacts) -> Caller:
        """Who goes on with a socket (W13)."""
        async with self.works.read() as work:
            return await self.ground.callers.find(work, facts.session)

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
                slot_batch=s.slot_batch_max,
                places=s.places_max,
                place_ms=s.place_s * 1000,
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
async def open_node(
    settings: Settings, database: Database, clock: Clock | None = None, *, worker: bool = False
) -> AsyncIterator[Node]:
    """A node with everything running but the doors, or a worker, which does what falls due and takes no calls.

    Raises `AnotherNodeError` when a node runs on this database that this one cannot stand beside.
    """
    present = database_time() if clock is None else own_time
    clock = clock or SystemClock()
    works = Works(database, clock)
    metrics = Metrics()
    store = AccountStore()
    async with works.begin() as work:
        installation = await ensure_installation(work, store, demo=settings.demo)
    secret = settings.secret.encode() or installation.secret
    tokens = Tokens(secret, timedelta(seconds=settings.access_token_s))
    ground = build_ground(settings, works, metrics, tokens, present)
    channels = build_channels(settings, works, secret)
    post = Post(channels.by_kind, ground.errands.defer, clock)
    services = build_services(ground, post, channels.all)
    registry = bind(Registry(), services)
    factor = settings.rate_factor
    lag = LoopLag(clock, metrics)
    bus, reconciler = open_bus(ground, services.sessions, installation.secret, worker=worker)
    dispatch = Dispatch(
        registry,
        Limits(clock, factor=factor),
        Limits(clock, rates=ADDRESS_RATES, factor=factor),
        metrics,
        SharedLimits(bus.take, factor=factor) if settings.redis_url else None,
    )
    _show_levels(metrics, database, ground, services, bus)
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
        channels=channels,
        take_in=services.taking_in.take_in,
        bus=bus,
        reconciler=reconciler,
    )
    async with _running(node, worker=worker):
        yield node


def _show_levels(metrics: Metrics, database: Database, ground: Ground, services: Services, bus: Bus) -> None:
    """What others count already, read when somebody asks."""
    metrics.levels.update(
        queue_bytes=("Bytes queued for sockets now (W12).", lambda: ground.hub.queue_bytes()),
        unindexed=("Texts committed and not yet searchable (C15).", lambda: services.indexer.waiting),
        nodes=("Other nodes heard of.", lambda: ground.presences.elsewhere.nodes),
        bus_connected=("1 while the bus is up, or not needed.", lambda: float(bus.connected)),
        first_states_bytes=("Memory of first states kept (W5).", lambda: ground.first_states.bytes),
        errands=("Letters and other errands not done yet.", lambda: ground.errands.unfinished),
        streams_followed=(
            "Streams of accounts and fairs with a socket here.",
            lambda: len(ground.hub.accounts()) + len(ground.hub.fairs()),
        ),
        present=(
            "Accounts that this node shows as here, those in their grace included (C17).",
            lambda: ground.presences.count(),
        ),
        database_connections=("Connections to PostgreSQL.", lambda: database.connections),
        database_connections_lent=("Of these, in use.", lambda: database.lent),
        tasks=("Tasks of the event loop.", lambda: len(asyncio.all_tasks())),
    )


@asynccontextmanager
async def _running(node: Node, *, worker: bool) -> AsyncIterator[None]:
    """The background: claimed database first, then every loop, stopped together."""
    ground, services, settings = node.ground, node.services, node.settings
    claimed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    tasks: list[asyncio.Task[None]] = []
    async with node.channels.running(node.take_in), asyncio.TaskGroup() as group:
        tasks.append(group.create_task(node.bus.run(claimed)))
        try:
            await claimed
            async with node.works.begin() as work:
                if await StreamStore().follow_lineage(work.connection):
                    await notify_reset(work.connection)  # to nodes that lived through the change of the database
            if not worker:
                await services.image_worker.__aenter__()
            await services.files.prepare()
            await services.keyword_lists.refresh()
            due = worker or settings.background == "serve"
            loops = [
                ground.hub.run(),
                ground.presences.run(),
                node.reconciler.run(),
                node.lag.run(),
                *([services.indexer.run()] if worker and settings.search_index else []),
                *([] if worker else node_loops(settings, ground, services)),
                *(due_loops(ground, services) if due else []),
                *([services.hints.listen()] if worker else []),
                *([services.hints.tell()] if not due else []),
            ]
            tasks.extend(group.create_task(loop) for loop in loops)
            await asyncio.sleep(0)
            yield
        finally:
            await services.lanes.drain(LANES_S)
            for task in reversed(tasks):
                task.cancel()
            await services.image_worker.close()
            services.passwords.close()
