"""Twilio's short messages: the Messages resource (2010-04-01), as text, and the signature of its status callbacks.

A callback is signed with the account's token over its URL and its sorted fields ("Validating requests" of its documents).
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha1
from typing import Any, Final
from urllib.parse import quote, urlencode

from fairwire_server.channels.provider_rules import Verdict, failure, find
from fairwire_server.channels.sms_http import HttpRequest, said
from fairwire_server.notices.parcels import Sms
from fairwire_server.notices.sms_catalogue import Template

__all__ = ["ERRORS", "Twilio", "twilio_signature"]

ENDPOINT: Final = "https://api.twilio.com"
ERRORS: Final[Mapping[str, Verdict]] = {
    "20429": "busy",
    "20503": "retry",
    "20500": "retry",
    "21611": "busy",
    "30001": "busy",
    "30008": "retry",
    "14107": "busy",
    "63038": "final",
    "20*": "final",
    "21*": "final",
    "30*": "final",
    "60*": "final",
    "63*": "final",
}
"""Its documents' codes: 20429 too many requests, 21611 and 30001 a full queue of ours, 14107 the rate of a sender, the rest of
these families about the number, the sender or the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Twilio:
    """An account there. `sender` is a number, a name, or the SID of a messaging service."""

    account: str
    token: str = field(repr=False)
    sender: str
    callback: str = ""
    """Where it tells what became of a message; empty: nowhere."""
    endpoint: str = ENDPOINT
    name: str = "twilio"

    def request(self, sms: Sms, template: Template, text: str, now: datetime) -> HttpRequest:
        """Messages takes a text, not a template."""
        form = {"To": sms.to, "Body": text}
        form["MessagingServiceSid" if self.sender.startswith("MG") else "From"] = self.sender
        if self.callback:
            form["StatusCallback"] = self.callback
        credentials = b64encode(f"{self.account}:{self.token}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/x-www-form-urlencoded"}
        url = f"{self.endpoint}/2010-04-01/Accounts/{quote(self.account, safe='')}/Messages.json"
        return HttpRequest(url, headers, urlencode(form).encode())

    def reference(self, status: int, answer: Mapping[str, Any]) -> str:
        """The message's SID."""
        if 200 <= status < 300 and said(answer, "sid"):
            return said(answer, "sid")
        code = str(answer.get("code", ""))
        otherwise: Verdict = "final" if 400 <= status < 500 and code else "retry"
        raise failure(find(code, ERRORS, otherwise), f"twilio_{code}" if code else f"http_{status}")


def twilio_signature(token: str, url: str, fields: Sequence[tuple[str, str]]) -> str:
    """`X-Twilio-Signature`: the URL as Twilio was given it, then every name and value in the names' order, each pair once."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    return b64encode(hmac.digest(token.encode(), text.encode(), sha1)).decode()
