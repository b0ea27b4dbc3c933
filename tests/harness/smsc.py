"""A message centre that speaks SMPP 3.4, for the channel that binds to it: aiosmpplib reads and writes its PDUs.

What it gets is put together as a phone does: parts by their header, each in its own encoding. It can refuse a number, refuse all, be
busy, say nothing, or take a message and hang up instead of answering; it counts its sessions and enquiries, and sends receipts.
"""

from __future__ import annotations

import asyncio
import struct
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from aiosmpplib import protocol
from aiosmpplib.codec import GSM7BitCodec, UCS2Codec
from aiosmpplib.state import NPI, TON, PhoneNumber, SmppCommand, SmppCommandStatus

__all__ = ["PASSWORD", "SYSTEM_ID", "Part", "Smsc", "smsc"]

SYSTEM_ID, PASSWORD = "fair", "secret"
STATUS: Final = {
    "final": SmppCommandStatus.ESME_RINVDSTADR,
    "later": SmppCommandStatus.ESME_RSYSERR,
    "busy": SmppCommandStatus.ESME_RTHROTTLED,
    "budget": 0x0401,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One submit_sm as it came."""

    to: str
    source: str
    coding: int
    raw: bytes
    esm_class: int
    registered: int
    dest_ton: int
    source_ton: int
    sar: tuple[int, int, int] | None
    """Reference, total, number, where they came as optional parameters."""

    @property
    def place(self) -> tuple[int, int, int]:
        """Reference, total, number; one of one for a message alone."""
        if self.esm_class & 0x40:
            assert self.raw[:3] == b"\x05\x00\x03", (
                "a header of concatenation, 8 bits of reference (TS 23.040 §9.2.3.24.1)"
            )
            return self.raw[3], self.raw[4], self.raw[5]
        return self.sar or (0, 1, 1)

    @property
    def text(self) -> str:
        """Decoded, its header taken off."""
        body = self.raw[6:] if self.esm_class & 0x40 else self.raw
        text: str = (UCS2Codec() if self.coding == 8 else GSM7BitCodec()).decode(body)[0]
        return text


class Smsc:
    """The centre. `mood` as in the contract; `parts` is everything taken."""

    def __init__(self) -> None:
        self.mood = "well"
        self.refused_numbers: frozenset[str] = frozenset()
        self.parts: list[Part] = []
        self.sessions = 0
        self.enquiries = 0
        self.binds_refused = 0
        self.refuses_binds = False
        self.submitted = 0
        self.open_requests = 0
        self.most_open = 0
        self.arrived = asyncio.Event()
        self.bound = asyncio.Event()
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = 0
        self._counted = asyncio.Condition()
        self.id_of: Callable[[int], str] = lambda number: f"ID{number}"
        self.hold: asyncio.Event | None = None
        """While it is set and not released, requests wait: to see how many come before any answer."""

    def messages(self) -> list[tuple[str, str]]:
        """Number and text of every whole message, in the order in which they became whole."""
        found: list[tuple[str, str]] = []
        waiting: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)
        for part in self.parts:
            reference, total, number = part.place
            gathered = waiting[part.to, reference]
            gathered[number] = part.text
            if len(gathered) == total:
                found.append((part.to, "".join(gathered[at] for at in range(1, total + 1))))
                del waiting[part.to, reference]
        return found

    async def until_open(self, count: int) -> None:
        """Returns once that many requests wait for their answer."""
        async with asyncio.timeout(5), self._counted:
            await self._counted.wait_for(lambda: self.open_requests >= count)

    def hang_up(self) -> None:
        """Drop every session."""
        for writer in list(self._writers):
            writer.transport.abort()

    def unbind(self) -> None:
        """Take leave of every session, as a centre does that is about to stop (SMPP 3.4 §4.2)."""
        for writer in list(self._writers):
            self._number += 1
            writer.write(struct.pack("!IIII", 16, SmppCommand.UNBIND, 0, self._number))

    async def receipt(self, message_id: str, stat: str, err: str = "000", *, in_parameters: bool = False) -> None:
        """A deliver_sm with a receipt (SMPP 3.4, appendix B), to every session; `in_parameters`: in its TLVs alone."""
        at = "2611221630"
        text = f"id:{message_id} sub:001 dlvrd:001 submit date:{at} done date:{at} stat:{stat} err:{err} text:"
        parameters = b""
        if in_parameters:
            states = {"DELIVRD": 2, "EXPIRED": 3, "UNDELIV": 5, "ENROUTE": 1}
            text = "see the parameters"
            parameters = struct.pack("!HH", 0x001E, len(message_id) + 1) + message_id.encode() + b"\0"
            parameters += struct.pack("!HHB", 0x0427, 1, states[stat])
        pdu = protocol.DeliverSm(
            short_message=text,
            source=PhoneNumber("8613800138000", TON.INTERNATIONAL, NPI.ISDN),
            destination=PhoneNumber("10690000"),
            esm_class=0x04,
            encoding="gsm0338",
        )
        self._number += 1
        pdu.sequence_num = self._number
        raw = pdu.pdu() + parameters
        raw = struct.pack("!I", len(raw)) + raw[4:]
        for writer in list(self._writers):
            writer.write(raw)
            await writer.drain()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session."""
        self.sessions += 1
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readexactly(16)
                header = protocol.SmppMessage.parse_header(head)
                pdu = head + await reader.readexactly(header.pdu_length - 16)
                task = asyncio.create_task(self._answer(header, pdu, writer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, header: Any, pdu: bytes, writer: asyncio.StreamWriter) -> None:
        match header.smpp_command:
            case SmppCommand.BIND_TRANSCEIVER:
                answer = self._bind(header, pdu)
            case SmppCommand.ENQUIRE_LINK:
                self.enquiries += 1
                answer = protocol.EnquireLinkResp(header.sequence_num)
            case SmppCommand.UNBIND:
                answer = protocol.UnbindResp(header.sequence_num)
            case SmppCommand.SUBMIT_SM:
                self.submitted += 1
                self.open_requests += 1
                self.most_open = max(self.most_open, self.open_requests)
                async with self._counted:
                    self._counted.notify_all()
                if self.hold is not None:
                    await self.hold.wait()
                self.open_requests -= 1
                if self.mood == "silent":
                    return
                answer = self._submit(header, pdu)
                if self.mood == "gone":
                    writer.transport.abort()
                    return
            case _:
                return
        with suppress(ConnectionError):
            raw = answer if isinstance(answer, bytes) else answer.pdu()
            writer.write(raw)
            await writer.drain()

    def _bind(self, header: Any, pdu: bytes) -> Any:
        asked: Any = protocol.BindTransceiver.from_pdu(pdu, header)
        answer = protocol.BindTransceiverResp(header.sequence_num, system_id="CENTRE", sc_interface_version=0x34)
        if (asked.system_id, asked.password) != (SYSTEM_ID, PASSWORD) or self.refuses_binds:
            self.binds_refused += 1
            answer.command_status = SmppCommandStatus.ESME_RINVPASWD
        else:
            self.bound.set()
        return answer

    def _submit(self, header: Any, pdu: bytes) -> Any:
        asked: Any = protocol.SubmitSm.from_pdu(pdu, header, "gsm0338")
        to = f"+{asked.destination.number}"
        mood = "final" if to in self.refused_numbers else self.mood
        if mood in STATUS:
            return struct.pack("!IIII", 17, SmppCommand.SUBMIT_SM_RESP, STATUS[mood], header.sequence_num) + b"\0"
        self.parts.append(self._part(asked, to, pdu))
        self.arrived.set()
        return protocol.SubmitSmResp(header.sequence_num, message_id=self.id_of(len(self.parts)))

    def _part(self, asked: Any, to: str, pdu: bytes) -> Part:
        """aiosmpplib decodes the text away; its bytes are found in front of the optional parameters."""
        parameters = {one.tag: one.value for one in asked.optional_params}
        names = (0x020C, 0x020E, 0x020F)  # sar_msg_ref_num, sar_total_segments, sar_segment_seqnum
        udh = bool(asked.esm_class & 0x40)
        sar = (
            tuple(parameters[name] for name in names) if not udh and all(name in parameters for name in names) else None
        )
        raw, coding = _short_message(pdu)
        return Part(
            to=to,
            source=asked.source.number,
            coding=coding,
            raw=raw,
            esm_class=asked.esm_class,
            registered=asked.registered_delivery,
            dest_ton=int(asked.destination.ton),
            source_ton=int(asked.source.ton),
            sar=sar,
        )


def _short_message(pdu: bytes) -> tuple[bytes, int]:
    """The bytes of short_message, and data_coding (SMPP 3.4 §4.4.1)."""
    at = pdu.index(b"\0", 16) + 1
    for _ in range(2):
        at = pdu.index(b"\0", at + 2) + 1
    at += 3
    for _ in range(2):
        at = pdu.index(b"\0", at) + 1
    coding, length = pdu[at + 2], pdu[at + 4]
    return pdu[at + 5 : at + 5 + length], coding


@asynccontextmanager
async def smsc() -> AsyncIterator[Smsc]:
    """A started one, on a free port."""
    centre = Smsc()
    server = await asyncio.start_server(centre.serve, "127.0.0.1", 0)
    centre.port = server.sockets[0].getsockname()[1]
    try:
        yield centre
    finally:
        server.close()
        if centre.hold is not None:
            centre.hold.set()
        centre.hang_up()
        await server.wait_closed()
