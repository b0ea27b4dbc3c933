"""Errors that cross the wire, and the close codes of a socket.

    FairwireError            every refusal a client can meet; `final` or carrying `retry_after_ms` (W7)
    ├── Refused              final: the same request can never succeed as it stands
    └── Unavailable          temporary: the same request, same cid, may succeed later

A code is a stable, lower-case word in `CODES`, each with its HTTP status and whether it is final. Clients act on
`final` / `retry_after_ms` and may show `message`; they never parse the message. Close codes follow W13: the range says
whether to come back, the number says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

__all__ = ["CODES", "Close", "Code", "FairwireError", "Refused", "Unavailable", "may_reconnect", "reopen"]


@dataclass(frozen=True, slots=True)
class Code:
    """What a code means: its HTTP status, whether it is final, and its sentence in the documents."""

    status: int
    final: bool
    meaning: str


CODES: Final[Mapping[str, Code]] = {
    # the request itself
    "malformed": Code(400, True, "The frame or body is not valid MessagePack or JSON, or breaks a bound."),
    "invalid": Code(422, True, "A field has the wrong type or value; `field` names it."),
    "unknown_operation": Code(404, True, "There is no operation of that name, or not on this door."),
    "cid_required": Code(400, True, "A command that changes something needs a cid (W7)."),
    "cid_reused": Code(409, True, "This cid was used before with other content (W7)."),
    # who is asking
    "unauthenticated": Code(401, True, "No valid access token; sign in or refresh."),
    "token_expired": Code(401, True, "The access token is over; refresh it."),
    "forbidden": Code(403, True, "This account may not do that (A7)."),
    "suspended": Code(403, True, "The account is suspended or disabled (A6)."),
    "bad_credentials": Code(401, True, "Login and password do not match."),
    "bad_code": Code(403, True, "The code is wrong, used, or over."),
    "not_found": Code(404, True, "Nothing of that id that this account may see."),
    # rules of the fair
    "profile_incomplete": Code(403, True, "The buyer's profile lacks fields the fair asks for (A3)."),
    "chat_not_open": Code(403, True, "Only the buyer opens a conversation (C19)."),
    "not_holder": Code(403, True, "Another colleague holds this chat (C7)."),
    "blocked": Code(403, True, "One side has blocked this conversation (C18)."),
    "silenced": Code(403, True, "The organiser has silenced this account (C18)."),
    "refused_keyword": Code(422, True, "The text holds a word that this fair refuses (C18)."),
    "unsupported_kind": Code(415, True, "Messages are text or image; voice, video and other files are not taken (C4)."),
    "too_long": Code(422, True, "The text is longer than the limit told in `welcome` (C4, W15)."),
    "empty_text": Code(422, True, "A text message needs at least one visible character (C4)."),
    "bad_image": Code(422, True, "The bytes are not a whole PNG, JPEG, WebP or GIF within the limits (C4)."),
    "too_large": Code(413, True, "Larger than the limit told in `welcome` (C4, W15)."),
    "quota_exceeded": Code(409, True, "The account's image quota is used up (C4)."),
    "bad_target": Code(422, True, "A chat cannot be transferred to that account (C7)."),
    "no_offer": Code(409, True, "No transfer waits for this account's answer (C8)."),
    "recall_too_late": Code(409, True, "A message may be recalled for 2 minutes (C12)."),
    "not_recallable": Code(409, True, "Only the sender's own text and image messages can be recalled (C12)."),
    "not_in_base": Code(409, True, "Star a buyer only after adding it to the customer base (K3)."),
    "pin_limit": Code(409, True, "The account has pinned as many contacts as it may (K4)."),
    "account_limit": Code(409, True, "The exhibitor has as many sub-accounts as it may (A2)."),
    "login_taken": Code(409, True, "Another account of this fair signs in by that login."),
    "address_required": Code(409, True, "A verified current address is needed for this change (A8)."),
    "handover_needed": Code(409, True, "The account still holds work; `detail` lists it (A6)."),
    "registration_closed": Code(409, True, "This fair takes no registrations now."),
    # meetings
    "slot_taken": Code(409, True, "Another slot of the exhibitor overlaps this time (M1)."),
    "slot_has_bookings": Code(409, True, "A slot with live bookings can be neither edited nor withdrawn (M3)."),
    "slot_over": Code(409, True, "The slot has begun, or was withdrawn (M4)."),
    "slot_full": Code(409, True, "Every seat of the slot is taken; there is a waiting list (M2, M13)."),
    "buyer_busy": Code(409, True, "The buyer has another meeting at that time (M4)."),
    "receiver_busy": Code(409, True, "The receiving account has another meeting at that time (M4)."),
    "bad_receiver": Code(422, True, "That account cannot be the receiving account of a meeting (M6, A7)."),
    "receiver_unreachable": Code(
        409, True, "The account has no verified address of the kind its exhibitor is told by; confirm (A8)."
    ),
    "wrong_state": Code(409, True, "The booking's state does not allow this; `detail` names it (M5)."),
    "no_proposal": Code(409, True, "No proposal of another time waits here for this account (M7)."),
    "no_place": Code(409, True, "No seat is held for this account here (M13)."),
    "place_limit": Code(409, True, "The buyer stands in as many waiting lists as told in `welcome` (M13, W15)."),
    "slot_not_full": Code(409, True, "The slot has a free seat; book it (M13)."),
    "too_early": Code(403, True, "The meeting can be entered from 24 hours ahead; `detail` says when (M8, M9)."),
    "too_late": Code(403, True, "The meeting is over (M9)."),
    "invitation_limit": Code(409, True, "The side has as many links to this meeting as it may; revoke one (M9)."),
    "bad_guest": Code(422, True, "Only an active colleague that sees bookings can be invited by account (M8, A7)."),
    "guest_limit": Code(409, True, "The invitation has admitted as many guests as it may (M9)."),
    "not_retryable": Code(409, True, "The notice has not failed, or is of no use any more (N3)."),
    "conflict": Code(409, True, "The thing has changed in between; read it again."),
    # come back later
    "rate_limited": Code(429, False, "Too many requests of this class; come back after `retry_after_ms` (W12)."),
    "busy": Code(503, False, "The server cannot decide this now; the outcome may be unknown, retry with the same cid."),
    "storage_full": Code(507, False, "There is no room to store this now."),
    "draining": Code(503, False, "This node is going away; reconnect."),
    "internal": Code(500, False, "A fault of the server, logged under `correlation`; retry with the same cid."),
}


class FairwireError(Exception):
    """A typed refusal. `code` is a key of `CODES`; `retry_after_ms` is set exactly for temporary ones."""

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        field: str | None = None,
        retry_after_ms: int | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        self.code = code
        self.message = message or CODES[code].meaning
        self.field = field
        self.retry_after_ms = retry_after_ms
        self.detail = detail
        super().__init__(f"{code}: {self.message}")

    @property
    def final(self) -> bool:
        """True when the same request can never succeed as it stands."""
        return self.retry_after_ms is None

    @property
    def status(self) -> int:
        """The HTTP status of this error."""
        known = CODES.get(self.code)
        return known.status if known else 500


class Refused(FairwireError):
    """Final: the same request can never succeed as it stands."""


class Unavailable(FairwireError):
    """Temporary: the same request, with the same cid, may succeed after `retry_after_ms`."""

    def __init__(
        self,
        code: str = "busy",
        message: str | None = None,
        *,
        retry_after_ms: int = 1000,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(code, message, retry_after_ms=retry_after_ms, detail=detail)


class Close(IntEnum):
    """WebSocket close codes (W13). 4000–4499: reconnect and resume. 4500–4999: stop and tell the user."""

    GOING_AWAY = 4000
    TOO_SLOW = 4001
    NO_ANSWER = 4002
    POSITION_LOST = 4003
    OVERLOADED = 4004
    TOKEN_EXPIRED = 4005
    BAD_TOKEN = 4500
    SUSPENDED = 4501
    TOO_MANY_DEVICES = 4502
    PROTOCOL_NOT_SPOKEN = 4503
    MALFORMED = 4504


def may_reconnect(code: int) -> bool:
    """Whether a client comes back after this close code: everything but 4500–4999 (W13 tests the range, no list)."""
    return not 4500 <= code <= 4999


def reopen(code: str, message: str, **kwargs: object) -> FairwireError:
    """An error received from the wire, as the exception a caller of the SDK meets."""
    retry = kwargs.get("retry_after_ms")
    field = kwargs.get("field")
    detail = kwargs.get("detail")
    kind = Refused if retry is None else FairwireError
    return kind(
        code,
        message,
        field=field if isinstance(field, str) else None,
        retry_after_ms=retry if isinstance(retry, int) else None,
        detail=detail if isinstance(detail, Mapping) else None,
    )
