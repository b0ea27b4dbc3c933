"""A small service for the doors to serve: operations of every shape, and handlers that do what they are told."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from aiohttp import ClientSession, ClientTimeout
from msgspec import Meta

from fairwire_protocol.errors import Refused, Unavailable
from fairwire_protocol.models import Model
from fairwire_protocol.operations import Effect, Operation, RateClass, Request
from fairwire_server.accounts.rules import DEFAULT, Caller
from fairwire_server.context import BinaryReply, Context
from fairwire_server.doors.bodies import BodyLimits
from fairwire_server.doors.dispatch import Dispatch
from fairwire_server.doors.http import HttpPolicy, build_http_app
from fairwire_server.doors.limits import ACCOUNT_RATES, ADDRESS_RATES, Limits
from fairwire_server.doors.listen import listening
from fairwire_server.observe import Metrics
from fairwire_server.registry import BUYERS, SIGNED_IN, Allow, Registry
from fairwire_server.settings import Network
from tests.harness.clock import ManualClock

ACCOUNT = UUID("0198c5a0-0000-7000-8000-000000000001")
CHAT = UUID("0198c5a0-0000-7000-8000-000000000002")
IMAGE = UUID("0198c5a0-0000-7000-8000-000000000003")
ORIGIN = "https://fair.example.com"


class Echo(Request, frozen=True, kw_only=True):
    """Something of everything."""

    chat: UUID
    seq: Annotated[int, Meta(ge=0, le=1000)] = 0
    names: Annotated[tuple[str, ...], Meta(max_length=3)] = ()
    state: Literal["open", "all"] = "open"
    flag: bool = False
    text: Annotated[str, Meta(max_length=50)] | None = None
    inner: dict[str, list[int]] | None = None


class Echoed(Model, frozen=True, kw_only=True, omit_defaults=False):
    """What arrived, and in which context."""

    chat: UUID
    seq: int
    names: tuple[str, ...]
    state: str
    flag: bool
    text: str | None
    caller: UUID | None
    cid: UUID | None
    address: str


class Which(Request, frozen=True, kw_only=True):
    """What the handler shall do."""

    what: str = "ok"


class Took(Model, frozen=True, kw_only=True, omit_defaults=False):
    """How many bytes came, and their digest."""

    size: int
    digest: str


class ImageOf(Request, frozen=True, kw_only=True):
    """An image."""

    image: UUID


class Nothing(Request, frozen=True, kw_only=True):
    """No field."""


RequestT = TypeVar("RequestT", bound=Request)
ReplyT = TypeVar("ReplyT")


def _operation(
    name: str, request: type[RequestT], reply: type[ReplyT], http: str, rate: RateClass, effect: Effect, **more: Any
) -> Operation[RequestT, ReplyT]:
    method, _, path = http.partition(" ")
    return Operation(
        name=name, request=request, reply=reply, http=(method, path) if http else None, summary="s", rules=("W7",),
        rate=rate, effect=effect, **more,
    )  # fmt: skip


GET = _operation("t.get", Echo, Echoed, "GET /v1/t/{chat}", "read", "read")
PUT = _operation("t.put", Echo, Echoed, "PUT /v1/t/{chat}", "command", "idempotent")
POST = _operation("t.post", Echo, Echoed, "POST /v1/t", "send", "once")
DO = _operation("t.do", Which, Which, "POST /v1/do", "command", "ephemeral")
BUYERS_ONLY = _operation("t.buyers", Echo, Echoed, "POST /v1/buyers-only", "command", "once")
OPEN = _operation("t.open", Echo, Echoed, "POST /v1/open", "sign_in", "ephemeral", anonymous=True)
UPLOAD = _operation(
    "t.upload", Nothing, Took, "POST /v1/bytes", "upload", "ephemeral", socket=False, one_door="r", binary="request"
)
DOWNLOAD = _operation(
    "t.download", ImageOf, bytes, "GET /v1/bytes/{image}", "read", "read", socket=False, one_door="r", binary="reply"
)
TYPING = _operation("t.typing", Nothing, Which, "", "ephemeral", "ephemeral", one_door="r")
CATALOGUE: dict[str, Operation[Any, Any]] = {
    operation.name: operation for operation in (GET, PUT, POST, DO, BUYERS_ONLY, OPEN, UPLOAD, DOWNLOAD, TYPING)
}


def caller_of(kind: Literal["buyer", "main"]) -> Caller:
    """A caller of that kind."""
    return Caller(account=ACCOUNT, fair=CHAT, kind=kind, name="n", session=IMAGE, device="d", table=DEFAULT)


TOKENS = {"buyer-token": caller_of("buyer"), "main-token": caller_of("main")}


async def authenticate(token: str) -> Caller:
    """Two tokens are known, one is over."""
    if token == "over":
        raise Refused("token_expired")
    if token not in TOKENS:
        raise Refused("unauthenticated")
    return TOKENS[token]


def _echoed(caller: Caller | None, context: Context, request: Echo) -> Echoed:
    return Echoed(
        chat=request.chat, seq=request.seq, names=request.names, state=request.state, flag=request.flag,
        text=request.text, caller=caller.account if caller else None, cid=context.cid, address=context.address,
    )  # fmt: skip


@dataclass
class Service:
    """The handlers; `cids` are those seen, `file` is what a download sends."""

    file: Path | None = None
    cids: set[UUID | None] = field(default_factory=set)
    asked: list[Future[Which]] = field(default_factory=list)
    """What `ask` has not answered yet."""

    async def echo(self, caller: Caller, context: Context, request: Echo) -> Echoed:
        """Says what it was given; a cid seen before is a duplicate."""
        if context.cid is not None and context.cid in self.cids:
            context.duplicate()
        self.cids.add(context.cid)
        return _echoed(caller, context, request)

    async def open(self, context: Context, request: Echo) -> Echoed:
        """Without a caller."""
        return _echoed(None, context, request)

    async def do(self, _: Caller, context: Context, request: Which) -> Which:
        """Fails as it is told."""
        match request.what:
            case "refuse":
                raise Refused("conflict", "changed", field="what", detail={"held": [1, 2]})
            case "busy":
                raise Unavailable("busy", retry_after_ms=1500)
            case "crash":
                raise RuntimeError("secret-of-the-house")
        return request

    def ask(self, caller: Caller, context: Context, request: Which) -> Future[Which]:
        """As `do`, answered when the test says so."""
        match request.what:
            case "refuse":
                raise Refused("conflict", "changed", field="what")
            case "crash":
                raise RuntimeError("secret-of-the-house")
        self.asked.append(asyncio.get_running_loop().create_future())
        return self.asked[-1]

    async def upload(self, _: Caller, context: Context, request: Nothing, data: bytes) -> Took:
        """Weighs the bytes."""
        return Took(size=len(data), digest=sha256(data).hexdigest())

    async def download(self, _: Caller, context: Context, request: ImageOf) -> BinaryReply:
        """The file, or eight bytes."""
        if request.image != IMAGE:
            raise Refused("not_found")
        return BinaryReply(data=self.file or b"\x89PNG1234", content_type="image/png", etag="tag-1")

    async def typing(self, _: Caller, context: Context, request: Nothing) -> Which:
        """By the socket alone."""
        return Which(what="typed")

    def registry(self) -> Registry:
        """Everything bound."""
        registry = Registry(catalogue=CATALOGUE)
        registry.bind(GET, SIGNED_IN, self.echo)
        registry.bind(PUT, SIGNED_IN, self.echo)
        registry.bind(POST, SIGNED_IN, self.echo)
        registry.bind(DO, SIGNED_IN, self.do, self.ask)
        registry.bind(BUYERS_ONLY, BUYERS, self.echo)
        registry.bind_anonymous(OPEN, self.open)
        registry.bind_upload(UPLOAD, Allow(kinds=frozenset({"buyer", "main"})), self.upload)
        registry.bind_download(DOWNLOAD, SIGNED_IN, self.download)
        registry.bind(TYPING, SIGNED_IN, self.typing)
        return registry.sealed()


@dataclass(frozen=True)
class Running:
    """The service behind a real server, and a client that has signed in as a team's main account."""

    url: str
    port: int
    client: ClientSession
    service: Service
    metrics: Metrics
    clock: ManualClock
    dispatch: Dispatch


@asynccontextmanager
async def running(
    *,
    bodies: BodyLimits | None = None,
    factor: float = 0.0,
    trusted: tuple[Network, ...] = (),
    file: Path | None = None,
) -> AsyncIterator[Running]:
    """Rate limits are off unless `factor` says otherwise."""
    clock, metrics, service = ManualClock(), Metrics(), Service(file)
    registry = service.registry()
    dispatch = Dispatch(
        registry,
        Limits(clock, rates=ACCOUNT_RATES, factor=factor),
        Limits(clock, rates=ADDRESS_RATES, factor=factor),
        metrics,
    )
    policy = HttpPolicy(origins=frozenset({ORIGIN}), trusted_proxies=trusted, bodies=bodies or BodyLimits())
    app = build_http_app(
        registry=registry, dispatch=dispatch, authenticate=authenticate, policy=policy, metrics=metrics
    )
    async with listening(app, "127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}"
        headers = {"Authorization": "Bearer main-token"}
        async with ClientSession(url, headers=headers, timeout=ClientTimeout(total=20)) as client:
            yield Running(url, port, client, service, metrics, clock, dispatch)
