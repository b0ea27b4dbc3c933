"""The doors in front of a node: HTTP, socket, pages, and the private address (issue: metrics are on one of their own)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from fairwire_server import __version__
from fairwire_server.compose.node import Node
from fairwire_server.database.migrate import pending
from fairwire_server.database.queries import load_queries
from fairwire_server.doors.addresses import limit_key
from fairwire_server.doors.admission import Admission
from fairwire_server.doors.bodies import BodyLimits
from fairwire_server.doors.callbacks import callback_routes
from fairwire_server.doors.guard import allowed_origins
from fairwire_server.doors.health import Health, build_admin_app, health_routes
from fairwire_server.doors.http import HttpPolicy, build_http_app
from fairwire_server.doors.limits import ADDRESS_RATES, Limits
from fairwire_server.doors.listen import listening
from fairwire_server.doors.meeting_pages import MeetingPolicy, meeting_routes
from fairwire_server.doors.pages import DemoSignIn, FairName, PagePolicy, StartFacts, page_routes, terminal_commands
from fairwire_server.doors.socket import SocketDoor
from fairwire_server.doors.threshold import House
from fairwire_server.doors.unsubscribe import unsubscribe_routes

__all__ = ["Doors", "open_admin_door", "open_doors"]


WINDOWS: Final = (("buyer", "buyer1"), ("seller", "acme-main"))
"""Two terminals that make a conversation at the demo fair."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Where a node listens, and its health, which a drain sets to not ready first (W14)."""

    port: int
    admin_port: int
    health: Health
    url: str


@asynccontextmanager
async def open_doors(node: Node, sign_ins: Sequence[DemoSignIn] = ()) -> AsyncIterator[Doors]:
    """Listen on the settings' addresses until the body ends."""
    settings = node.settings
    health = Health(node.clock, node.lag, lambda: _unready(node))
    url = settings.public_url or f"http://{settings.host}:{settings.port}"
    socket_door = _socket_door(node)
    policy = HttpPolicy(
        origins=allowed_origins(settings, settings.port),
        trusted_proxies=settings.trusted_proxies,
        bodies=BodyLimits(upload_bytes=settings.image_max_bytes),
    )
    app = build_http_app(
        registry=node.registry,
        dispatch=node.dispatch,
        authenticate=node.services.sessions.authenticate,
        policy=policy,
        metrics=node.metrics,
        routes=[
            socket_door.route(),
            *health_routes(health),
            *unsubscribe_routes(
                lambda token: node.services.unsubscribing.account(token) is not None,
                node.services.unsubscribing.unsubscribe,
            ),
            *callback_routes(node.channels.callbacks, node.take_in, node.clock, url, node.metrics),
            *page_routes(
                clock=node.clock,
                policy=PagePolicy(url=url, open_outbox=settings.demo),
                facts=lambda: _facts(node, sign_ins, url),
                outbox=node.channels.outbox,
            ),
            *meeting_routes(node.services.guests, node.services.feeds.served, _meeting_policy(node, url)),
        ],
    )
    async with AsyncExitStack() as stack:
        admin = build_admin_app(health, node.metrics)
        admin_port = await stack.enter_async_context(listening(admin, settings.admin_host, settings.admin_port))
        stack.push_async_callback(socket_door.close)  # when nobody can come any more
        port = await stack.enter_async_context(
            listening(
                app,
                settings.host,
                settings.port,
                reuse_port=settings.reuse_port,
                before=_house(node, socket_door, policy),
            )
        )
        yield Doors(port, admin_port, health, url)


def _meeting_policy(node: Node, url: str) -> MeetingPolicy:
    limits = Limits(node.clock, rates=ADDRESS_RATES, factor=node.settings.rate_factor)
    return MeetingPolicy(
        secure=url.startswith("https://"),
        room_origin=node.services.rooms.origin,
        check=lambda address: limits.check(limit_key(address), "read"),
    )


@asynccontextmanager
async def open_admin_door(node: Node) -> AsyncIterator[int]:
    """Health and metrics alone, for a worker; gives the port."""
    health = Health(node.clock, node.lag, lambda: _unready(node))
    settings = node.settings
    async with listening(build_admin_app(health, node.metrics), settings.admin_host, settings.admin_port) as port:
        yield port


def _socket_door(node: Node) -> SocketDoor:
    settings = node.settings
    admission = Admission(node.clock, parallel=settings.connecting_max, patience_s=settings.connecting_wait_s)
    node.metrics.levels["admission_waiting"] = (
        "Sockets that wait for their first state (W14).",
        lambda: admission.waiting,
    )
    return SocketDoor(
        node.ground.hub,
        node.ground.sync,
        node.dispatch,
        node,
        node.make_socket,
        node.services.receipts.received,
        node.clock,
        node.metrics,
        admission,
        node.socket_settings(),
    )


def _house(node: Node, door: SocketDoor, policy: HttpPolicy) -> House:
    return House(
        door,
        frame_bytes=node.settings.frame_max_bytes,
        origins=policy.origins,
        trusted_proxies=policy.trusted_proxies,
        metrics=node.metrics,
    )


async def _unready(node: Node) -> str | None:
    async with node.works.read() as work:
        names = await pending(work.connection)
    return f"{len(names)} migrations are pending" if names else None


async def _facts(node: Node, sign_ins: Sequence[DemoSignIn], url: str) -> StartFacts:
    async with node.works.read() as work:
        fairs = await work.connection.fetch(load_queries("fairwire_server.accounts")["fairs"])
    names = [FairName(code=row["code"], name_en=row["name_en"], name_zh=row["name_zh"]) for row in fairs]
    return StartFacts(
        fairs=names,
        sign_ins=sign_ins,
        commands=terminal_commands(".venv/bin/python -m fairwire", url, sign_ins),
        runs=[("Fairwire", __version__), ("sockets", str(node.metrics.sockets))],
    )
