"""SMPP 3.4 as far as it is arithmetic: how a text becomes submit_sm, what a status means, what a receipt says. Pure.

Numbers of sections are those of "Short Message Peer to Peer Protocol Specification v3.4".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from fairwire_server.channels.provider_rules import Verdict
from fairwire_server.notices.parcels import ReceiptOutcome
from fairwire_server.notices.segment_rules import gsm_septets, segments

__all__ = ["STATUSES", "Concatenation", "Submission", "address_type", "read_receipt", "read_statuses", "submissions"]

Concatenation = Literal["udh", "sar"]

GSM_CODING: Final = 0
"""§5.2.19: the centre's own alphabet, which is the GSM one, a septet in each byte."""
UCS2_CODING: Final = 8
UDHI: Final = 0x40
"""§5.2.12: the message begins with a header."""
RECEIPT: Final = 0x04
MESSAGE_TYPE: Final = 0x3C
RECEIPTED_MESSAGE_ID: Final = 0x001E
MESSAGE_STATE: Final = 0x0427
MESSAGE_PAYLOAD: Final = 0x0424
SAR_MSG_REF_NUM: Final = 0x020C
SAR_TOTAL_SEGMENTS: Final = 0x020E
SAR_SEGMENT_SEQNUM: Final = 0x020F
"""§5.3.2, tags of optional parameters."""
STATUSES: Final[Mapping[int, Verdict]] = {
    0x01: "final",  # ESME_RINVMSGLEN
    0x0A: "final",  # ESME_RINVSRCADR
    0x0B: "final",  # ESME_RINVDSTADR
    0x14: "busy",  # ESME_RMSGQFUL
    0x33: "final",  # ESME_RINVNUMDESTS
    0x40: "final",  # ESME_RINVDESTFLAG
    0x43: "final",  # ESME_RINVESMCLASS
    0x48: "final",  # ESME_RINVSRCTON
    0x49: "final",  # ESME_RINVSRCNPI
    0x50: "final",  # ESME_RINVDSTTON
    0x51: "final",  # ESME_RINVDSTNPI
    0x58: "busy",  # ESME_RTHROTTLED
    0x65: "final",  # ESME_RX_P_APPN
    0x66: "final",  # ESME_RX_R_APPN
    0xC0: "final",  # ESME_RINVOPTPARSTREAM
    0xC1: "final",  # ESME_ROPTPARNOTALLWD
}
"""§5.1.3. What is not here is tried again; a centre's own (0x400–0x4FF) are told by a setting."""
_TEXT_STATES: Final[Mapping[str, ReceiptOutcome]] = {
    "DELIVRD": "delivered",
    "EXPIRED": "expired",
    "DELETED": "failed",
    "UNDELIV": "failed",
    "REJECTD": "failed",
}
"""Appendix B. ENROUTE, ACCEPTD and UNKNOWN are not the end."""
_NUMBERED_STATES: Final[Mapping[int, ReceiptOutcome]] = {
    2: "delivered",
    3: "expired",
    4: "failed",
    5: "failed",
    8: "failed",
}
"""§5.2.28."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One submit_sm: what is in it beside addresses."""

    short_message: bytes = field(repr=False)
    data_coding: int
    esm_class: int = 0
    sar: tuple[int, int, int] | None = None
    """Reference, total and number, where they go as optional parameters (§5.3.2.22–24)."""


def submissions(text: str, reference: int, concatenation: Concatenation) -> list[Submission]:
    """`text` as it is submitted: alone, or in parts that one `reference` holds together."""
    cut = segments(text)
    coding = GSM_CODING if cut.encoding == "gsm7" else UCS2_CODING
    bodies = [gsm_septets(part) if coding == GSM_CODING else part.encode("utf-16-be") for part in cut.parts]
    total = len(bodies)
    if total == 1:
        return [Submission(bodies[0], coding)]
    if concatenation == "sar":
        return [Submission(body, coding, 0, (reference, total, at)) for at, body in enumerate(bodies, 1)]
    return [
        Submission(bytes([5, 0, 3, reference & 0xFF, total, at]) + body, coding, UDHI)
        for at, body in enumerate(bodies, 1)
    ]


def address_type(address: str) -> tuple[int, int]:
    """Type and numbering plan (§5.2.5–6) of a sender: a number with its plus, a short code, or a name."""
    if address.startswith("+"):
        return 1, 1
    return (0, 0) if address.isdecimal() else (5, 0)


def read_statuses(entries: Sequence[str]) -> dict[int, Verdict]:
    """A centre's own statuses, `0x401=budget`; `ValueError` names the one that is none."""
    statuses: dict[int, Verdict] = {}
    for entry in entries:
        code, _, verdict = entry.partition("=")
        if not re.fullmatch(r"0x[0-9a-fA-F]{1,8}", code.strip()) or verdict.strip() not in get_args(Verdict):
            raise ValueError(f"{entry!r} is not a status such as 0x401=budget")
        statuses[int(code, 16)] = verdict.strip()  # type: ignore[assignment]  # one of Verdict, as was just seen
    return statuses


def read_receipt(
    esm_class: int, short_message: bytes, parameters: Mapping[int, bytes]
) -> tuple[str, ReceiptOutcome, str] | None:
    """A deliver_sm as (message id, outcome, error); None where it is no receipt, or tells nothing final.

    Optional parameters are surer than the text of appendix B, whose form each centre chooses."""
    if esm_class & MESSAGE_TYPE != RECEIPT:
        return None
    text = (short_message or parameters.get(MESSAGE_PAYLOAD, b""))[:300].decode("latin-1")  # §4.6.1: in one of the two
    said = {name.lower(): value for name, value in re.findall(r"\b(id|stat|err):\s*([^\s]{1,65})", text, re.IGNORECASE)}
    state = parameters.get(MESSAGE_STATE, b"")
    outcome = _NUMBERED_STATES.get(state[0]) if state else _TEXT_STATES.get(said.get("stat", "").upper())
    named = parameters.get(RECEIPTED_MESSAGE_ID, b"").split(b"\0")[0].decode("latin-1")
    message_id = named or said.get("id", "")
    if outcome is None or not message_id:
        return None
    error = said.get("err", "")
    reason = "" if outcome == "delivered" or not re.fullmatch(r"[0-9A-Za-z]{1,8}", error) else f"err_{error}"
    return message_id, outcome, reason
