"""Images of a chat, made safe to store: decoded and encoded anew in processes of their own (C4).

A few child processes, started when the first image comes. One that dies of an image, or takes longer than the limit,
is killed alone and replaced for the next image; the event loop only ever moves bytes. (A `ProcessPoolExecutor` breaks
as a whole when one of its processes dies, cannot stop a single job, and imports the server's main module into each.)
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Final, Self

import msgspec

from fairwire_protocol.errors import Refused, Unavailable
from fairwire_server.chat.image_format import (
    LENGTH,
    ImageLimits,
    ImageRefused,
    ImageReply,
    ImageTask,
    ProcessedImage,
    read_header,
)

__all__ = ["ImageWorker"]

_MEMORY: Final = 1_536 * 1024 * 1024  # what the hungriest encoder takes for 40 million pixels, and Python
_LONGEST_REPLY: Final = 256 * 1024 * 1024  # a process that claims more is not ours any longer
_START_S: Final = 10.0
_TRIES: Final = 2  # a process may die of something else than the image; twice is the image


class ImageWorker:
    """Processes images, `processes` at a time, `max_waiting` more in line. Use as an async context manager."""

    def __init__(
        self,
        limits: ImageLimits | None = None,
        *,
        processes: int = 1,
        max_waiting: int = 16,
        timeout_s: float = 30.0,
        memory_bytes: int = _MEMORY,
    ) -> None:
        self._limits = limits or ImageLimits()
        self._task = ImageTask(self._limits, memory_bytes)
        self._max_waiting = max_waiting
        self._timeout_s = timeout_s
        self._free = asyncio.Semaphore(processes)
        self._waiting = 0
        self._idle: list[_Decoder] = []
        self._started: set[_Decoder] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def process(self, data: bytes) -> ProcessedImage:
        """The image as it may be stored. `Refused`: `too_large`, `unsupported_kind`, `bad_image`; `Unavailable` when
        too many wait, or no process can be started."""
        if len(data) > self._limits.max_bytes:
            raise Refused("too_large")
        header = read_header(data)
        if header.width * header.height > self._limits.max_pixels:
            raise Refused("too_large")
        if self._waiting >= self._max_waiting:
            raise Unavailable("busy", retry_after_ms=3_000)
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            return await self._process(data)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Ends every process, also one at work: its caller gets `Unavailable('draining')`."""
        self._closed = True
        self._idle.clear()
        await asyncio.gather(*(decoder.end() for decoder in self._started))

    async def _process(self, data: bytes) -> ProcessedImage:
        for _ in range(_TRIES):
            with suppress(_DecoderDied):
                async with self._decoder() as decoder, asyncio.timeout(self._timeout_s):
                    reply = await decoder.decode(data)
                if isinstance(reply, ImageRefused):
                    raise Refused(reply.code, reply.message)
                return reply
        if self._closed:
            raise Unavailable("draining")
        raise Refused("bad_image", "The image cannot be decoded.")

    @asynccontextmanager
    async def _decoder(self) -> AsyncIterator[_Decoder]:
        """A process that waits, or a new one. It is kept for the next image, unless it is left by an error, a time-out
        or a cancellation: then it is in the midst of something, and is ended."""
        if self._closed:
            raise Unavailable("draining")
        decoder = self._idle.pop() if self._idle else await self._start()
        finished = False
        try:
            yield decoder
            finished = True
        except TimeoutError:
            raise Refused("bad_image", "Decoding the image takes too long.") from None
        finally:
            if finished and not self._closed:
                self._idle.append(decoder)
            else:
                self._started.discard(decoder)
                await decoder.end()

    async def _start(self) -> _Decoder:
        decoder: _Decoder | None = None
        try:
            decoder = await _Decoder.start(self._task)
            self._started.add(decoder)
            async with asyncio.timeout(_START_S):
                await decoder.ready()
        except BaseException as error:
            if decoder is not None:
                self._started.discard(decoder)
                await decoder.end()
            if isinstance(error, OSError | _DecoderDied):
                # Nothing was decoded yet: the machine is short of something, the image is not to blame.
                raise Unavailable("busy", retry_after_ms=3_000) from error
            raise
        return decoder


class _DecoderDied(Exception):
    """The process ended, or answered nonsense, instead of a reply."""


class _Decoder:
    """One process of `image_process`, and the two pipes to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._to = process.stdin
        self._back = process.stdout

    @classmethod
    async def start(cls, task: ImageTask) -> _Decoder:
        # The environment holds secrets, and this process will read strangers' bytes: it gets our import path alone.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "fairwire_server.chat.image_process",
            msgspec.json.encode(task).decode(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        return cls(process)

    async def ready(self) -> None:
        """Returns once the process has started and given up its rights, which it tells by an empty frame."""
        try:
            await self._back.readexactly(LENGTH.size)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise _DecoderDied from error

    async def decode(self, data: bytes) -> ImageReply:
        try:
            self._to.write(LENGTH.pack(len(data)))
            self._to.write(data)
            await self._to.drain()
            (length,) = LENGTH.unpack(await self._back.readexactly(LENGTH.size))
            if length > _LONGEST_REPLY:
                raise _DecoderDied
            reply: ImageReply = msgspec.msgpack.decode(await self._back.readexactly(length), type=ImageReply)
            return reply
        except (ConnectionError, asyncio.IncompleteReadError, msgspec.DecodeError) as error:
            raise _DecoderDied from error

    async def end(self) -> None:
        """Kills the process if it still runs, and waits until it is gone."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        self._to.close()
        await self._process.wait()
