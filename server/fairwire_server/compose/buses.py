"""Which bus a process has, and what it is told to do by it: the hub's relay and the reconciler meet the bus here."""

from __future__ import annotations

from functools import partial
from hashlib import blake2b

from fairwire_server.accounts.sessions import Sessions
from fairwire_server.bus.bus import Bus, Ears, News
from fairwire_server.bus.local import HelperBus, LocalBus
from fairwire_server.bus.redis_bus import RedisBus
from fairwire_server.compose.ground import Ground
from fairwire_server.hub.hub import Hub
from fairwire_server.hub.reconcile import Reconciler
from fairwire_server.streams.standing import Standings
from fairwire_server.streams.store import StreamStore

__all__ = ["open_bus"]


def open_bus(ground: Ground, sessions: Sessions, installation: bytes, *, worker: bool) -> tuple[Bus, Reconciler]:
    """The bus of this process, and what makes good for all that it loses (W4). `installation` tells one fair server from another."""
    settings, relay, hub, clock = ground.settings, ground.relay, ground.hub, ground.works.clock
    database = ground.works.database
    standings = Standings(ground.works, StreamStore())
    reconciler = Reconciler(
        hub, standings.read, standings.settle, sessions.over, relay.doubted, lambda: bus.connected, clock
    )
    ground.works.doubted = reconciler.doubt
    relay.look = reconciler.look

    def connected() -> None:
        if not worker:  # it has nobody here, and tells only what it commits
            relay.connected()
        reconciler.look()

    ears = Ears(partial(_heard, hub, reconciler), reconciler.look, relay.heard, connected)
    bus: Bus
    if settings.redis_url:
        namespace = blake2b(installation, digest_size=6, person=b"bus").hexdigest()
        bus = RedisBus(settings.redis_url, database, clock, ears, relay.node, namespace=namespace, claim=not worker)
        relay.join(bus.tell)
    elif worker:
        bus = HelperBus(database, clock, ears, relay.node)
        relay.join(bus.tell)
    else:
        bus = LocalBus(database, clock, ears, relay.node)
    return bus, reconciler


def _heard(hub: Hub, reconciler: Reconciler, news: News) -> None:
    if news.reset == "all":
        hub.reset(hub.accounts())
    elif not isinstance(news.reset, str):
        hub.reset(news.reset)
    if news.look:
        reconciler.look(None if isinstance(news.look, str) else news.look)
