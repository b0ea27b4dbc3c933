"""Short messages by SMPP 3.4: one binding to a carrier's centre, kept up, with a window of requests under way.

smpp34 frames, numbers, answers enquire_link and encodes; what it does not do is here: binding again with growing pauses, a window
that is taken before `may_leave` is asked (N4), parts, the meaning of statuses, and receipts.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import smpp34
import structlog

from fairwire_server.channels.provider_rules import Verdict, failure
from fairwire_server.channels.receipt_intake import ReceiptIntake
from fairwire_server.channels.smpp_ids import ReceiptIds
from fairwire_server.channels.smpp_rules import (
    SAR_MSG_REF_NUM,
    SAR_SEGMENT_SEQNUM,
    SAR_TOTAL_SEGMENTS,
    STATUSES,
    Concatenation,
    Submission,
    address_type,
    read_receipt,
    submissions,
)
from fairwire_server.channels.sms_text import words_of
from fairwire_server.clock import Clock
from fairwire_server.notices.parcels import ChannelKind, Parcel, Receipt, Sms, TakeIn, Taken, TryLater
from fairwire_server.notices.sms_catalogue import SmsCatalogue

__all__ = ["SmppChannel", "SmppServer"]

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
UNBIND_S: Final = 2.0
BOUND_S: Final = 1.0
"""How long a message waits for a binding that is being made; a centre that is away must not hold up those who send."""
SILENT_MOST: Final = 3
"""Requests in a row without an answer: then the binding is made anew, whatever enquire_link says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmppServer:
    """The centre and our account there."""

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    tls: bool = False
    window: int = 10
    timeout_s: float = 10.0


class SmppChannel:
    """Sends while `run` keeps a binding; without one everything is `TryLater`."""

    name = "smpp"
    kind: ChannelKind = "sms"

    def __init__(
        self,
        server: SmppServer,
        catalogue: SmsCatalogue,
        clock: Clock,
        *,
        sender: str,
        rate: float,
        concatenation: Concatenation = "udh",
        statuses: Mapping[int, Verdict] | None = None,
    ) -> None:
        self.rate = rate
        self._server = server
        self._catalogue = catalogue
        self._clock = clock
        self._sender = sender
        self._concatenation: Concatenation = concatenation
        self._statuses = {**STATUSES, **(statuses or {})}
        self._window = asyncio.Semaphore(server.window)
        self._random = random.Random()  # noqa: S311 - jitter and references are no secrets
        self._reference = self._random.randrange(256)
        self._client: smpp34.Client | None = None
        self._centre: smpp34.Smsc | None = None
        self._bound = asyncio.Event()
        self._in_doubt = asyncio.Event()
        self._silent = 0
        self._ids = ReceiptIds()
        self._log = structlog.get_logger("fairwire.smpp")

    async def send(self, parcel: Parcel, may_leave: Callable[[], bool] | None = None) -> Taken:
        """One message, all of whose parts were taken. A part that was not is a message that nobody reads."""
        sms, _, text = words_of(parcel, self._catalogue)
        self._reference = (self._reference + 1) % 256
        parts = submissions(text, self._reference, self._concatenation)
        leave = _Leave(may_leave)
        try:
            async with asyncio.timeout(self._server.timeout_s):
                ids = [await self._submit(sms, part, leave) for part in parts]
        except TimeoutError:
            self._doubt(leave)
            raise TryLater("timeout", maybe_sent=leave.begun) from None
        except smpp34.SmppError:
            await self._look()
            raise TryLater("connection", maybe_sent=leave.begun) from None
        self._ids.given(ids)
        return Taken(provider=self.name, reference=ids[0], segments=len(parts))

    async def until_bound(self, within_s: float) -> None:
        """Returns once there is a binding; raises `TimeoutError`."""
        async with asyncio.timeout(within_s):
            await self._bound.wait()

    async def run(self, take_in: TakeIn) -> None:
        """Keep a binding and hand on what comes by it, until cancelled."""
        intake = ReceiptIntake(partial(self._hand_on, take_in), self._clock)
        async with asyncio.TaskGroup() as group:
            group.create_task(intake.run())
            tries = 0
            while True:
                tries = 0 if await self._session(intake) else tries + 1
                pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(tries, 10))
                await self._clock.sleep(pause * (0.5 + self._random.random() / 2))

    async def _submit(self, sms: Sms, part: Submission, leave: _Leave) -> str:
        centre = await self._binding()
        ton, npi = address_type(self._sender)
        sar = part.sar
        tlvs = [] if sar is None else [
            smpp34.Tlv(SAR_MSG_REF_NUM, sar[0].to_bytes(2, "big")),
            smpp34.Tlv(SAR_TOTAL_SEGMENTS, bytes([sar[1]])),
            smpp34.Tlv(SAR_SEGMENT_SEQNUM, bytes([sar[2]])),
        ]  # fmt: skip
        async with self._window:
            leave.begin()
            answer = await centre.submit_sm(
                sms.to.lstrip("+"),
                part.short_message,
                source_addr=self._sender.lstrip("+"),
                source_addr_ton=ton,
                source_addr_npi=npi,
                dest_addr_ton=1,
                dest_addr_npi=1,
                esm_class=part.esm_class,
                data_coding=part.data_coding,
                registered_delivery=1,
                tlvs=tlvs,
            )
        self._silent = 0
        if not answer.is_success:
            status = answer.command_status
            raise failure(self._statuses.get(status, "retry"), f"smpp_0x{status:02x}")
        return answer.message_id or ""

    async def _binding(self) -> smpp34.Smsc:
        """The one there is, or the one that is being made if it comes soon."""
        with suppress(TimeoutError):
            await self.until_bound(min(BOUND_S, self._server.timeout_s / 2))
        if self._centre is None:
            raise TryLater("not_bound")
        return self._centre

    def _doubt(self, leave: _Leave) -> None:
        self._silent += leave.begun
        if self._silent >= SILENT_MOST:
            self._lose()

    async def _look(self) -> None:
        """After an error: is the binding gone? Then nobody else tries it, even before the centre's farewell was heard."""
        client, alive = self._client, False
        with suppress(smpp34.SmppError, TimeoutError):
            async with asyncio.timeout(UNBIND_S):
                alive = client is not None and await client.is_alive()
        if not alive and client is self._client:
            self._lose()

    def _lose(self) -> None:
        """Nobody sends by this binding any more, and the one who listens ends it."""
        self._centre = None
        self._bound.clear()
        self._in_doubt.set()

    async def _session(self, intake: ReceiptIntake) -> bool:
        """Bind, and take what comes until the binding ends. Whether there was one."""
        server = self._server
        client = smpp34.Client(
            server.host,
            server.port,
            server.system_id,
            server.password,
            system_type=server.system_type,
            tls=server.tls,
            window_size=server.window
            * (SILENT_MOST + 1),  # ours is the narrower one; given-up requests stay in this one
            connect_timeout_ms=int(server.timeout_s * 1000),
        )
        centre: smpp34.Smsc | None = None
        try:
            async with asyncio.timeout(server.timeout_s):
                centre = await client.connect()
            self._log.info("smpp_bound")
            self._silent = 0
            self._in_doubt.clear()
            self._client, self._centre = client, centre
            self._bound.set()
            await self._listen(centre, intake)
            self._log.warning("smpp_unbound")
        except (smpp34.SmppError, TimeoutError, OSError) as error:
            self._log.warning("smpp_not_bound", error=type(error).__name__)
        finally:
            self._client = self._centre = None
            self._bound.clear()
            await _leave(client, centre)
        return centre is not None

    async def _listen(self, centre: smpp34.Smsc, intake: ReceiptIntake) -> None:
        """Returns when the centre has gone, or is in doubt."""
        doubt = asyncio.ensure_future(self._in_doubt.wait())
        heard: asyncio.Future[smpp34.DeliverSmEvent | smpp34.Disconnected] | None = None
        try:
            while True:
                heard = asyncio.ensure_future(centre.next())
                await asyncio.wait({heard, doubt}, return_when=asyncio.FIRST_COMPLETED)
                if not heard.done():
                    return
                event = heard.result()
                if not isinstance(event, smpp34.DeliverSmEvent):
                    return
                self._take(event, intake)
        finally:
            for waiting in (doubt, heard):
                if waiting is not None:
                    waiting.cancel()

    def _take(self, event: smpp34.DeliverSmEvent, intake: ReceiptIntake) -> None:
        read = read_receipt(event.esm_class, event.short_message, {one.tag: one.value for one in event.tlvs})
        if read is not None:
            told, outcome, reason = read
            intake.add(
                Receipt(provider=self.name, reference=told, outcome=outcome, reason=reason, at=self._clock.now())
            )

    async def _hand_on(self, take_in: TakeIn, receipts: Sequence[Receipt]) -> None:
        """A receipt is about the whole message: delivered once its first part is, failed with any of them. Looked up as late as
        here, since a receipt may come before the answer that gives its message an id."""
        of_messages = []
        for one in receipts:
            message, is_first = self._ids.message_of(one.reference)
            if is_first or one.outcome != "delivered":
                of_messages.append(replace(one, reference=message))
        if of_messages:
            await take_in(of_messages)


async def _leave(client: smpp34.Client, centre: smpp34.Smsc | None) -> None:
    """Say goodbye where somebody may hear it, and end everything of that binding."""
    for farewell in ([centre.unbind] if centre is not None else []) + [client.stop]:
        with suppress(smpp34.SmppError, TimeoutError, OSError):
            async with asyncio.timeout(UNBIND_S):
                await farewell()


class _Leave:
    """Whether a message may leave, asked once and as late as can be, and whether it began to."""

    def __init__(self, may_leave: Callable[[], bool] | None) -> None:
        self._may_leave = may_leave
        self.begun = False

    def begin(self) -> None:
        if not self.begun and self._may_leave is not None and not self._may_leave():
            raise TryLater("lease_over")
        self.begun = True
