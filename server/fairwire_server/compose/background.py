"""What goes on beside the calls: loops that every process needs, a node's own, and work that falls due wherever it is done.

The last kind is idempotent: it locks the rows it decides on and looks at them again. So it may run in every node, in one worker or
in several, at the same time (A6: the deciding read is in the transaction that writes).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

import structlog

from fairwire_protocol.errors import FairwireError
from fairwire_server.clock import Clock
from fairwire_server.compose.ground import Ground
from fairwire_server.compose.services import Services
from fairwire_server.hub.beats import Beats
from fairwire_server.settings import Settings

__all__ = ["due_loops", "node_loops"]

Loop = Coroutine[Any, Any, None]


def node_loops(settings: Settings, ground: Ground, services: Services) -> list[Loop]:
    """What goes with sockets and calls."""
    clock = ground.works.clock
    beats = Beats(ground.hub, clock, interval_s=settings.beat_interval_s, answer_s=settings.beat_answer_s)
    indexes = settings.search_index
    recovers = indexes and settings.background == "serve"

    async def forget_tries() -> None:
        services.throttle.sweep()

    return [
        ground.relay.run(),
        beats.run(),
        ground.errands.run(),
        services.sender.run(),
        services.requesting.run(),
        services.receipts.run(),
        services.keyword_lists.run(),
        _every(clock, 30.0, "write answer times", services.sender.write_answer_times),
        _every(clock, 600.0, "forget tries", forget_tries),
        *([services.indexer.run(recover=recovers)] if indexes else []),
    ]


def due_loops(ground: Ground, services: Services) -> list[Loop]:
    """What falls due or grows old, whoever does it."""
    works = ground.works

    async def forget() -> None:
        async with works.begin() as work:
            await ground.store.forget_results(work.connection, work.now - timedelta(hours=24))
            await services.codes.forget(work)
            await services.sessions.forget(work)

    every = partial(_every, works.clock)
    return [
        services.images.run(),
        services.lanes.run(),
        every(1.0, "expire offers", services.transfers.expire),
        every(1.0, "expire places", services.waiting.expire),
        every(5.0, "offer new seats", services.waiting.grow),
        every(2.0, "expire proposals of another time", services.proposals.expire),
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
