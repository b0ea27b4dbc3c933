"""Tencent Cloud's short messages: SendSms (2021-01-11), signed with TC3-HMAC-SHA256.

The signature covers type, host and body with a key of its own for each day and service ("Signature method v3" of its documents).
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

from fairwire_server.channels.provider_rules import Verdict, failure, find
from fairwire_server.channels.sms_http import HttpRequest, said
from fairwire_server.notices.parcels import Sms
from fairwire_server.notices.sms_catalogue import Template

__all__ = ["ERRORS", "Tencent", "tc3_authorization"]

ENDPOINT: Final = "https://sms.tencentcloudapi.com"
JSON: Final = "application/json; charset=utf-8"
ERRORS: Final[Mapping[str, Verdict]] = {
    "LimitExceeded.PhoneNumber*": "budget",
    "LimitExceeded.DeliveryFrequencyLimit": "budget",
    "LimitExceeded.AppDailyLimit": "final",
    "LimitExceeded.DailyLimit": "final",
    "LimitExceeded.*": "final",
    "LimitExceeded": "busy",
    "RequestLimitExceeded*": "busy",
    "InternalError*": "retry",
    "ResourceUnavailable*": "retry",
    "FailedOperation.*": "final",
    "FailedOperation": "retry",
    "AuthFailure.SignatureExpire": "retry",
    "AuthFailure*": "final",
    "UnauthorizedOperation*": "final",
    "InvalidParameter*": "final",
    "MissingParameter*": "final",
    "UnsupportedOperation*": "final",
    "InvalidAction": "final",
    "NoSuchVersion": "final",
    "UnsupportedRegion": "final",
}
"""Codes of its documents: of the request, and of the one number in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tencent:
    """An application there."""

    key_id: str
    key_secret: str = field(repr=False)
    app_id: str
    signatures: Mapping[str, str]
    """Approved signatures by language, without brackets."""
    region: str = "ap-guangzhou"
    endpoint: str = ENDPOINT
    name: str = "tencent"

    def request(self, sms: Sms, template: Template, text: str, now: datetime) -> HttpRequest:
        """SendSms. Variables go by their order in the text."""
        values = template.values(sms.variables)
        payload = {
            "PhoneNumberSet": [sms.to],
            "SmsSdkAppId": self.app_id,
            "SignName": self.signatures[template.language],
            "TemplateId": template.ids["tencent"],
            "TemplateParamSet": [values[name] for name in template.variables],
            "SessionContext": sms.reference.hex,
        }
        body = json.dumps(payload, ensure_ascii=False).encode()
        host, at = urlsplit(self.endpoint).netloc, int(now.timestamp())
        headers = {
            "Authorization": tc3_authorization("sms", host, body, at, self.key_id, self.key_secret),
            "Content-Type": JSON,
            "Host": host,
            "X-TC-Action": "SendSms",
            "X-TC-Region": self.region,
            "X-TC-Timestamp": str(at),
            "X-TC-Version": "2021-01-11",
        }
        return HttpRequest(f"{self.endpoint}/", headers, body)

    def reference(self, status: int, answer: Mapping[str, Any]) -> str:
        """`SerialNo` of what it has taken, which reports call `sid`."""
        response = answer.get("Response")
        code = said(answer, "Response", "Error", "Code")
        sent = response.get("SendStatusSet") if isinstance(response, dict) else None
        if not code and isinstance(sent, list) and len(sent) == 1 and isinstance(sent[0], dict):
            code = said(sent[0], "Code")
            if code == "Ok":
                return said(sent[0], "SerialNo")
        raise failure(find(code, ERRORS, "retry"), code or f"http_{status}")


def tc3_authorization(service: str, host: str, body: bytes, at: int, key_id: str, key_secret: str) -> str:
    """The header `Authorization` of a POST to `/` without a query."""
    canonical = "\n".join(
        ["POST", "/", "", f"content-type:{JSON}", f"host:{host}", "", "content-type;host", sha256(body).hexdigest()]
    )
    day = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
    scope = f"{day}/{service}/tc3_request"
    to_sign = f"TC3-HMAC-SHA256\n{at}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    key = f"TC3{key_secret}".encode()
    for part in (day, service, "tc3_request"):
        key = hmac.digest(key, part.encode(), sha256)
    signature = hmac.new(key, to_sign.encode(), sha256).hexdigest()
    return f"TC3-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders=content-type;host, Signature={signature}"
