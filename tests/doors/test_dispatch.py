"""Dispatch, as the socket door uses it: one order of decisions, every end counted."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from fairwire_protocol.codec import JSON
from fairwire_protocol.errors import FairwireError, Refused
from fairwire_server.context import Context
from fairwire_server.doors.dispatch import Decode, Dispatch
from fairwire_server.doors.limits import ACCOUNT_RATES, Limits
from fairwire_server.observe import CORRELATION
from tests.doors.service import CHAT, DOWNLOAD, Running, Service, Which, caller_of, running


def context(cid: UUID | None = None) -> Context:
    """A call's surroundings."""
    return Context(cid=cid, correlation="c0ffee", address="198.51.100.1", socket=1)


def sent(data: bytes) -> Decode:
    """What a socket would decode."""
    return lambda type_: JSON.decode(data, type_)


def unread(_: type[Any]) -> Any:
    raise AssertionError("looked at what was sent")


async def refused(running: Running, name: str, decode: Decode, **more: Any) -> str:
    """The code the call is refused with."""
    with pytest.raises(FairwireError) as caught:
        await running.dispatch.call(
            name, more.pop("caller", caller_of("main")), more.pop("context", context()), decode, **more
        )
    return caught.value.code


async def test_a_call_runs_its_handler_and_is_counted(door: Running) -> None:
    reply = await door.dispatch.call("t.do", caller_of("main"), context(), sent(b'{"what":"hello"}'))
    assert reply.what == "hello"
    counted = door.metrics.operations["t.do"]
    assert (counted.outcomes, sum(counted.seconds.counts)) == ({"ok": 1}, 1)


async def test_each_door_has_its_own_operations(door: Running) -> None:
    """Bytes do not fit a frame (W15), and typing has nobody to show itself to over HTTP."""
    assert await refused(door, "t.download", unread) == "unknown_operation"
    assert await refused(door, "t.upload", unread) == "unknown_operation"
    assert await refused(door, "t.typing", unread, door="http") == "unknown_operation"
    assert await refused(door, "no.such", unread) == "unknown_operation"
    assert (await door.dispatch.call("t.typing", caller_of("main"), context(), sent(b""))).what == "typed"


async def test_what_does_not_exist_is_not_asked_for_without_end_w12() -> None:
    async with running(factor=1) as door:
        codes = [await refused(door, "no.such", unread) for _ in range(ACCOUNT_RATES["command"].burst + 1)]
    assert (codes[-2], codes[-1]) == ("unknown_operation", "rate_limited")


async def test_who_may_not_call_is_told_so_before_anything_is_looked_at(door: Running) -> None:
    """A7."""
    assert await refused(door, "t.buyers", unread) == "forbidden"
    assert await refused(door, "t.get", unread, caller=None) == "unauthenticated"
    assert await refused(door, "t.post", unread) == "cid_required"
    assert door.metrics.operations["t.buyers"].outcomes == {"forbidden": 1}


async def test_what_does_not_decode_is_refused_and_counted(door: Running) -> None:
    assert await refused(door, "t.get", sent(b'{"chat":1}')) == "invalid"
    assert door.metrics.operations["t.get"].outcomes == {"invalid": 1}


async def test_a_fault_becomes_internal_and_its_cause_stays_here(door: Running) -> None:
    with pytest.raises(FairwireError) as caught:
        await door.dispatch.call("t.do", caller_of("main"), context(), sent(b'{"what":"crash"}'))
    assert (caught.value.code, caught.value.final) == ("internal", False)
    assert "secret-of-the-house" not in str(caught.value)


async def asked(door: Running, what: str) -> list[tuple[Any, str | None]]:
    """What has been answered to who asked, as (reply, code), once the service's answer is there."""
    answers: list[tuple[Any, str | None]] = []
    door.dispatch.ask(
        "t.do",
        caller_of("main"),
        context(),
        sent(b'{"what":"%b"}' % what.encode()),
        lambda reply, error: answers.append((reply, error.code if error else None)),
    )
    assert not answers
    return answers


async def turn() -> None:
    """Callbacks that are due have run."""
    await asyncio.sleep(0)


async def test_who_asks_is_answered_later_and_counted_then(door: Running) -> None:
    answers = await asked(door, "hello")
    counted = door.metrics.operations["t.do"]
    assert (counted.outcomes, sum(counted.seconds.counts)) == ({}, 0)
    door.service.asked[0].set_result(Which(what="heard"))
    await turn()
    assert answers == [(Which(what="heard"), None)]
    assert (counted.outcomes, sum(counted.seconds.counts)) == ({"ok": 1}, 1)


async def test_who_asks_is_told_a_later_error_and_never_its_cause(door: Running) -> None:
    for error in (Refused("conflict"), RuntimeError("secret-of-the-house")):
        answers = await asked(door, "hello")
        door.service.asked[-1].set_exception(error)
        await turn()
        assert answers == [(None, "conflict" if isinstance(error, Refused) else "internal")]
    assert door.metrics.operations["t.do"].outcomes == {"conflict": 1, "internal": 1}


@pytest.mark.parametrize(("what", "code"), [("refuse", "conflict"), ("crash", "internal")])
async def test_who_asks_is_refused_at_once_what_needs_no_waiting(door: Running, what: str, code: str) -> None:
    with pytest.raises(FairwireError) as caught:
        await asked(door, what)
    assert caught.value.code == code
    assert "secret-of-the-house" not in str(caught.value)
    assert door.metrics.operations["t.do"].outcomes == {code: 1}


async def test_only_what_is_bound_so_is_asked(door: Running) -> None:
    assert [door.dispatch.asks(name) for name in ("t.do", "t.get", "no.such")] == [True, False, False]


async def test_the_correlation_is_known_while_the_handler_runs_and_not_after(door: Running) -> None:
    seen: list[str | None] = []

    class Spy(Service):
        async def do(self, *_: Any) -> Any:
            seen.append(CORRELATION.get())

    limits = Limits(door.clock, factor=0)
    await Dispatch(Spy().registry(), limits, limits, door.metrics).call("t.do", caller_of("main"), context(), sent(b""))
    assert (seen, CORRELATION.get()) == (["c0ffee"], None)


async def test_the_cid_reaches_the_handler(door: Running) -> None:
    """W7."""
    cid = uuid4()
    reply = await door.dispatch.call(
        "t.post", caller_of("main"), context(cid), sent(b'{"chat":"%b"}' % str(CHAT).encode())
    )
    assert reply.cid == cid


def test_bytes_are_bound_by_their_own_kind_of_handler() -> None:
    """A handler that knows nothing of bytes cannot be bound to an operation that carries them."""
    service, registry = Service(), Service().registry()
    with pytest.raises(ValueError, match="carries bytes"):
        registry.bind(DOWNLOAD, registry.find("t.get").allow, service.download)  # type: ignore[arg-type]
