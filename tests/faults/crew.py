"""Clients of the SDK that talk to each other while things break, and write down what they did and saw.

Each message's text is its id on the tape. A send that gets no answer in time is `unknown` and stays in the outbox; whoever
must see a conversation records every message of it once. At the end the checker reads the history, and nothing else counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import fairwire
from fairwire_protocol.codec import CodecName
from fairwire_protocol.errors import FairwireError
from fairwire_protocol.models import Message
from fairwire_server.compose import open_node
from fairwire_server.database.pool import Database
from fairwire_server.settings import Settings
from tests.harness.checker import Follow, Report, check
from tests.harness.fairground import Fairground, build_fairground
from tests.harness.recorder import Recorder, Tape

__all__ = ["Crew", "Device", "crew", "seed"]

PATIENCE_S: Final = 60.0
TALKS: Final = (("buyer", "acme", "main"), ("buyer2", "acme", "main"), ("buyer", "rival", "rival"))
DEVICES: Final = (("buyer", "a"), ("buyer", "b"), ("buyer2", "a"), ("main", "a"), ("main", "b"), ("rival", "a"))

CODEC_OF: Final[dict[str, CodecName]] = {"a": "msgpack", "b": "json"}


async def seed(url: str, **settings: Any) -> Fairground:
    """A small fair in a migrated database, by a node that is gone afterwards."""
    async with (
        await Database.open(url, min_size=1, max_size=4) as database,
        open_node(Settings(**settings), database) as node,
    ):
        return await build_fairground(node)


@dataclass(slots=True)
class Device:
    """One client with its tape. `newest` is the last seq it has read of each conversation."""

    client: fairwire.Client
    tape: Tape
    account: str
    seen: asyncio.Condition
    newest: dict[UUID, int] = field(default_factory=dict)
    snapshots: int = 0
    pending: int = 0
    ends: list[str] = field(default_factory=list)
    """Why its connections ended."""

    def listen(self) -> None:
        """Record what comes."""

        @self.client.on("message")
        async def read(event: fairwire.Delivered) -> None:
            self.read(event.body.message)  # type: ignore[union-attr]  # `message` events have one
            async with self.seen:
                self.seen.notify_all()

        @self.client.on("offline")
        def offline(event: fairwire.Offline) -> None:
            self.ends.append(event.reason)

        @self.client.on("resync")
        async def resync(event: fairwire.Resynced) -> None:
            self.snapshots += 1
            for conversation in list(self.newest):
                await self.catch_up(conversation)

    def read(self, message: Message) -> None:
        """A message reached the user; history may have shown it before."""
        if message.seq > self.newest.get(message.conversation, 0):
            self.newest[message.conversation] = message.seq
            self.tape.read(str(message.conversation), message.text or "", message.seq)

    async def catch_up(self, conversation: UUID) -> None:
        """After a snapshot: what the history has that was not read."""
        page = await self.client.chat.history(conversation=conversation, after=self.newest[conversation], limit=100)
        for message in page.messages:
            self.read(message)

    async def say(self, conversation: UUID, timeout: float) -> None:
        """Send one message, and note what came of it."""
        message = self.tape.invoke(str(conversation))
        try:
            sent = await self.client.chat.send(conversation=conversation, text=message, timeout=timeout)
        except (fairwire.Pending, fairwire.Stopped):
            self.pending += 1
            self.tape.unknown(str(conversation), message)
        except FairwireError:
            self.tape.fail(str(conversation), message)
        else:
            self.tape.ok(str(conversation), message, sent.seq)


class Crew:
    """Everybody, and the three conversations between them."""

    def __init__(self, ground: Fairground) -> None:
        self.ground = ground
        self.recorder = Recorder()
        self.devices: dict[tuple[str, str], Device] = {}
        self.chats: dict[UUID, tuple[str, str]] = {}
        self.sent = asyncio.Condition()
        self.count = 0

    async def begin(self) -> None:
        """Open the chats; the first message is on the tape too."""
        for buyer, exhibitor, team in TALKS:
            device = self.devices[buyer, "a"]
            reply = await device.client.chat.open(exhibitor=self.ground.exhibitors[exhibitor])
            conversation = reply.entry.conversation
            self.chats[conversation] = (buyer, team)
            for (account, _), one in self.devices.items():
                if account in {buyer, team}:
                    one.newest.setdefault(conversation, 0)
            await device.say(conversation, PATIENCE_S)

    async def talk(self, timeout: float = PATIENCE_S) -> None:
        """Both sides of every chat, on every device, one message after the other, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for conversation, parties in self.chats.items():
                for (account, _), device in self.devices.items():
                    if account in parties:
                        group.create_task(self._keep_talking(device, conversation, timeout))

    async def _keep_talking(self, device: Device, conversation: UUID, timeout: float) -> None:
        while True:
            await device.say(conversation, timeout)
            async with self.sent:
                self.count += 1
                self.sent.notify_all()

    async def more(self, count: int) -> None:
        """Wait until so many more messages have had an outcome."""
        goal = self.count + count
        async with asyncio.timeout(PATIENCE_S), self.sent:
            await self.sent.wait_for(lambda: self.count >= goal)

    @asynccontextmanager
    async def talking(self, timeout: float = PATIENCE_S) -> AsyncIterator[None]:
        """Load while the body runs; afterwards every outbox is emptied."""
        load = asyncio.create_task(self.talk(timeout))
        try:
            await self.more(30)
            yield
        finally:
            load.cancel()
            with suppress(asyncio.CancelledError):
                await load
        await self.settle()

    async def settle(self) -> None:
        """Everything that was sent has arrived everywhere: a lane is in order, so its last message is behind all others."""
        async with asyncio.TaskGroup() as group:
            for conversation, parties in self.chats.items():
                for (account, _), device in self.devices.items():
                    if account in parties:
                        group.create_task(device.say(conversation, PATIENCE_S))
        async with asyncio.timeout(PATIENCE_S):
            for conversation, parties in self.chats.items():
                last = await self._last(conversation, parties[0])
                here = [device for (account, _), device in self.devices.items() if account in parties]
                async with self.sent:
                    await self.sent.wait_for(lambda: all(one.newest[conversation] >= last for one in here))  # noqa: B023  # awaited here

    async def _last(self, conversation: UUID, buyer: str) -> int:
        reply = await self.devices[buyer, "a"].client.chat.show(conversation=conversation)
        return reply.entry.last_seq

    def report(self) -> Report:
        """What the checker says."""
        follows = [
            Follow(str(conversation), account, device.tape.device)
            for conversation, parties in self.chats.items()
            for (account, _), device in self.devices.items()
            if account in parties
        ]
        return check(self.recorder.history(), follows)


@asynccontextmanager
async def crew(url: str, ground: Fairground) -> AsyncIterator[Crew]:
    """Everybody connected to `url`, and the chats begun."""
    them = Crew(ground)
    timing = fairwire.Timing(random=lambda: 0.1)  # they come back soon: the fault is to be met, not waited out
    async with AsyncExitStack() as stack:
        for account, place in DEVICES:
            name, codec = f"{account}-{place}", CODEC_OF[place]
            client = fairwire.connect(
                url, token=ground[account].token, device=name, codec=codec, timing=timing, feed_limit=100_000
            )
            device = Device(client, them.recorder.tape(account, name), account, them.sent)
            device.listen()
            them.devices[account, place] = device
            await stack.enter_async_context(client)
        await them.begin()
        yield them
