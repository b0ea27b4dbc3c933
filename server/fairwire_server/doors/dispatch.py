"""The way every call takes, whichever door it came by: find it, admit it, decode it, run it, count it.

The order says what a stranger can learn. First whether the operation is on this door at all, then who is asking, then the
rate (a flood costs a bucket and nothing more), then whether this caller may call it, and only then is what it sent looked
at: somebody without permission hears `forbidden`, never which field was wrong.
"""

from __future__ import annotations

import logging
from asyncio import Future
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, Final, Literal

import structlog

from fairwire_protocol.errors import FairwireError, Refused, Unavailable
from fairwire_protocol.operations import Operation
from fairwire_server.accounts.rules import Caller
from fairwire_server.context import Context
from fairwire_server.doors.addresses import limit_key
from fairwire_server.doors.limits import SHARED, Limits, SharedLimits
from fairwire_server.observe import CORRELATION, Metrics
from fairwire_server.registry import Bound, Registry

__all__ = ["Answer", "Decode", "Dispatch", "Door", "Lane"]

Door = Literal["http", "socket"]
Decode = Callable[[type[Any]], Any]
"""What was sent, as the type asked for; raises `malformed` or `invalid`."""
Answer = Callable[[Any, FairwireError | None], None]
"""Told of a reply, or of the error that there is instead."""
INTERNAL_RETRY_MS: Final = 1000


class Lane:
    """One operation and its counts."""

    __slots__ = ("bound", "metrics", "operation")

    def __init__(self, bound: Bound[Any, Any], metrics: Metrics) -> None:
        self.bound = bound
        self.operation: Operation[Any, Any] = bound.operation
        self.metrics = metrics.operation(bound.operation.name)


class Dispatch:
    """Runs operations of a registry within limits. `limits` counts accounts, `address_limits` callers without a token, `shared` both
    at all nodes together, just before the handler: by then this node's own limits have kept floods away from it."""

    def __init__(
        self,
        registry: Registry,
        limits: Limits,
        address_limits: Limits,
        metrics: Metrics,
        shared: SharedLimits | None = None,
    ) -> None:
        self._lanes = {bound.operation.name: Lane(bound, metrics) for bound in registry}
        self._limits = limits
        self._address_limits = address_limits
        self._shared = shared
        self._metrics = metrics
        # Bound once: a logger that is not is made anew for every line.
        self._log = structlog.get_logger("dispatch").bind()
        self._tells_all = self._log.is_enabled_for(logging.DEBUG)

    async def call(
        self, name: str, caller: Caller | None, context: Context, decode: Decode, *, door: Door = "socket"
    ) -> Any:
        """Run `name` with what `decode` gives. Raises `FairwireError` and nothing else but cancellation."""
        lane = self.admit(name, caller, context, door)
        try:
            request = decode(lane.operation.request)
        except FairwireError as error:
            self.refused(lane, caller, context, error)
            raise
        return await self.run(lane, caller, context, request)

    def asks(self, name: str) -> bool:
        """Whether `ask` may be used for this operation."""
        lane = self._lanes.get(name)
        return lane is not None and lane.bound.ask is not None

    def ask(
        self, name: str, caller: Caller, context: Context, decode: Decode, answer: Answer, *, door: Door = "socket"
    ) -> Future[Any]:
        """As `call`, without a task that waits: `answer` is told of what comes later. Raises what is refused at once."""
        lane = self.admit(name, caller, context, door)
        assert lane.bound.ask is not None
        started = perf_counter()
        try:
            outcome = lane.bound.ask(caller, context, decode(lane.operation.request))
        except FairwireError as error:
            self.refused(lane, caller, context, error)
            raise
        except Exception as error:
            raise self._fault(lane, caller, context, error) from error
        outcome.add_done_callback(partial(self._answered, lane, caller, context, started, answer))
        return outcome

    def _answered(
        self, lane: Lane, caller: Caller, context: Context, started: float, answer: Answer, outcome: Future[Any]
    ) -> None:
        error = outcome.exception()
        if error is None:
            self._went_well(lane)
            answer(outcome.result(), None)
        elif isinstance(error, FairwireError):
            self.refused(lane, caller, context, error)
            answer(None, error)
        else:
            answer(None, self._fault(lane, caller, context, error))
        lane.metrics.seconds.observe(perf_counter() - started)

    def admit(self, name: str, caller: Caller | None, context: Context, door: Door) -> Lane:
        """The first half of `call`, for a door that must read a body in between: everything decided before looking at it."""
        lane = self._lanes.get(name)
        if lane is None or (not lane.operation.socket if door == "socket" else lane.operation.http is None):
            if caller is not None:
                self._limits.check(caller.account, "command")  # what is refused is an answer, too (W12)
            raise Refused("unknown_operation")
        operation = lane.operation
        try:
            if operation.anonymous:
                self._address_limits.check(limit_key(context.address), operation.rate)
            elif caller is None:
                raise Refused("unauthenticated")
            else:
                self._limits.check(caller.account, operation.rate)
                lane.bound.allow.check(caller)
            if operation.effect == "once" and context.cid is None:
                raise Refused("cid_required")
        except FairwireError as error:
            self.refused(lane, caller, context, error)
            raise
        return lane

    async def run(self, lane: Lane, caller: Caller | None, context: Context, request: Any, data: bytes = b"") -> Any:
        """The second half of `call`: the handler. `data` is the body of an operation whose request is bytes."""
        outer = CORRELATION.set(context.correlation)
        started = perf_counter()
        try:
            if self._shared is not None and lane.operation.rate in SHARED:
                known = None if caller is None or lane.operation.anonymous else caller.account
                key = limit_key(context.address) if known is None else known
                await self._shared.check(key, lane.operation.rate, address=known is None)
            reply = await _handled(lane.bound, caller, context, request, data)
        except FairwireError as error:
            self.refused(lane, caller, context, error)
            raise
        except Exception as error:
            raise self._fault(lane, caller, context, error) from error
        else:
            self._went_well(lane)
            return reply
        finally:
            lane.metrics.seconds.observe(perf_counter() - started)
            CORRELATION.reset(outer)

    def _went_well(self, lane: Lane) -> None:
        lane.metrics.outcomes["ok"] += 1
        if self._tells_all:
            self._log.debug("done", operation=lane.operation.name)

    def refused(self, lane: Lane, caller: Caller | None, context: Context, error: FairwireError) -> None:
        """Count and log a call that ended in a typed error; for a door whose own reading of the body failed, too."""
        lane.metrics.outcomes[error.code] += 1
        if error.code == "rate_limited":
            self._metrics.rate_limited[lane.operation.rate] += 1
        tell = self._log.info if error.final or error.code == "rate_limited" else self._log.warning
        tell("refused", operation=lane.operation.name, code=error.code, field=error.field, **_who(caller, context))

    def _fault(self, lane: Lane, caller: Caller | None, context: Context, error: BaseException) -> FairwireError:
        """What a client learns of a fault of ours: that it happened, and the id under which the log tells the rest."""
        lane.metrics.outcomes["internal"] += 1
        self._log.error("fault", exc_info=error, operation=lane.operation.name, **_who(caller, context))
        return Unavailable("internal", retry_after_ms=INTERNAL_RETRY_MS)


async def _handled(bound: Bound[Any, Any], caller: Caller | None, context: Context, request: Any, data: bytes) -> Any:
    if bound.anonymous is not None:
        return await bound.anonymous(context, request)
    if caller is None:
        raise Refused("unauthenticated")
    if bound.upload is not None:
        return await bound.upload(caller, context, request, data)
    assert bound.handler is not None
    return await bound.handler(caller, context, request)


def _who(caller: Caller | None, context: Context) -> dict[str, object]:
    return {"account": str(caller.account) if caller else None, "correlation": context.correlation}
