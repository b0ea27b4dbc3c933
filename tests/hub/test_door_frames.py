"""Frames that are wrong in every way: a typed error each, a documented close when it is repeated or cannot be read on (W13, W15)."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import msgpack
import pytest

from tests.harness.node import Running
from tests.harness.peer import Peer, peer
from tests.hub.wire import CODECS, chat, hello, raw

LIMIT = 65_536


def call(op: str, **args: Any) -> dict[str, Any]:
    return {"t": "call", "cid": str(uuid4()), "op": op, "args": args}


def nested(depth: int) -> Any:
    """Maps within maps, `depth` of them."""
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("codec", CODECS)
async def test_what_is_no_frame_gets_an_error_and_the_tenth_closes_4504_w13(running: Running, codec: str) -> None:
    faults = [
        {"t": "dance"}, {"t": 7}, {"call": 1}, [], 7, None, "text",
        {"t": "call", "op": "account.show"}, {"t": "call", "cid": "no uuid", "op": "x"},
        {"t": "ack", "pos": -1, "fair_pos": 0},
    ]  # fmt: skip
    async with raw(running, codec) as one:
        await one.send(hello(running.ground["buyer"].token))
        await one.until("live")
        for fault in faults[:9]:
            await one.send(one.encode(fault))
            error = await one.receive()
            assert (error["t"], error["code"]) == ("error", "invalid"), (fault, error)
            assert "retry_after_ms" not in error
        await one.send(one.encode(faults[9]))
        await one.turned_away(4504)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("broken", [b"\xc1", b"\x81", b"{", b"\x93\x01", b"{}{}", b'{"t":"call",}', b""])
async def test_what_cannot_be_decoded_is_malformed_and_the_socket_lives_w13(
    running: Running, codec: str, broken: bytes
) -> None:
    async with peer(running.url, running.ground["buyer"].token, codec=codec) as buyer:
        if codec == "json":
            broken = broken.replace(b"\xc1", b"\x01").replace(b"\x81", b"[").replace(b"\x93\x01", b"nul")
        await buyer.connection.send(broken.decode() if codec == "json" else broken)
        error = await buyer.wait(t="error")
        assert error["code"] in {"malformed", "invalid"}
        await buyer.ok("account.show")


@pytest.mark.parametrize("codec", CODECS)
async def test_an_error_names_the_call_when_the_frame_still_shows_it_w7(running: Running, codec: str) -> None:
    async with peer(running.url, running.ground["buyer"].token, codec=codec) as buyer:
        cid = str(uuid4())
        await buyer.send({"t": "call", "cid": cid, "op": 7})
        error = await buyer.wait(t="error")
        assert (error["cid"], error["code"], error["field"]) == (cid, "invalid", "op")


@pytest.mark.parametrize("codec", CODECS)
async def test_nesting_ends_at_sixteen_w15(running: Running, codec: str) -> None:
    async with peer(running.url, running.ground["buyer"].token, codec=codec) as buyer:
        deepest = call("account.show") | {"args": nested(15)}  # the frame itself is the sixteenth
        await buyer.send(deepest)
        assert (await buyer.wait(t="reply"))["cid"] == deepest["cid"]
        await buyer.send(call("account.show") | {"args": nested(16)})
        assert (await buyer.wait(t="error"))["code"] == "malformed"
        bomb = b"\x81\xa1a" * 20_000 + b"\x01" if codec == "msgpack" else '{"a":' * 10_000 + "1" + "}" * 10_000
        await buyer.connection.send(bomb)
        assert (await buyer.wait(t="error"))["code"] == "malformed"
        await buyer.ok("account.show")


def pieces(whole: bytes | str) -> list[bytes] | list[str]:
    """A message in fragments."""
    starts = range(0, len(whole), 1000)
    if isinstance(whole, bytes):
        return [whole[at : at + 1000] for at in starts]
    return [whole[at : at + 1000] for at in starts]


def sized(buyer: Peer, size: int) -> bytes | str:
    """A call whose frame has exactly that many bytes."""
    frame = call("account.show", padding="")
    frame["args"]["padding"] = "x" * (size - len(buyer.encode(frame)))
    data = buyer.encode(frame)
    while len(data) != size:  # a longer text has a longer head
        frame["args"]["padding"] = (
            frame["args"]["padding"][: size - len(data)] if len(data) > size else frame["args"]["padding"] + "x"
        )
        data = buyer.encode(frame)
    return data


@pytest.mark.parametrize("codec", CODECS)
async def test_a_frame_has_at_most_64_kib_w15(running: Running, codec: str) -> None:
    async with peer(running.url, running.ground["buyer"].token, codec=codec) as buyer:
        await buyer.connection.send(sized(buyer, LIMIT))
        await buyer.wait(t="reply")
        await buyer.connection.send(sized(buyer, LIMIT + 1))
        assert await buyer.closed() in {1009, 4504}


@pytest.mark.parametrize("codec", CODECS)
async def test_fragments_count_together_w15(running: Running, codec: str) -> None:
    async with peer(running.url, running.ground["buyer"].token, codec=codec) as buyer:
        whole = sized(buyer, LIMIT)
        await buyer.connection.send(pieces(whole))
        await buyer.wait(t="reply")
        whole = sized(buyer, LIMIT + 5000)
        await buyer.connection.send(pieces(whole))
        assert await buyer.closed() in {1009, 4504}


@pytest.mark.parametrize("codec", CODECS)
async def test_a_message_of_the_other_kind_closes_4504(running: Running, codec: str) -> None:
    async with raw(running, codec) as one:
        await one.send(hello(running.ground["buyer"].token))
        await one.until("live")
        frame = call("account.show")
        await one.send(json.dumps(frame) if codec == "msgpack" else bytes(msgpack.packb(frame)))
        await one.turned_away(4504)


@pytest.mark.parametrize("codec", CODECS)
async def test_hello_twice_closes_4504_w1(running: Running, codec: str) -> None:
    async with raw(running, codec) as one:
        token = running.ground["buyer"].token
        await one.send(hello(token))
        await one.until("live")
        await one.send(hello(token))
        await one.turned_away(4504)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("field", ["pos", "fair_pos"])
async def test_an_ack_of_a_position_never_sent_closes_4504_w11(running: Running, codec: str, field: str) -> None:
    async with raw(running, codec) as one:
        await one.send(hello(running.ground["buyer"].token))
        live = await one.until("live")
        positions = {"pos": live["pos"], "fair_pos": live["fair_pos"]}
        await one.send({"t": "ack", **positions})
        await one.send({"t": "ack", **positions, field: positions[field] + 1})
        await one.turned_away(4504)


async def test_unknown_operations_and_those_of_the_other_door_are_refused_w1(running: Running) -> None:
    async with peer(running.url, running.ground["buyer"].token) as buyer:
        for op in ("chat.fly", "", "auth.sign_in", "chat.upload_image", "fair.show"):
            assert await buyer.refused(op) == "unknown_operation"
        for _ in range(12):  # a call that is refused is no broken frame
            assert await buyer.refused("chat.fly") == "unknown_operation"


async def test_unknown_fields_are_ignored_everywhere_w1(running: Running) -> None:
    async with raw(running) as one:
        await one.send(hello(running.ground["buyer"].token, mood="good", device={"id": "d", "colour": "red"}))
        await one.until("live")
        await one.send(call("account.show", more=1) | {"later": True})
        assert (await one.receive())["t"] == "reply"


async def test_a_socket_that_misbehaves_costs_nobody_else_anything(running: Running) -> None:
    ground = running.ground
    async with peer(running.url, ground["buyer"].token) as buyer, peer(running.url, ground["main"].token) as main:
        conversation = await chat(running, buyer)
        for _ in range(20):
            async with raw(running) as one:
                await one.send(hello(ground["buyer"].token))
                for _ in range(12):
                    await one.send(b"\xc1")
                _, code = await one.end()
                assert code == 4504
        await buyer.ok("chat.send", conversation=conversation, text="still here")
        while (await main.event("message"))["message"].get("text") != "still here":
            pass


@pytest.mark.parametrize("codec", CODECS)
async def test_a_reason_that_quotes_what_was_sent_leaves_the_close_readable_w13(running: Running, codec: str) -> None:
    """A close frame has room for 123 bytes: a character cut in two would cost the client the code."""
    for shift in range(3):
        async with raw(running, codec) as one:
            await one.send(hello(running.ground["buyer"].token))
            await one.until("live")
            for _ in range(10):
                await one.send({"t": "x" * shift + "字" * 40})
            _, code = await one.end()
            assert code == 4504
