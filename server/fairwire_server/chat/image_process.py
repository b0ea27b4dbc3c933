"""The process in which images are decoded: reads jobs from standard input, answers on standard output.

A frame is four bytes of length, big-endian, and as many bytes: towards here an uploaded file, back an `ImageReply` as
MessagePack, and before all others an empty one that says "ready". The process ends when its input ends, so it never
outlives the server. It is started with an empty environment and, before the first byte is read, gives up memory beyond
its limit, writing files, and core dumps.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from typing import BinaryIO

import msgspec
from PIL import GifImagePlugin, Image

from fairwire_protocol.errors import Refused
from fairwire_server.chat.image_codec import reencode
from fairwire_server.chat.image_format import LENGTH, ImageLimits, ImageRefused, ImageReply, ImageTask


def _main() -> None:
    task = msgspec.json.decode(sys.argv[1], type=ImageTask)
    _give_up_rights(task.memory_bytes)
    Image.MAX_IMAGE_PIXELS = None  # `reencode` has its own limit, checked before Pillow's
    # Keeps an animation's palette where it can, instead of inventing one for every frame.
    GifImagePlugin.LOADING_STRATEGY = GifImagePlugin.LoadingStrategy.RGB_AFTER_DIFFERENT_PALETTE_ONLY
    encoder = msgspec.msgpack.Encoder()
    incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer
    outgoing.write(LENGTH.pack(0))
    outgoing.flush()
    while (data := _read_frame(incoming)) is not None:
        reply = encoder.encode(_reply(data, task.limits))
        outgoing.write(LENGTH.pack(len(reply)))
        outgoing.write(reply)
        outgoing.flush()


def _give_up_rights(memory_bytes: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the server's to answer
    os.nice(5)  # sockets before pictures
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 32),
    ):
        resource.setrlimit(limit, (value, value))


def _read_frame(incoming: BinaryIO) -> bytes | None:
    head = incoming.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    data = incoming.read(length)
    return data if len(data) == length else None


def _reply(data: bytes, limits: ImageLimits) -> ImageReply:
    try:
        return reencode(data, limits)
    except Refused as refused:
        return ImageRefused(refused.code, refused.message)


if __name__ == "__main__":
    _main()
