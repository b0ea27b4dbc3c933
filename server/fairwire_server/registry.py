"""The registry: every operation of the catalogue with who may call it and what runs.

An operation without a binding, or with two, keeps the server from starting, so a new one cannot forget its permission. What
`Allow` says is decided here, before a handler runs and from the caller alone; what depends on the object asked about (does it
hold this chat?) is decided by the capability's rules on rows read in the handler's transaction.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import AccountKind
from fairwire_protocol.operations import CATALOGUE, Operation, Request
from fairwire_server.accounts.rules import TEAM_KINDS, Caller, Capability
from fairwire_server.context import BinaryReply, Context

__all__ = ["ANYBODY", "BUYERS", "ORGANISERS", "SIGNED_IN", "TEAM", "Allow", "Bound", "Registry"]

RequestT = TypeVar("RequestT", bound=Request)
ReplyT = TypeVar("ReplyT")
AnonymousHandler = Callable[[Context, RequestT], Awaitable[ReplyT]]
Handler = Callable[[Caller, Context, RequestT], Awaitable[ReplyT]]
Ask = Callable[[Caller, Context, RequestT], "Future[ReplyT]"]
UploadHandler = Callable[[Caller, Context, RequestT, bytes], Awaitable[ReplyT]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """Who may call: kinds of account, and a capability that exhibitor accounts need (A7).

    What changes without the caller's sockets being closed, such as completeness (A3) or silence (C18), is decided by the handler, of
    the account as its transaction reads it.
    """

    kinds: frozenset[AccountKind]
    capability: Capability | None = None

    def check(self, caller: Caller) -> None:
        """Raises `forbidden`."""
        if caller.kind not in self.kinds:
            raise Refused("forbidden")
        if self.capability is not None and caller.kind in TEAM_KINDS and not caller.may(self.capability):
            raise Refused("forbidden")


_ALL: frozenset[AccountKind] = frozenset({"organiser", "main", "manager", "business", "exhibit", "buyer"})
SIGNED_IN = Allow(kinds=_ALL)
BUYERS = Allow(kinds=frozenset({"buyer"}))
TEAM = Allow(kinds=TEAM_KINDS)
ORGANISERS = Allow(kinds=frozenset({"organiser"}))
ANYBODY = Allow(kinds=frozenset())
"""For anonymous operations: there is no caller to check."""


@dataclass(frozen=True, slots=True)
class Bound(Generic[RequestT, ReplyT]):
    """An operation, who may call it, and what runs."""

    operation: Operation[RequestT, ReplyT]
    allow: Allow
    handler: Handler[RequestT, ReplyT] | None
    anonymous: AnonymousHandler[RequestT, ReplyT] | None = None
    upload: UploadHandler[RequestT, ReplyT] | None = None
    ask: Ask[RequestT, ReplyT] | None = None
    """As `handler`, for what waits for nothing but its place in a batch: a future of the reply, without a task to wait in."""


@dataclass(slots=True)
class Registry:
    """Bindings by operation name; complete once `sealed`."""

    catalogue: Mapping[str, Operation[Any, Any]] = field(default_factory=lambda: CATALOGUE)
    _bound: dict[str, Bound[Any, Any]] = field(default_factory=dict)

    def bind(
        self,
        operation: Operation[RequestT, ReplyT],
        allow: Allow,
        handler: Handler[RequestT, ReplyT],
        ask: Ask[RequestT, ReplyT] | None = None,
    ) -> None:
        """Bind an operation for signed-in callers."""
        if operation.anonymous:
            raise ValueError(f"{operation.name} runs without a caller; use bind_anonymous")
        if operation.binary:
            raise ValueError(f"{operation.name} carries bytes; use bind_upload or bind_download")
        self._add(Bound(operation, allow, handler, ask=ask))

    def bind_upload(
        self, operation: Operation[RequestT, ReplyT], allow: Allow, handler: UploadHandler[RequestT, ReplyT]
    ) -> None:
        """Bind an operation whose request is bytes."""
        if operation.binary != "request":
            raise ValueError(f"{operation.name} takes no bytes")
        self._add(Bound(operation, allow, None, upload=handler))

    def bind_download(
        self, operation: Operation[RequestT, bytes], allow: Allow, handler: Handler[RequestT, BinaryReply]
    ) -> None:
        """Bind an operation whose reply is bytes."""
        if operation.binary != "reply":
            raise ValueError(f"{operation.name} does not answer with bytes")
        bound: Bound[RequestT, Any] = Bound(operation, allow, handler)
        self._add(bound)

    def bind_anonymous(
        self, operation: Operation[RequestT, ReplyT], handler: AnonymousHandler[RequestT, ReplyT]
    ) -> None:
        """Bind an operation that runs without an access token."""
        if not operation.anonymous:
            raise ValueError(f"{operation.name} needs a caller; use bind")
        self._add(Bound(operation, ANYBODY, None, handler))

    def _add(self, bound: Bound[Any, Any]) -> None:
        name = bound.operation.name
        if self.catalogue.get(name) is not bound.operation:
            raise ValueError(f"{name} is not in the catalogue")
        if name in self._bound:
            raise ValueError(f"{name} is bound twice")
        self._bound[name] = bound

    def sealed(self) -> Registry:
        """This registry, once everything in the catalogue is bound."""
        missing = sorted(set(self.catalogue) - set(self._bound))
        if missing:
            raise ValueError(f"operations without a handler and permission: {', '.join(missing)}")
        return self

    def find(self, name: str) -> Bound[Any, Any]:
        """The binding of `name`; raises `unknown_operation`."""
        try:
            return self._bound[name]
        except KeyError:
            raise Refused("unknown_operation") from None

    def __iter__(self) -> Iterator[Bound[Any, Any]]:
        return iter(self._bound.values())
