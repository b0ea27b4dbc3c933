"""What providers tell of messages they took: delivery reports by HTTP, proven to be theirs before they are read (N6)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from fairwire_server.channels.twilio import twilio_signature
from fairwire_server.notices.parcels import Callback, CallbackRefused, Receipt, ReceiptOutcome

__all__ = ["AliyunReports", "TencentReports", "TwilioReports"]

REPORTS_MAX: Final = 1000
FIELDS_MAX: Final = 100
_PLAIN: Final = re.compile(r"[^A-Za-z0-9._:-]")
_TWILIO: Final[Mapping[str, ReceiptOutcome]] = {"delivered": "delivered", "undelivered": "failed", "failed": "failed"}
"""Its other states (queued, sending, sent, accepted) are not final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AliyunReports:
    """SmsReport, pushed as a list; `token` is the end of the address that was set there."""

    token: str = field(repr=False)
    name: str = "aliyun"
    signature_header: str = ""
    answer: bytes = b'{"code":0,"msg":"OK"}'

    def read(self, callback: Callback, now: datetime) -> Sequence[Receipt]:
        """The receipts in it."""
        _demand_token(self.token, callback.token)
        return [
            _receipt(self.name, _text(one, "biz_id"), one.get("success") is True, _text(one, "err_code"), now)
            for one in _list(callback.body)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TencentReports:
    """Status reports, pushed as a list; `token` is the end of the address that was set there."""

    token: str = field(repr=False)
    name: str = "tencent"
    signature_header: str = ""
    answer: bytes = b'{"result":0,"errmsg":"OK"}'

    def read(self, callback: Callback, now: datetime) -> Sequence[Receipt]:
        """The receipts in it."""
        _demand_token(self.token, callback.token)
        return [
            _receipt(self.name, _text(one, "sid"), _text(one, "report_status") == "SUCCESS", _text(one, "errmsg"), now)
            for one in _list(callback.body)
            if "report_status" in one  # the same address may be set for messages that people send back
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioReports:
    """Status callbacks, one message each, signed with the account's token."""

    auth_token: str = field(repr=False)
    name: str = "twilio"
    signature_header: str = "X-Twilio-Signature"
    answer: bytes = b"{}"

    def read(self, callback: Callback, now: datetime) -> Sequence[Receipt]:
        """The receipt in it, if it says something final."""
        try:
            fields = parse_qsl(callback.body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
        except ValueError:
            raise CallbackRefused("form") from None
        right = twilio_signature(self.auth_token, callback.url, fields)
        if not _same(right, callback.signature):
            raise CallbackRefused("signature")
        said = dict(fields)
        outcome = _TWILIO.get(said.get("MessageStatus", ""))
        if outcome is None:
            return []
        return [
            Receipt(
                provider=self.name,
                reference=said.get("MessageSid", ""),
                outcome=outcome,
                reason=_PLAIN.sub("_", said.get("ErrorCode", ""))[:40],
                at=now,
            )
        ]


def _demand_token(right: str, token: str) -> None:
    if not right or not _same(right, token):
        raise CallbackRefused("token")


def _same(right: str, given: str) -> bool:
    return hmac.compare_digest(right.encode(), given.encode(errors="replace"))


def _list(body: bytes) -> list[dict[str, Any]]:
    try:
        reports = msgspec.json.decode(body, type=list[dict[str, Any]])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise CallbackRefused("form") from None
    if len(reports) > REPORTS_MAX:
        raise CallbackRefused("form")
    return reports


def _text(report: dict[str, Any], name: str) -> str:
    value = report.get(name)
    return value if isinstance(value, str) else ""


def _receipt(provider: str, reference: str, delivered: bool, code: str, now: datetime) -> Receipt:
    """Carriers' codes are their own; of those for a message that was not taken in time, all begin alike."""
    outcome: ReceiptOutcome = "delivered" if delivered else "expired" if code.upper().startswith("EXPIR") else "failed"
    reason = "" if delivered else _PLAIN.sub("_", code)[:40]
    return Receipt(provider=provider, reference=reference, outcome=outcome, reason=reason, at=now)
