"""The tap: every frame of a live socket as a plain map, for people who write clients in other languages.

It decodes with `msgpack` or `json` alone and knows no type of ours, so what it prints is what is on the wire. It answers beats, as
every client must, and shows its own frames too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import click
import msgpack
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

__all__ = ["tap"]

FRAME_LIMIT: Final = 8 << 20


async def tap(url: str, token: str, codec: str, device: str, say: Callable[[str], None] = click.echo) -> int:
    """Connect, greet, and print until the socket closes. Answers the exit code."""
    packed = codec == "msgpack"
    positions = {"account": 0, "fair": 0}

    def show(arrow: str, frame: dict[str, Any], size: int) -> None:
        time = datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]
        say(f"{time} {arrow} {size:>5} B  {json.dumps(frame, ensure_ascii=False)}")

    try:
        async with connect(
            url, subprotocols=[Subprotocol(f"fairwire.v1.{codec}")], compression=None, ping_interval=None,
            max_size=FRAME_LIMIT, proxy=None,
        ) as socket:  # fmt: skip

            async def send(frame: dict[str, Any]) -> None:
                data: bytes | str = msgpack.packb(frame) if packed else json.dumps(frame, ensure_ascii=False)
                shown = {**frame, "token": "…"} if "token" in frame else frame
                show("→", shown, len(data))
                await socket.send(data)

            await send({"t": "hello", "protocol": [1, 1], "token": token, "device": {"id": device, "name": "tap"}})
            try:
                while True:
                    data = await socket.recv()
                    frame = msgpack.unpackb(data) if isinstance(data, bytes) else json.loads(data)
                    show("←", frame, len(data))
                    _follow(positions, frame)
                    if frame.get("t") == "beat":
                        await send({"t": "ack", "pos": positions["account"], "fair_pos": positions["fair"]})
            except ConnectionClosed:
                say(f"closed {socket.close_code} {socket.close_reason or ''}".rstrip())
                return 0
    except (OSError, TimeoutError, InvalidHandshake) as error:
        say(f"no connection: {error}")
        return 1


def _follow(positions: dict[str, int], frame: dict[str, Any]) -> None:
    """Where both streams stand (protocol/README.md §6)."""
    match frame.get("t"):
        case "resumed":
            positions.update(account=frame["account"]["pos"], fair=frame["fair"]["pos"])
        case "event":
            positions[frame["stream"]] = frame["pos"]
        case "void":
            positions[frame["stream"]] = frame["to"]
        case _:
            pass
