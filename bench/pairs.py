"""Talking pairs: what `bench.commit` loads the server with. A pair has one message on its way and answers what it receives."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Final, Literal
from uuid import uuid4

import msgspec

from bench.common import Served
from bench.people import people
from bench.wire import Frame, Wire, connect_all

__all__ = ["Load", "Pair", "Speaker", "Talk", "p99_ms", "talk_of", "talking"]

TEXTS: Final = 500
CHINESE: Final = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都"
    "两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想"
    "已通并提直题党程展五果料象员革位入常文总次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她手角期根论运农指几九区强放决西被干做必战先回则任取据处队南给色光门即保治北造"
    "百规热领七海口东导器压志世金增争济阶油思术极交受联什认六共权收证改清己美再采转更单风切打白教速花带安场身车例真务具万每目至达走积示议声报斗完类八离华名确才科张信马节话米整空元况今集"
    "温传土许步群广石记需段研界拉林律叫且究观越织装影算低持音众书布复容儿须际商非验连断深难近矿千周委素技备半办青省列习响约支般史感劳便团往酸历市克何除消构府称太准精值号率族维划选标写存"
    "候毛亲快效斯院查江型眼王按格养易置派层片始却专状育厂京识适属圆包火住调满县局照参红细引听该铁价严"
)
LATIN: Final = (
    "price", "sample", "order", "delivery", "catalogue", "quantity", "engine", "motorcycle", "helmet", "invoice", "container",
    "port", "factory", "visit", "quality",
)  # fmt: skip


class _Message(msgspec.Struct, frozen=True, gc=False):
    seq: int
    conversation: str
    cid: str = ""


class _Body(msgspec.Struct, frozen=True, gc=False):
    type: str
    message: _Message | None = None


class _Entry(msgspec.Struct, frozen=True):
    conversation: str


class _Opened(msgspec.Struct, frozen=True):
    entry: _Entry


_body = msgspec.msgpack.Decoder(_Body).decode
_opened = msgspec.msgpack.Decoder(_Opened).decode


class Speaker(Wire):
    """A socket that talks. In the full profile it acknowledges what it receives, and reads it with one call at a time."""

    def __init__(self, token: str, device: str, *, reads: bool) -> None:
        super().__init__(token, device)
        self.reads = reads
        self.on_frame = self._frame
        self.heard: Callable[[str], None] = lambda _: None
        self.answered: Callable[[Frame], None] = lambda _: None
        self._opening: asyncio.Future[str] | None = None
        self._reading = ""
        self._read_to = self._newest = 0
        self._conversation = ""

    async def opened(self, exhibitor: str) -> str:
        """Open the conversation with an exhibitor; its id."""
        self._opening = asyncio.get_running_loop().create_future()
        self.call(str(uuid4()), "chat.open", {"exhibitor": exhibitor})
        return await self._opening

    def _frame(self, frame: Frame) -> None:
        if frame.t == "event":
            message = _body(frame.body).message
            if message is not None:
                self.heard(message.cid)
                if self.reads:
                    self.ack()
                    self._conversation, self._newest = message.conversation, message.seq
                    self._read()
        elif frame.cid == self._reading:  # put off or not, the newest is what is read next
            self._reading = ""
            self._read()
        elif self._opening is not None:
            self._opening.set_result(_opened(frame.result).entry.conversation)
            self._opening = None
        else:
            self.answered(frame)

    def _read(self) -> None:
        if self._newest > self._read_to and not self._reading:
            self._reading, self._read_to = str(uuid4()), self._newest
            self.call(self._reading, "chat.read", {"conversation": self._conversation, "seq": self._newest})


@dataclass(frozen=True, slots=True)
class Talk:
    """What is said, and whether it is acknowledged and read."""

    texts: list[str]
    reads: bool

    def wire(self, token: str, device: str) -> Speaker:
        """A socket of this profile."""
        return Speaker(token, device, reads=self.reads)


def talk_of(profile: Literal["plain", "full"]) -> Talk:
    """The texts of a profile: 6 to 60 characters, in `full` 60 % of them Chinese."""
    texts = []
    for number in range(TEXTS):
        length = random.randint(6, 60)
        if profile == "full" and number % 5 < 3:
            texts.append("".join(random.choices(CHINESE, k=length)))
        else:
            texts.append(" ".join(random.choices(LATIN, k=10))[:length].strip())
    return Talk(texts, reads=profile == "full")


class Pair:
    """Two people and their conversation; the turn changes with every message."""

    def __init__(self, load: Load, one: Speaker, other: Speaker, conversation: str) -> None:
        self.conversation = conversation
        self._load = load
        self._speakers = (one, other)
        self._turn = 0
        self._cid = ""
        self._args: dict[str, str] = {}
        self._sent_at = 0.0
        self._waits_for = 0  # the answer to the sender and the event to the other: both, then the next
        self._idle: asyncio.Future[None] | None = None
        one.heard = lambda cid: self._heard(0, cid)
        other.heard = lambda cid: self._heard(1, cid)
        one.answered = other.answered = self._answered

    async def idle(self) -> None:
        """Return once no message is on its way."""
        if self._waits_for:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle

    def say(self) -> None:
        """Send the next message."""
        if self._waits_for:
            return
        load = self._load
        self._cid, self._waits_for = str(uuid4()), 2
        self._args = {"conversation": self.conversation, "kind": "text", "text": random.choice(load.talk.texts)}
        self._sent_at = time.perf_counter()
        self._send()

    def _heard(self, who: int, cid: str) -> None:
        if who != self._turn and cid == self._cid:
            self._load.latencies.append(time.perf_counter() - self._sent_at)
            self._came()

    def _send(self) -> None:
        self._speakers[self._turn].call(self._cid, "chat.send", self._args)

    def _answered(self, frame: Frame) -> None:
        if frame.t == "error":
            assert frame.retry_after_ms, f"refused for good: {frame.code}"
            self._load.put_off += 1  # temporary: again with the same cid (W7)
            asyncio.get_running_loop().call_later(frame.retry_after_ms / 1000, self._send)
        elif frame.cid == self._cid:
            self._load.accepted += 1
            self._came()

    def _came(self) -> None:
        self._waits_for -= 1
        if not self._waits_for:
            self._turn = 1 - self._turn
            if self._load.at_once:
                self.say()
            elif self._idle is not None and not self._idle.done():
                self._idle.set_result(None)


@dataclass(slots=True)
class Load:
    """All pairs. `begin` lets them talk, as fast as they can or at a rate; `end` returns when all is answered."""

    talk: Talk
    pairs: list[Pair] = field(default_factory=list)
    accepted: int = 0
    put_off: int = 0
    """Temporary errors; the message was sent again."""
    latencies: list[float] = field(default_factory=list)
    at_once: bool = False
    _paced: asyncio.Task[None] | None = None

    def begin(self, per_s: float | None) -> None:
        """Start."""
        if per_s is None:
            self.at_once = True
            for pair in self.pairs:
                pair.say()
        else:
            self._paced = asyncio.get_running_loop().create_task(self._pace(per_s))

    async def _pace(self, per_s: float) -> None:
        """Pairs speak in turn, at instants that do not wait for answers."""
        began = time.perf_counter()
        number = 0
        while True:
            due = int((time.perf_counter() - began) * per_s)
            while number < due:
                self.pairs[number % len(self.pairs)].say()
                number += 1
            await asyncio.sleep(0.002)

    async def end(self) -> None:
        """Stop, and wait for what is on its way."""
        self.at_once = False
        if self._paced is not None:
            self._paced.cancel()
            self._paced = None
        async with asyncio.timeout(20):
            for pair in self.pairs:
                await pair.idle()


async def talking(served: Served, dsn: str, code: str, pairs: int, talk: Talk, others: Served | None = None) -> Load:
    """Live sockets of pairs, in a fair of their own, that have a conversation, opened through the door; exhibitors at `others`."""
    cast = await people(dsn, code, buyers=pairs, exhibitors=pairs)
    mains = await connect_all(others or served, [one.token for one in cast["main"]], talk.wire)
    buyers = await connect_all(served, [one.token for one in cast["buyer"]], talk.wire)
    load = Load(talk)
    for buyer, main, home in zip(buyers, mains, cast["main"], strict=True):
        load.pairs.append(Pair(load, buyer, main, await buyer.opened(str(home.exhibitor))))
    return load


def p99_ms(latencies: Sequence[float]) -> float:
    """In milliseconds; the worst where there are too few for a hundredth."""
    return 1000 * (quantiles(latencies, n=100)[98] if len(latencies) >= 100 else max(latencies))
