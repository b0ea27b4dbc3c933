"""The client: one account on one device, connected for as long as it lives (W16).

Who does what: a supervisor keeps a connection up and comes back after each end; the connection's reader hands every event to
`_take`, which is a plain function that keeps `state`, answers calls and fills feeds; a dispatcher runs the application's
handlers; lanes empty the outbox. Nobody on the reader's path waits for the application, so calling inside a handler works.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, TypeVar
from uuid import UUID

from fairwire.calling import Calling
from fairwire.calls import Operations
from fairwire.connection import Connection
from fairwire.credentials import Vault
from fairwire.errors import Pending, Stopped
from fairwire.feed import FEED_MAX, Feed, Happening, Offline, Online, Resynced, kind_of
from fairwire.http import Addresses, HttpDoor
from fairwire.outbox import Outbox, Unsent
from fairwire.sending import Lanes
from fairwire.state import RECENT_MAX, State, apply
from fairwire.supervisor import Supervisor
from fairwire.timing import Timing, new_cid
from fairwire.tokens import Tokens
from fairwire_protocol import frames as f
from fairwire_protocol.codec import JSON, MSGPACK, PROTOCOL, Codec, CodecName
from fairwire_protocol.errors import FairwireError, Refused, Unavailable
from fairwire_protocol.models import Account, Limits, PresenceState
from fairwire_protocol.operations import Operation, Request
from fairwire_protocol.operations.chat import SEND, SendMessage
from fairwire_protocol.operations.contacts import SET, WATCH, PresenceReply, SetPresence, Watch
from fairwire_protocol.session import Delivered, Resync, SessionEvent, UnknownFrame, Voided

__all__ = ["Client"]

RequestT = TypeVar("RequestT", bound=Request)
ReplyT = TypeVar("ReplyT")
Handler = Callable[[Happening], Awaitable[object] | None]
HandlerT = TypeVar("HandlerT", bound=Callable[..., Awaitable[object] | None])
CALL_SECONDS: Final = 30.0
READY_SECONDS: Final = 60.0
INTERNAL: Final = 1011
_log = logging.getLogger("fairwire")


class Client(Operations):
    """A live account. Use it as an async context manager: entering connects and waits for the first state.

    `state` is always current. `chat`, `contacts`, `presence` … hold a method for every operation. Events come to handlers
    registered with `on`, or by iterating `events()`.
    """

    def __init__(
        self,
        addresses: Addresses,
        tokens: Tokens,
        vault: Vault,
        door: HttpDoor,
        *,
        codec: CodecName = "msgpack",
        device: str | None = None,
        device_name: str = "",
        language: str = "zh",
        timing: Timing | None = None,
        feed_limit: int = FEED_MAX,
        call_timeout: float = CALL_SECONDS,
    ) -> None:
        super().__init__(self)
        self.addresses = addresses
        self.presence_of: dict[tuple[str, UUID], PresenceState] = {}
        """The last known presence of watched subjects, by kind and id (W10)."""
        self._tokens = tokens
        self._vault = vault
        self._door = door
        self._codec: Codec = MSGPACK if codec == "msgpack" else JSON
        self._device = f.Device(id=device or vault.device(), name=device_name)
        self._language = language
        self._timing = timing or Timing()
        self._feed_limit = feed_limit
        self._call_timeout = call_timeout
        self._handlers: dict[str, list[Handler]] = {}
        self._feeds: set[Feed] = set()
        self._calling = Calling()
        self._lanes: Lanes | None = None
        self._state: State | None = None
        self._welcome: f.Welcome | None = None
        self._skew_ms = 0
        self._resumed = False
        self._ready = asyncio.Event()
        self._stopped: Stopped | None = None
        self._stack = AsyncExitStack()
        self._wanted: dict[str, tuple[str, Request]] = {}
        self._supervisor = Supervisor(
            addresses.socket, tokens, self._codec, self._timing, self._hello, self._take, self._offline
        )

    # what is known

    @property
    def state(self) -> State:
        """The account's contacts, stars, open chats and offers, now."""
        if self._state is None:
            raise RuntimeError("the client is not connected yet; use it with `async with`")
        return self._state

    @property
    def me(self) -> Account:
        """The own account."""
        return self.state.account

    @property
    def limits(self) -> Limits:
        """The server's limits (W15)."""
        if self._welcome is None:
            raise RuntimeError("the client is not connected yet; use it with `async with`")
        return self._welcome.limits

    @property
    def online(self) -> bool:
        """Whether the connection is live."""
        return self._calling.connected

    @property
    def unsent(self) -> tuple[Unsent, ...]:
        """Messages in the outbox."""
        return self._lanes.unsent if self._lanes is not None else ()

    @property
    def resume_point(self) -> f.Resume | None:
        """How far both streams were taken in."""
        return self._supervisor.position

    def now_ms(self) -> int:
        """The server's clock, as far as it is known: for display, never for order (W8)."""
        return int(self._timing.wall() * 1000) + self._skew_ms

    # events

    def on(self, kind: str) -> Callable[[HandlerT], HandlerT]:
        """Register a handler for events of a kind: a durable event's `type`, `presence`, `typing`, `looking`, `online`,
        `offline`, `resync`, `send_queued`, `send_failed`, or `*` for all. It may be async, and it may call."""

        def register(handler: HandlerT) -> HandlerT:
            self._handlers.setdefault(kind, []).append(handler)
            return handler

        return register

    def events(self, limit: int | None = None) -> Feed:
        """Every event from now on, to iterate; at most `limit` wait before the feed collapses into one `Resynced`."""
        feed = Feed(limit or self._feed_limit)
        if self._stopped is not None:
            feed.stop(self._stopped)
        self._feeds.add(feed)
        return feed

    def forget(self, feed: Feed) -> None:
        """Stop filling a feed."""
        self._feeds.discard(feed)

    def _tell(self, happening: Happening) -> None:
        for feed in self._feeds:
            feed.put(happening, self._state)

    async def _dispatch(self, feed: Feed) -> None:
        try:
            async for happening in feed:
                for handler in [*self._handlers.get(kind_of(happening), ()), *self._handlers.get("*", ())]:
                    try:
                        outcome = handler(happening)
                        if outcome is not None:
                            await outcome
                    except Exception as error:
                        if (
                            error is not self._stopped
                        ):  # what it asked for has no answer any more, which is no fault of its own
                            _log.exception("a handler of %r has failed", kind_of(happening))
        except Stopped:
            return

    # calls

    async def call(
        self,
        operation: Operation[RequestT, ReplyT],
        request: RequestT,
        *,
        cid: UUID | None = None,
        timeout: float | None = None,
        content: bytes | None = None,
    ) -> ReplyT:
        """Run an operation. Waits out temporary errors and cuts within `timeout` seconds; `Pending` when that is too short
        for a command, whose outcome is then open, and `Unavailable` for what changes nothing."""
        if self._stopped is not None:
            raise self._stopped
        cid = cid or new_cid(self._timing.wall)
        seconds = timeout if timeout is not None else self._call_timeout
        if not operation.socket:
            return await self._over_http(operation, request, cid, content)
        if isinstance(request, SendMessage) and operation.name == SEND.name and self._lanes is not None:
            return await self._lanes.send(request, cid, seconds)  # type: ignore[return-value]  # SEND's reply is Sent
        if operation.effect == "ephemeral" and not self._calling.connected:
            raise Unavailable("busy", "there is no connection now")
        try:
            async with asyncio.timeout(seconds) as deadline:
                reply = await self._over_socket(operation, request, cid, deadline)
        except TimeoutError:
            if operation.effect in {"once", "idempotent"}:
                raise Pending(operation.name, cid) from None
            raise Unavailable("busy", "no answer in time") from None
        self._remember(operation, request, reply)
        return reply

    async def _over_socket(
        self, operation: Operation[RequestT, ReplyT], request: RequestT, cid: UUID, deadline: asyncio.Timeout
    ) -> ReplyT:
        while True:
            try:
                result = await self._calling.exchange(operation.name, request, cid)
                return self._codec.decode(result, operation.reply)
            except FairwireError as error:
                if error.retry_after_ms is None:
                    raise
                wait = error.retry_after_ms / 1000
                ends = deadline.when()
                if ends is not None and asyncio.get_running_loop().time() + wait > ends:
                    raise
                await self._timing.sleep(wait)

    async def _over_http(
        self, operation: Operation[RequestT, ReplyT], request: RequestT, cid: UUID, content: bytes | None
    ) -> ReplyT:
        token = None if operation.anonymous else await self._tokens.get()
        try:
            return await self._door.call(operation, request, token=token, cid=cid, content=content)
        except Refused as error:
            if error.code != "token_expired" or not self._tokens.renewable:
                raise
        token = await self._tokens.get(fresh=True)
        return await self._door.call(operation, request, token=token, cid=cid, content=content)

    def _remember(self, operation: Operation[RequestT, ReplyT], request: RequestT, reply: ReplyT) -> None:
        """What the socket was told about this screen is told again on the next one."""
        if isinstance(request, Watch) and operation.name == WATCH.name:
            self._wanted[WATCH.name] = (operation.name, request)
            self.presence_of.clear()
        elif isinstance(request, SetPresence):
            self._wanted[SET.name] = (operation.name, request)
        if isinstance(reply, PresenceReply):
            self.presence_of.update({(state.kind, state.id): state.state for state in reply.states})

    async def sign_out(self) -> None:
        """End the session on the server and forget it here."""
        await self.auth.sign_out()
        self._vault.forget()

    # life

    async def __aenter__(self) -> Client:
        async with AsyncExitStack() as stack:
            await self._tokens.get()
            feed = self.events()
            self._spawn(stack, self._dispatch(feed), "fairwire-dispatcher")
            self._spawn(stack, self._supervise(), "fairwire-supervisor")
            try:
                async with asyncio.timeout(READY_SECONDS):
                    await self._ready.wait()
            except TimeoutError:
                raise Unavailable(
                    "busy", f"no connection to {self.addresses.socket} in {READY_SECONDS:.0f} s"
                ) from None
            if self._stopped is not None:
                raise self._stopped
            outbox = Outbox(self._vault.outbox, self.me.id)
            stack.push_async_callback(outbox.close)
            self._lanes = Lanes(outbox, self._calling.exchange, self._tell, self._codec, self._timing)
            stack.push_async_callback(self._lanes.close)
            await self._lanes.resume()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the socket and stop everything; the outbox keeps what is unsent."""
        self._stop(Stopped(None, "the client was closed"))
        await self._stack.aclose()

    def _spawn(self, stack: AsyncExitStack, work: Awaitable[None], name: str) -> None:
        task = asyncio.ensure_future(work)
        if isinstance(task, asyncio.Task):
            task.set_name(name)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        stack.push_async_callback(end)

    def _stop(self, stopped: Stopped) -> None:
        if self._stopped is not None:
            return
        self._stopped = stopped
        self._calling.stop(stopped)
        for feed in self._feeds:
            feed.stop(stopped)
        self._ready.set()

    async def _supervise(self) -> None:
        try:
            await self._supervisor.run()
        except Stopped as stopped:
            self._stop(stopped)
        except Exception as error:
            _log.exception("the client has failed")
            self._stop(Stopped(INTERNAL, f"the client has failed: {error!r}"))

    def _hello(self, token: str, resume: f.Resume | None) -> f.Hello:
        return f.Hello(
            protocol=(PROTOCOL, PROTOCOL), token=token, device=self._device, language=self._language, resume=resume
        )

    def _offline(self, offline: Offline) -> None:
        self._calling.detach()
        self._tell(offline)

    def _take(self, event: SessionEvent, connection: Connection) -> None:
        """Everything that arrives, on the reader's own path: no await, nothing slow (W16)."""
        match event:
            case Delivered():
                if event.stream == "account" and self._state is not None:
                    self._state = apply(self._state, event.body, event.pos, self.now_ms())
                self._tell(event)
            case f.Reply() | f.Error():
                self._calling.answered(event, connection.session)
            case f.Welcome():
                self._welcome = event
                self._skew_ms = event.server_time - int(self._timing.wall() * 1000)
                self._supervisor.expires(event.expires_at, event.server_time)
            case f.Refreshed():
                self._supervisor.expires(event.expires_at, self.now_ms())
            case f.Resumed():
                self._resumed = event.resumed
            case Resync():
                self._resync(event)
            case f.Live():
                self._live(connection)
            case f.PresenceChanged():
                self.presence_of.update({(state.kind, state.id): state.state for state in event.states})
                self._tell(event)
            case f.Typing() | f.Looking():
                self._tell(event)
            case Voided() | UnknownFrame() | f.Beat() | f.Bye():
                pass

    def _resync(self, event: Resync) -> None:
        welcome = self._welcome
        self._state = State.from_snapshot(
            event.parts,
            account=welcome.account if welcome else None,
            limit=welcome.limits.recent if welcome else RECENT_MAX,
            now=self.now_ms(),
        )
        self._tell(Resynced(self._state, "snapshot"))

    def _live(self, connection: Connection) -> None:
        self._supervisor.live()
        self._calling.attach(connection)
        for operation, request in self._wanted.values():
            self._calling.post(operation, request, new_cid(self._timing.wall))
        self._tell(Online(self._resumed))
        self._ready.set()
