"""Aliyun's short messages: SendSms of Dysmsapi (2017-05-25), signed with ACS3-HMAC-SHA256, and its delivery reports.

The signature covers method, path, query, the `x-acs-*` headers and the body's hash ("V3 request structure and signature" of its
documents). Reports are pushed without a signature, so their address holds a secret.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote, urlsplit

from fairwire_server.channels.provider_rules import Verdict, failure, find
from fairwire_server.channels.sms_http import HttpRequest, said
from fairwire_server.notices.parcels import Sms
from fairwire_server.notices.sms_catalogue import Template

__all__ = ["ERRORS", "Aliyun", "acs3_authorization"]

ENDPOINT: Final = "https://dysmsapi.aliyuncs.com"
HOME: Final = "+86"
ERRORS: Final[Mapping[str, Verdict]] = {
    "isv.BUSINESS_LIMIT_CONTROL": "budget",
    "isv.DAY_LIMIT_CONTROL": "final",
    "isv.MONTH_LIMIT_CONTROL": "final",
    "isv.SMS_TEST_NUMBER_LIMIT": "final",
    "isv.*": "final",
    "isp.*": "retry",
    "isp.RAM_PERMISSION_DENY": "final",
    "Throttling*": "busy",
    "ServiceUnavailable*": "retry",
    "InternalError*": "retry",
    "SignatureNonceUsed": "retry",
    "InvalidTimeStamp*": "retry",
    "SignatureDoesNotMatch": "final",
    "InvalidAccessKeyId*": "final",
    "Forbidden*": "final",
    "NoPermission": "final",
}
"""Codes of its documents. `isv.` is what we ask for or our account, `isp.` is the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliyun:
    """An account there."""

    key_id: str
    key_secret: str = field(repr=False)
    signatures: Mapping[str, str]
    """Approved signatures by language, without brackets."""
    endpoint: str = ENDPOINT
    name: str = "aliyun"

    def request(self, sms: Sms, template: Template, text: str, now: datetime) -> HttpRequest:
        """SendSms. A domestic number goes without its country code, others without the plus."""
        query = {
            "OutId": sms.reference.hex,
            "PhoneNumbers": sms.to.removeprefix(HOME).lstrip("+"),
            "SignName": self.signatures[template.language],
            "TemplateCode": template.ids["aliyun"],
            "TemplateParam": json.dumps(template.values(sms.variables), ensure_ascii=False),
        }
        headers = {
            "host": urlsplit(self.endpoint).netloc,
            "x-acs-action": "SendSms",
            "x-acs-content-sha256": sha256(b"").hexdigest(),
            "x-acs-date": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": secrets.token_hex(16),
            "x-acs-version": "2017-05-25",
        }
        line = canonical_query(query)
        headers["Authorization"] = acs3_authorization("POST", "/", line, headers, self.key_id, self.key_secret)
        return HttpRequest(f"{self.endpoint}/?{line}", headers, b"")

    def reference(self, status: int, answer: Mapping[str, Any]) -> str:
        """`BizId` of what it has taken; a report names it too."""
        code = said(answer, "Code")
        if code == "OK":
            return said(answer, "BizId")
        raise failure(find(code, ERRORS, "retry"), code or f"http_{status}")


def canonical_query(query: Mapping[str, str]) -> str:
    """Sorted, each name and value encoded as RFC 3986 says: this is also how it is sent."""
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(query.items()))


def acs3_authorization(
    method: str, path: str, query: str, headers: Mapping[str, str], key_id: str, key_secret: str
) -> str:
    """The header `Authorization`; all of `headers` is signed."""
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    canonical = "\n".join([method, path, query, lines, names, headers["x-acs-content-sha256"]])
    to_sign = f"ACS3-HMAC-SHA256\n{sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(key_secret.encode(), to_sign.encode(), sha256).hexdigest()
    return f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={names},Signature={signature}"
